"""The programme list as a format: pages of memberships, and who is in two programmes at once. Pure.

No programme publishes its list in public: THE FORMAT IS GAPURA'S OWN (`gapura-programme-list/1`):

    {"format": "gapura-programme-list/1", "programme": "PKH", "as_of": "2026-11-01",
     "items": [{"nik": "...", "starts_on": "2026-01-01", "ends_on": null, "segment": null}],
     "next_cursor": "...", "more": true}

`ends_on` is exclusive; equal to `starts_on` it takes the membership back. The cursor after the last page is
where the next pull begins: it then gets what has changed. A page tells each membership once.

This module MUST NOT quote a row: a reject says position, column and what was expected.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations
from types import MappingProxyType
from typing import Any

from connectors.transport.failures import BrokenContract

FORMAT = "gapura-programme-list/1"
_NIK = re.compile(r"[0-9]{16}")
_ISO_DATE = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_SEGMENT = re.compile(r"[a-z0-9_-]{1,32}")
_LONGEST_CURSOR = 1024
_COLUMNS = frozenset({"nik", "starts_on", "ends_on", "segment"})

# What is wrong with a row -> in Indonesian, in English.
REJECTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "shape": ("bukan objek dengan kolom format ini", "not an object with this format's columns"),
        "digits": ("bukan teks 16 digit", "not a text of 16 digits"),
        "date": ("bukan tanggal TTTT-BB-HH sejak tahun 2000", "not a date YYYY-MM-DD since the year 2000"),
        "order": ("mendahului tanggal mulai", "before the day it starts"),
        "segment": (
            "bukan kata dari huruf kecil, angka, - dan _ (paling banyak 32)",
            "not a word of small letters, digits, - and _ (32 at most)",
        ),
        "repeated": ("sudah ada pada halaman ini", "told before on this page"),
        "contradictory": (
            "halaman ini memuat keterangan berbeda tentang kepesertaan ini; tidak satu pun diterima",
            "this page tells the membership in different ways; none of them was taken",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Membership:
    """One person in one programme, from `starts_on` to before `ends_on` (None while it lasts).

    `ends_on` = `starts_on` takes back what was told before. `as_of` is the day the publisher speaks of.
    """

    nik: str = field(repr=False)
    programme: str
    starts_on: date
    ends_on: date | None
    segment: str | None
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken; `position` counts from 1 on its page, `problem` is a key of REJECTIONS."""

    position: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one page says. `cursor` MUST be kept only together with its memberships: it is where to go on."""

    programme: str
    as_of: date
    memberships: tuple[Membership, ...]
    rejects: tuple[Reject, ...]
    cursor: str = field(repr=False)
    more: bool


@dataclass(frozen=True, slots=True)
class DoubleMembership:
    """Evidence that one person was in two programmes at once: both memberships, and when they overlap.

    `until` is exclusive, None while the overlap lasts.
    """

    nik: str = field(repr=False)
    first: Membership
    second: Membership
    since: date
    until: date | None


def double_memberships(
    memberships: Iterable[Membership], exclusive: Collection[frozenset[str]] | None = None
) -> Iterator[DoubleMembership]:
    """Every overlap of two programmes for one person, with its evidence.

    `exclusive` are the pairs of programmes that shut each other out; None takes every pair for such. Keeps
    all memberships in memory: give it one person's, or one region's, where there are many.
    """
    by_person: dict[str, list[Membership]] = defaultdict(list)
    for membership in memberships:
        if membership.ends_on != membership.starts_on:
            by_person[membership.nik].append(membership)
    for nik, held in by_person.items():
        held.sort(key=lambda one: (one.starts_on, one.programme))
        for first, second in combinations(held, 2):
            pair = frozenset({first.programme, second.programme})
            if first.programme == second.programme or (exclusive is not None and pair not in exclusive):
                continue
            until = min((day for day in (first.ends_on, second.ends_on) if day is not None), default=None)
            if until is None or second.starts_on < until:
                yield DoubleMembership(nik, first, second, second.starts_on, until)


def read_page(document: Mapping[str, Any], programme: str, source: str) -> Page:
    """The page that a document is. Raises BrokenContract where it is not of the format, as a whole."""
    items, cursor, more = document.get("items"), document.get("next_cursor"), document.get("more")
    as_of = _date(document.get("as_of"))
    if document.get("format") != FORMAT:
        raise BrokenContract(f"{source} does not answer with format {FORMAT}")
    if document.get("programme") != programme:
        raise BrokenContract(f"{source} answers with another programme than {programme}")
    if as_of is None or not isinstance(items, list) or not isinstance(more, bool):
        raise BrokenContract(f"{source} answers without a usable as_of, items or more")
    # The last page's cursor matters most: without it the next pull would begin anew.
    if not isinstance(cursor, str) or not 0 < len(cursor) <= _LONGEST_CURSOR:
        raise BrokenContract(f"{source} answers with a next_cursor that is no text of a sensible length")
    taken, rejects = _rows(items, programme, source, as_of)
    return Page(programme, as_of, taken, rejects, cursor, more)


def _rows(
    items: list[Any], programme: str, source: str, as_of: date
) -> tuple[tuple[Membership, ...], tuple[Reject, ...]]:
    taken: dict[int, Membership] = {}
    rejects: list[Reject] = []
    for position, item in enumerate(items, start=1):
        problems = [Reject(position, column, problem) for column, problem in _problems(item)]
        rejects += problems
        if not problems:
            start, end = date.fromisoformat(item["starts_on"]), _date(item["ends_on"])
            taken[position] = Membership(item["nik"], programme, start, end, item["segment"], source, as_of)
    told: dict[tuple[str, date], list[int]] = defaultdict(list)
    for position, one in taken.items():
        told[one.nik, one.starts_on].append(position)
    for positions in told.values():
        same = all(taken[position] == taken[positions[0]] for position in positions)
        for position in positions[1:] if same else positions:
            rejects.append(Reject(position, "", "repeated" if same else "contradictory"))
            del taken[position]
    return tuple(taken.values()), tuple(sorted(rejects, key=lambda reject: reject.position))


def _problems(item: Any) -> Iterator[tuple[str, str]]:
    """Every column of a row that is wrong, and how. What else a row holds is not read."""
    if not isinstance(item, dict) or not item.keys() >= _COLUMNS:
        yield "", "shape"
        return
    nik, segment = item["nik"], item["segment"]
    if not isinstance(nik, str) or not _NIK.fullmatch(nik):
        yield "nik", "digits"
    starts_on, ends_on = _date(item["starts_on"]), _date(item["ends_on"])
    if starts_on is None:
        yield "starts_on", "date"
    if item["ends_on"] is not None and ends_on is None:
        yield "ends_on", "date"
    if starts_on is not None and ends_on is not None and ends_on < starts_on:
        yield "ends_on", "order"
    if segment is not None and not (isinstance(segment, str) and _SEGMENT.fullmatch(segment)):
        yield "segment", "segment"


def _date(value: Any) -> date | None:
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    return None
