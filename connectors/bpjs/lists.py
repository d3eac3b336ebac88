"""The monthly PBI-JK list cycle as files: who is added, removed and corrected, and why.

THE FORMAT IS GAPURA'S OWN. No specification of the exchange between the ministry and BPJS Kesehatan is
public; the press describes a monthly list whose corrections close on the 12th and are ratified on the 15th,
and names the reasons. A list is a CSV file and, beside it, a Tabular Data Resource (Frictionless) with its
table schema, size and SHA-256: a list that lost its second half must not be read as one that ends there.

Pure: bytes in, changes out. A reject says the row, the column and what was expected, never what stood there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

FORMAT = "gapura-pbi-jk-changes/1"
Action = Literal["add", "remove", "correct"]
Segment = Literal["pbi_apbn", "pbi_apbd"]

# Action -> reasons that go with it.
REASONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "add": frozenset({"newly_determined", "replacement", "newborn", "reactivated"}),
        "remove": frozenset(
            {
                "segment_change",
                "deceased",
                "duplicate",
                "no_longer_poor",
                "identity_unmatched",
                "moved_abroad",
            }
        ),
        "correct": frozenset({"wrong_nik", "wrong_segment", "wrong_effective_date"}),
    }
)
COLUMNS = ("period", "action", "nik", "reason", "segment", "effective_on", "corrected_nik")
_CORRECTIONS_CLOSE, _RATIFIED = 12, 15  # days of the month
_PERIOD = r"20[0-9]{2}-(?:0[1-9]|1[0-2])"
# A NIK that is to hold: day (women: 40 more), month, year, a serial that is not zero. Its prefix may name a
# district that is no more.
_NIK = (
    "[0-9]{6}(?:0[1-9]|[12][0-9]|3[01]|4[1-9]|[56][0-9]|7[01])(?:0[1-9]|1[0-2])[0-9]{2}"
    "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
)
# A NIK that is to be removed or corrected may well be wrong: that can be the very reason.
_SIXTEEN_DIGITS = "[0-9]{16}"
_FIRST_OF_MONTH = _PERIOD + "-01"
_SPREADSHEET_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+?[0-9]+|[0-9]{16}[.,]0+|'[0-9]{16}")

# What is wrong with a row -> in Indonesian, in English.
REJECTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "columns": ("jumlah kolom tidak sama dengan judulnya", "not as many columns as headings"),
        "period": ("bukan periode berkas ini", "not the period of this file"),
        "unknown": ("kata ini tidak ada dalam daftar kolomnya", "not one of the words of this column"),
        "reason": ("alasan ini bukan untuk tindakan tersebut", "this reason does not go with this action"),
        "digits": ("bukan 16 digit", "not 16 digits"),
        "nik": (
            "NIK baru harus 16 digit dengan tanggal lahir yang mungkin dan nomor seri bukan nol",
            "a new NIK needs 16 digits with a possible date of birth and a serial that is not zero",
        ),
        "spreadsheet": (
            "nomor dirusak lembar sebar: ekspor ulang kolom ini sebagai teks",
            "a spreadsheet spoilt the number: export this column again as text",
        ),
        "date": ("bukan tanggal 1 suatu bulan (TTTT-BB-01)", "not the first day of a month (YYYY-MM-01)"),
        "early": ("mendahului bulan periode berkas", "before the month of the file's period"),
        "missing": ("wajib diisi untuk koreksi NIK", "needed when a NIK is corrected"),
        "unwanted": ("hanya untuk koreksi NIK", "only for the correction of a NIK"),
        "same": ("sama dengan NIK yang dikoreksi", "the same as the NIK that it corrects"),
        "repeated": ("baris ini sudah ada sebelumnya", "an earlier row says exactly this"),
        "contradictory": (
            "beberapa baris berbeda tentang NIK ini; tidak satu pun diterima",
            "several rows differ about this NIK; none of them was taken",
        ),
    }
)


class ListUnusable(ValueError):  # noqa: N818 - says what is the matter
    """The file as a whole cannot be used; the text says what was expected. No row of it was taken."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One month of the cycle: until when regions may correct, and when the list is ratified."""

    period: str
    corrections_until: date
    ratified_on: date


@dataclass(frozen=True, slots=True)
class Change:
    """One person's change. MUST NOT be logged.

    `segment` is the one that holds from `effective_on` (the first of a month), for a removal the one left.
    `corrected_nik` is set for the reason wrong_nik only.
    """

    action: Action
    nik: str
    reason: str
    segment: Segment
    effective_on: date
    corrected_nik: str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken (1 is the first after the headings); `problem` is a key of REJECTIONS."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class ListReading:
    """What a list says. A reader that must not act on half a list asks for `rejects` to be empty."""

    period: str
    changes: tuple[Change, ...]
    rejects: tuple[Reject, ...]


def cycle(period: str) -> Cycle:
    """The dates of a month's list, in western Indonesian days. `period` is YYYY-MM.

    >>> cycle("2026-11").ratified_on
    datetime.date(2026, 11, 15)
    """
    first = _first_of(period)
    return Cycle(period, first.replace(day=_CORRECTIONS_CLOSE), first.replace(day=_RATIFIED))


def write_list(changes: Iterable[Change], period: str) -> bytes:
    """The CSV file. Raises ListUnusable where `read_list` would reject what it is given."""
    _first_of(period)
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    for change in changes:
        writer.writerow(
            (
                period,
                change.action,
                change.nik,
                change.reason,
                change.segment,
                change.effective_on.isoformat(),
                change.corrected_nik or "",
            )
        )
    content = lines.getvalue().encode()
    if rejects := _read_rows(content, period).rejects:
        first = rejects[0]
        raise ListUnusable(
            f"{len(rejects)} changes cannot be written; first: change {first.row}, {first.column}: "
            f"{REJECTIONS[first.problem][1]}"
        )
    return content


def describe_list(content: bytes, period: str) -> dict[str, Any]:
    """The resource that goes beside the file, JSON-able: the table schema, and by what to know the file."""
    return {
        "profile": "tabular-data-resource",
        "name": f"pbi-jk-changes-{period}",
        "path": f"pbi-jk-changes-{period}.csv",
        "title": "Perubahan daftar PBI-JK / Changes of the PBI-JK list",
        "description": "Format of Gapura's own; not a format of BPJS Kesehatan.",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "gapura:format": FORMAT,
        "gapura:period": period,
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": table_schema(),
    }


def table_schema() -> dict[str, Any]:
    """The table schema of a list. It holds row by row; what rows mean together is checked by `read_list`."""
    reasons = sorted({reason for allowed in REASONS.values() for reason in allowed})
    constraints: dict[str, dict[str, Any]] = {
        "period": {"required": True, "pattern": _PERIOD},
        "action": {"required": True, "enum": sorted(REASONS)},
        "nik": {"required": True, "pattern": _SIXTEEN_DIGITS},
        "reason": {"required": True, "enum": reasons},
        "segment": {"required": True, "enum": list(get_args(Segment))},
        "effective_on": {"required": True, "pattern": _FIRST_OF_MONTH},
        "corrected_nik": {"pattern": _NIK},
    }
    # Every column is text: a NIK or a date that passes through a spreadsheet as a number is spoilt.
    fields = [{"name": name, "type": "string", "constraints": constraints[name]} for name in COLUMNS]
    return {"fields": fields, "missingValues": [""]}


def read_list(content: bytes, resource: Mapping[str, Any]) -> ListReading:
    """The changes of a list, after `resource` has shown that the file is whole.

    Raises ListUnusable for a file that is not this format, not whole, or not the one described.
    """
    if resource.get("gapura:format") != FORMAT:
        raise ListUnusable(f"the resource beside the list must say gapura:format = {FORMAT}")
    period = resource.get("gapura:period")
    if not isinstance(period, str) or not re.fullmatch(_PERIOD, period):
        raise ListUnusable("the resource beside the list must say gapura:period as YYYY-MM")
    if resource.get("bytes") != len(content):
        raise ListUnusable("the list has not as many bytes as the resource says: fetch both again")
    if resource.get("hash") != f"sha256:{hashlib.sha256(content).hexdigest()}":
        raise ListUnusable("the list has not the SHA-256 that the resource says: fetch both again")
    return _read_rows(content, period)


def _read_rows(content: bytes, period: str) -> ListReading:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ListUnusable("the list is not UTF-8: export it again as CSV UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(next(rows, ())) != COLUMNS:
            raise ListUnusable(f"the first line must read exactly: {','.join(COLUMNS)}")
        return _judged(list(rows), period)
    except csv.Error:
        raise ListUnusable(f"line {rows.line_num} is not CSV: a quotation mark is misplaced") from None


def _judged(rows: Sequence[Sequence[str]], period: str) -> ListReading:
    taken: dict[int, Change] = {}
    rejects: list[Reject] = []
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS):
            rejects.append(Reject(number, "", "columns"))
            continue
        cells = dict(zip(COLUMNS, row, strict=True))
        problems = [Reject(number, column, problem) for column, problem in _problems(cells, period)]
        rejects += problems
        if not problems:
            taken[number] = _change(cells)
    for reject in _problems_between(taken):
        rejects.append(reject)
        del taken[reject.row]
    rejects.sort(key=lambda reject: reject.row)
    return ListReading(period, tuple(taken.values()), tuple(rejects))


def _problems(cells: Mapping[str, str], period: str) -> Iterator[tuple[str, str]]:
    """Every column of one row that is wrong, and how."""
    if cells["period"] != period:
        yield "period", "period"
    action, reason = cells["action"], cells["reason"]
    if action not in REASONS:
        yield "action", "unknown"
    elif reason not in REASONS[action]:
        yield "reason", "reason" if any(reason in allowed for allowed in REASONS.values()) else "unknown"
    if cells["segment"] not in get_args(Segment):
        yield "segment", "unknown"
    if not re.fullmatch(_FIRST_OF_MONTH, cells["effective_on"]):
        yield "effective_on", "date"
    elif cells["effective_on"] < f"{period}-01":
        yield "effective_on", "early"
    if problem := _nik_problem(cells["nik"], must_hold=action == "add"):
        yield "nik", problem
    if problem := _corrected_nik_problem(cells):
        yield "corrected_nik", problem


def _nik_problem(text: str, *, must_hold: bool) -> str | None:
    if _SPREADSHEET_NUMBER.fullmatch(text):
        return "spreadsheet"
    if not re.fullmatch(_SIXTEEN_DIGITS, text):
        return "digits"
    return "nik" if must_hold and not re.fullmatch(_NIK, text) else None


def _corrected_nik_problem(cells: Mapping[str, str]) -> str | None:
    corrected = cells["corrected_nik"]
    if cells["reason"] != "wrong_nik":
        return "unwanted" if corrected else None
    if not corrected:
        return "missing"
    return "same" if corrected == cells["nik"] else _nik_problem(corrected, must_hold=True)


def _problems_between(taken: Mapping[int, Change]) -> Iterator[Reject]:
    """Rows that repeat another, and rows of which only one could be true: which one is not ours to guess.

    A corrected NIK counts as named: to add a person and to turn another into them cannot both be meant.
    """
    naming: dict[str, list[int]] = defaultdict(list)
    for row, change in taken.items():
        for nik in filter(None, (change.nik, change.corrected_nik)):
            naming[nik].append(row)
    refused: dict[int, str] = {}
    for rows in naming.values():
        if len({taken[row] for row in rows}) > 1:
            refused |= dict.fromkeys(rows, "contradictory")
        else:
            refused |= {row: refused.get(row, "repeated") for row in rows[1:]}
    return (Reject(row, "nik", problem) for row, problem in refused.items())


def _change(cells: Mapping[str, str]) -> Change:
    return Change(
        cast("Action", cells["action"]),
        cells["nik"],
        cells["reason"],
        cast("Segment", cells["segment"]),
        date.fromisoformat(cells["effective_on"]),
        cells["corrected_nik"] or None,
    )


def _first_of(period: str) -> date:
    if not re.fullmatch(_PERIOD, period):
        raise ListUnusable("a period must read YYYY-MM")
    return date.fromisoformat(f"{period}-01")
