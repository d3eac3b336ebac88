"""What is said of regions: a value per region, theme and day, imported from a table (CSV: code,value).

A theme is a field of the dictionary with a closed list of words. The values of one theme, level and day
are replaced as a whole, in one transaction; where a row is rejected, what stood there for its code stays.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from sqlalchemy import and_, delete, insert, select

from connectors.big.codes import Level, is_code
from gateway.areas.tables import area_values
from gateway.database import Database
from gateway.errors import BadInput, FileUnusable
from gateway.shrinking import refuse_shrinking

# Theme -> what a table may write (in any case) -> the dictionary's word.
THEMES: Mapping[str, Mapping[str, str]] = {
    "disaster_risk": {
        "low": "low",
        "rendah": "low",
        "medium": "medium",
        "sedang": "medium",
        "high": "high",
        "tinggi": "high",
    },
}
_COLUMNS = ("code", "value")

OnRejected = Callable[[int, str | None, str], None]


@dataclass(slots=True)
class ValuesReport:
    """What became of a table. `rejected` counts rows by reason; `kept` values stay because theirs was one."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Table:
    """Which values a table holds: of one theme, at one level, as of one day, and who says so."""

    theme: str
    level: Level
    as_of: date
    source: str


def import_values(
    database: Database,
    file: Path,
    table: Table,
    *,
    most_gone_percent: int | None = None,
    on_rejected: OnRejected = lambda row, code, reason: None,  # noqa: ARG005 - heard by nobody
) -> ValuesReport:
    """Make a file the values of a theme, level and day. `on_rejected` hears row (1 is the first), code, why.

    Raises FileUnusable, BadInput where the theme is unknown or no row can be believed, Held where more than
    `most_gone_percent` of the values would go (None: never), StoreUnavailable; after any of them the store is
    as it was.
    """
    if table.theme not in THEMES:
        raise BadInput(f"There is no such theme. Themes: {', '.join(sorted(THEMES))}.")
    report = ValuesReport()
    believed, refused = _believed(_rows(file), table, report, on_rejected)
    if not believed:
        raise BadInput(f"{file}: no row can be believed; nothing was changed. See the rejected rows.")
    _replace(database, table, believed, refused, report, most_gone_percent)
    return report


def _rows(file: Path) -> Iterator[tuple[int, str, str]]:
    """Number, code and value of each row. Semicolons are what spreadsheets in Indonesian write."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            head = opened.readline()
            opened.seek(0)
            reader = csv.DictReader(opened, delimiter=";" if ";" in head else ",", restval="")
            names = {(name or "").strip().casefold(): name for name in reader.fieldnames or ()}
            if missing := [name for name in _COLUMNS if name not in names]:
                raise FileUnusable(f"{file}: has no column {' and no column '.join(missing)}")
            for number, row in enumerate(reader, 1):
                code, value = ((row[names[name]] or "").strip() for name in _COLUMNS)
                yield number, code, value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileUnusable(f"{file}: cannot be read as CSV in UTF-8 ({type(error).__name__})") from None


def _believed(
    rows: Iterator[tuple[int, str, str]], table: Table, report: ValuesReport, on_rejected: OnRejected
) -> tuple[dict[str, str], set[str]]:
    """The word of each code, and the codes whose rows were rejected. Of two words for a code, neither."""
    words: dict[str, str] = {}
    refused: set[str] = set()
    for number, code, value in rows:
        word = THEMES[table.theme].get(value.casefold())
        reason = ""
        if not code or not value:
            reason = "short_row"
        elif not is_code(code, table.level):
            reason = "bad_code"
        elif word is None:
            reason = "unknown_value"
        elif words.get(code, word) != word:
            reason = "repeated"
        if word is not None and not reason:
            words[code] = word
            continue
        report.rejected[reason] += 1
        claimed = code if is_code(code, table.level) else None
        refused |= {claimed} if claimed else set()
        on_rejected(number, claimed, reason)
    return {code: word for code, word in words.items() if code not in refused}, refused


def _replace(
    database: Database,
    table: Table,
    believed: Mapping[str, str],
    refused: set[str],
    report: ValuesReport,
    most_gone_percent: int | None,
) -> None:
    values = area_values.c
    of_this_table = and_(
        values.theme == table.theme, values.level == table.level, values.as_of == table.as_of
    )
    with database.unit_of_work() as connection:
        held = select(values.code, values.value).where(of_this_table)
        stored: dict[str, str] = {row.code: row.value for row in connection.execute(held)}
        gone = stored.keys() - believed.keys() - refused
        refuse_shrinking(
            f"values of {table.theme}", held=len(stored), gone=len(gone), most_percent=most_gone_percent
        )
        changed = {code for code, word in believed.items() if code in stored and stored[code] != word}
        new = believed.keys() - stored.keys()
        if gone or changed:
            named = delete(area_values).where(of_this_table, database.one_of(values.code, "codes"))
            connection.execute(named, {"codes": sorted(gone | changed)})
        if new or changed:
            said = {"theme": table.theme, "level": table.level, "as_of": table.as_of, "source": table.source}
            rows = [{**said, "code": code, "value": believed[code]} for code in sorted(new | changed)]
            connection.execute(insert(area_values), rows)
    report.new, report.changed, report.gone = len(new), len(changed), len(gone)
    report.unchanged = len(believed) - len(new) - len(changed)
    report.kept = len(stored.keys() & refused)
