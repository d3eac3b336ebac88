"""What the limits read and write, as steps of procedures: see `gateway.lanes`.

Many rows go as one parameter per column, so that neither the text of a statement nor the number of
statements grows with the people of a request. Whoever holds an agreement's row of the day (`lock`) is alone
with all that is counted under this agreement on that day, on every worker and node, until the commit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Date, TextClause, bindparam, select, text

from gateway.database import Database
from gateway.lanes import Rows, Step
from gateway.limits.budget import Use
from gateway.limits.patterns import Seen, Walk
from gateway.limits.tables import limit_use

_USE_COLUMNS = tuple(limit_use.c[name] for name in Use._fields)
_WRITE_USE = (
    limit_use.update()
    .where(limit_use.c.agreement_id == bindparam("of"), limit_use.c.day == bindparam("on"))
    .values({column: bindparam(f"new_{column.name}") for column in _USE_COLUMNS})
)
_BEGIN_DAY = text(
    "INSERT INTO limit_use (agreement_id, day, requests, refused, subjects, new_people, unknown, minute, "
    "minute_requests, pardoned) VALUES (:agreement_id, :day, 0, 0, 0, 0, 0, 0, 0, false) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("day", type_=Date()))

_KNOWN = "SELECT mark, asked_on FROM limit_people WHERE mark {one_of_marks} AND asked_on > :after"
_ASKED_AGAIN = "UPDATE limit_people SET asked_on = :day WHERE mark {one_of_marks}"
_SEEN = """
SELECT block AS mark, count(*) AS people, 0 AS dates, 0 AS pairs
FROM limit_people WHERE block {one_of_blocks} AND first_on = :day GROUP BY block
UNION ALL
SELECT district, 0, dates, pairs FROM limit_walks WHERE district {one_of_districts} AND day = :day
"""
_NEW_PEOPLE = """
INSERT INTO limit_people (mark, block, first_on, asked_on)
SELECT a, b, :day, :day FROM ({rows}) AS given WHERE true
ON CONFLICT (mark) DO UPDATE
SET block = excluded.block, first_on = excluded.first_on, asked_on = excluded.asked_on
"""
_WALKS = """
INSERT INTO limit_walks (district, day, dates, pairs)
SELECT a, :day, b, c FROM ({rows}) AS given WHERE true
ON CONFLICT (district, day) DO UPDATE SET dates = excluded.dates, pairs = excluded.pairs
"""


class Statements:
    """The statements as the database at hand wants them. Marks are 64-bit keyed numbers."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.is_sqlite
        self._use = (
            select(limit_use.c.agreement_id, *_USE_COLUMNS)
            .where(database.one_of(limit_use.c.agreement_id, "ids"), limit_use.c.day == bindparam("day"))
            .order_by(limit_use.c.agreement_id)
        )
        self._locked_use = self._use.with_for_update()
        self._known = self._text(_KNOWN).columns(asked_on=Date).bindparams(_day("after"))
        self._seen = self._text(_SEEN).bindparams(_day())
        self._asked_again = self._text(_ASKED_AGAIN).bindparams(_day())
        self._new_people = self._text(_NEW_PEOPLE, columns="ab").bindparams(_day())
        self._walks = self._text(_WALKS, columns="abc").bindparams(_day())

    def using(self, ids: Collection[str], day: date) -> Step:
        """What these agreements used on `day`: read the rows with `use_in`."""
        return self._use, {"ids": sorted(ids), "day": day}

    def locking(self, ids: Collection[str], day: date) -> Step:
        """As `using`, and theirs alone until the commit.

        Sorted by the statement: two processes that lock several agreements never wait crosswise.
        """
        return self._locked_use, {"ids": sorted(ids), "day": day}

    def beginning(self, ids: Collection[str], day: date) -> Sequence[Step]:
        """The day's rows of those of these agreements that have none."""
        return [(_BEGIN_DAY, {"agreement_id": one, "day": day}) for one in sorted(ids)]

    def writing_use(self, used: Mapping[str, Use], day: date) -> Sequence[Step]:
        """Put down what the locked agreements have used by now."""
        return [
            (
                _WRITE_USE,
                {"of": one, "on": day, **{f"new_{name}": value for name, value in use._asdict().items()}},
            )
            for one, use in used.items()
        ]

    def knowing(self, marks: Collection[int], after: date) -> Step:
        """Those of these people who were asked about later than on the day `after`, and when last."""
        return self._known, {"marks": self._list(marks), "after": after}

    def seeing(self, blocks: Collection[int], districts: Collection[int], day: date) -> Step:
        """What the newcomers of `day` left in these blocks and districts: read the rows with `seen_in`."""
        return self._seen, {"blocks": self._list(blocks), "districts": self._list(districts), "day": day}

    def writing_people(
        self, new: Mapping[int, int | None], again: Collection[int], day: date
    ) -> Iterator[Step]:
        """Remember who was asked about: newcomers with their block, and the others."""
        if new:
            rows = sorted(new.items(), key=lambda row: row[0])
            yield self._new_people, {**self._rows(rows, "ab"), "day": day}
        if again:
            yield self._asked_again, {"marks": self._list(again), "day": day}

    def writing_walks(self, walks: Mapping[int, Walk], day: date) -> Iterator[Step]:
        """Put down how far the walks through these districts have gone."""
        if walks:
            rows = sorted((district, walk.dates, walk.pairs) for district, walk in walks.items())
            yield self._walks, {**self._rows(rows, "abc"), "day": day}

    def _text(self, template: str, *, columns: str = "") -> TextClause:
        """The template with its lists as the dialect spells them: one parameter each, of any length."""
        listed = "IN (SELECT value FROM json_each(:{0}))" if self._sqlite else "= ANY(CAST(:{0} AS bigint[]))"
        return text(
            template.format(
                rows=_json_rows(columns) if self._sqlite else _array_rows(columns),
                **{f"one_of_{name}": listed.format(name) for name in ("marks", "blocks", "districts")},
            )
        )

    def _list(self, numbers: Collection[int | None]) -> str | list[int | None]:
        """Whole numbers as one parameter."""
        return json.dumps([*numbers]) if self._sqlite else [*numbers]

    def _rows(self, rows: Sequence[Sequence[int | None]], columns: str) -> dict[str, Any]:
        if self._sqlite:
            return {"rows": json.dumps(rows)}
        return {
            name: self._list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)
        }


def use_in(rows: Rows) -> dict[str, Use]:
    """By id; an agreement that asked nothing is left out."""
    return {agreement_id: Use(*used) for agreement_id, *used in rows}


def seen_in(rows: Rows) -> Seen:
    """How many newcomers a block has, and how far the walk through a district has gone."""
    people: dict[int, int] = {}
    walks: dict[int, Walk] = {}
    for mark, count, dates, pairs in rows:
        if count:
            people[mark] = count
        else:
            walks[mark] = Walk(dates, pairs)
    return Seen(people, walks)


def _day(name: str = "day") -> Any:
    # Without a type a date would go to SQLite through an adapter that Python is doing away with.
    return bindparam(name, type_=Date())


def _json_rows(columns: str) -> str:
    picked = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(columns))
    return f"SELECT {picked} FROM json_each(:rows)"  # noqa: S608 - made of letters given above


def _array_rows(columns: str) -> str:
    arrays = ", ".join(f"CAST(:{name} AS bigint[])" for name in columns)
    return f"SELECT * FROM unnest({arrays}) AS t ({', '.join(columns)})"  # noqa: S608 - as above
