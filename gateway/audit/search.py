"""Searches the log: exchanges and acts, the newest first, page by page. Reads only.

It finds what has its place in the tree, within a second of its commit. It MUST NOT look for a person: who was
asked about is known by keyed hashes alone, and found by `gateway.audit.subject_index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    any_,
    bindparam,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gateway.audit.listing import ANSWERED, Listed
from gateway.audit.tables import audit_entries, audit_facets, audit_listed
from gateway.database import Database
from gateway.errors import NotFound
from policies.dictionary import Text

REFUSED = "refused"
# Beyond so many facets their newest entries are a good part of the newest of all: these are read instead.
_MOST_FACETS = 64
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; None is anything.

    `who` is a consumer, or an account that acted; `what` an operation or an act, or the beginning of acts up
    to the dot (`policy.`); `outcome` is `answered`, `refused` or the code of a refusal. From `since` on and
    before `until` (with zone).
    """

    kind: Listed
    who: str | None = None
    what: str | None = None
    purpose: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry that was found; `entry` is what it says, None once it was erased."""

    sequence: int
    exchange_id: UUID
    at: datetime
    consumer_id: str | None
    entry: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found, the newest first; `following` leads to the older ones, None at the end."""

    hits: Sequence[Hit]
    following: UUID | None


@dataclass(frozen=True, slots=True)
class Words:
    """By which words the log can be searched now, each list sorted."""

    who: Sequence[str]
    what: Sequence[str]
    purposes: Sequence[str]
    outcomes: Sequence[str]


def search(database: Database, asked: Asked, *, limit: int, after: UUID | None = None) -> Page:
    """A page of what is asked for. `after` is the page before's `following`. Blocks.

    Raises NotFound for an `after` that is no entry of the list, StoreUnavailable.
    """
    with database.reading() as connection:
        end = _place_of(connection, after) if after else (asked.until or _FOR_EVER, 0)
        facets = _facets(connection, asked)
        if not facets:
            return Page((), None)
        newest = _of_all if len(facets) > _MOST_FACETS else _of_each
        numbers = newest(connection, facets, asked.since, end, limit + 1)
        hits = _read(connection, numbers[:limit])
    return Page(hits, hits[-1].exchange_id if len(numbers) > limit else None)


def words(database: Database, kind: Listed) -> Words:
    """What can be chosen in a search of exchanges, or of acts. Blocks; raises StoreUnavailable."""
    with database.reading() as connection:
        rows = connection.execute(select(audit_facets).where(audit_facets.c.kind == kind)).all()
    columns = ({getattr(row, name) for row in rows} - {""} for name in ("who", "what", "purpose", "outcome"))
    return Words(*map(sorted, columns))


_NEWEST_FIRST = (audit_listed.c.at.desc(), audit_listed.c.sequence.desc())


def _facets(connection: Connection, asked: Asked) -> list[int]:
    one = audit_facets.c
    chosen = select(one.id).where(one.kind == asked.kind)
    if asked.who is not None:
        chosen = chosen.where(one.who == asked.who)
    if asked.what is not None:
        family = asked.what.endswith(".")
        chosen = chosen.where(
            one.what.startswith(asked.what, autoescape=True) if family else one.what == asked.what
        )
    if asked.purpose is not None:
        chosen = chosen.where(one.purpose == asked.purpose)
    if asked.outcome == REFUSED:
        chosen = chosen.where(one.outcome != ANSWERED)
    elif asked.outcome is not None:
        chosen = chosen.where(one.outcome == asked.outcome)
    return list(connection.execute(chosen).scalars())


def _place_of(connection: Connection, exchange_id: UUID) -> tuple[datetime, int]:
    """Where an entry stands in the list."""
    chosen = (
        select(audit_listed.c.at, audit_listed.c.sequence)
        .join(audit_entries, audit_entries.c.sequence == audit_listed.c.sequence)
        .where(audit_entries.c.exchange_id == exchange_id)
    )
    row = connection.execute(chosen).first()
    if row is None:
        raise NotFound(
            Text(
                "Halaman sebelumnya tidak berakhir dengan catatan ini: mulailah pencarian lagi.",
                "The page before ends with no entry of this id: begin the search again.",
            )
        )
    return row.at, row.sequence


def _within(since: datetime | None, end: tuple[datetime, int]) -> list[ColumnElement[bool]]:
    before = tuple_(audit_listed.c.at, audit_listed.c.sequence) < tuple_(*end)
    return [before] if since is None else [before, audit_listed.c.at >= since]


def _of_all(
    connection: Connection,
    facets: Sequence[int],
    since: datetime | None,
    end: tuple[datetime, int],
    limit: int,
) -> list[int]:
    """The newest entries, as they come, that are of these facets."""
    chosen: Select[Any] = (
        select(audit_listed.c.sequence)
        .where(*_within(since, end), _any_of(connection, facets))
        .order_by(*_NEWEST_FIRST)
        .limit(limit)
    )
    return list(connection.execute(chosen).scalars())


def _of_each(
    connection: Connection,
    facets: Sequence[int],
    since: datetime | None,
    end: tuple[datetime, int],
    limit: int,
) -> list[int]:
    """The newest entries among the newest of each facet."""
    facet = _many(connection, facets).subquery("facet")
    inner = (
        select(audit_listed.c.sequence, audit_listed.c.at)
        .where(audit_listed.c.facet == facet.c.id, *_within(since, end))
        .order_by(*_NEWEST_FIRST)
        .limit(limit)
    )
    if connection.dialect.name == "sqlite":
        # It has no LATERAL, and reads a correlated list of its own row numbers as fast.
        newest = inner.with_only_columns(audit_listed.c.sequence).correlate(facet)
        outer = audit_listed.alias("found")
        chosen = (
            select(outer.c.sequence)
            .select_from(facet.join(outer, outer.c.sequence.in_(newest)))
            .order_by(outer.c.at.desc(), outer.c.sequence.desc())
        )
    else:
        found = inner.correlate(facet).lateral("found")
        chosen = (
            select(found.c.sequence)
            .select_from(facet.join(found, true()))
            .order_by(found.c.at.desc(), found.c.sequence.desc())
        )
    return list(connection.execute(chosen.limit(limit)).scalars())


def _any_of(connection: Connection, facets: Sequence[int]) -> ColumnElement[bool]:
    """Whether an entry is of one of the facets."""
    if connection.dialect.name == "sqlite":
        return audit_listed.c.facet.in_(_many(connection, facets))
    # Of an array PostgreSQL looks each entry up as it reads the index; rows it would join with every entry.
    return audit_listed.c.facet == any_(bindparam("facets", list(facets), ARRAY(BigInteger)))


def _many(connection: Connection, facets: Sequence[int]) -> Select[Any]:
    """The facets as rows: one statement, however many there are."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(list(facets)).decode()).table_valued("value", name="each")
        return select(each.c.value.label("id"))
    return select(func.unnest(bindparam("facets", list(facets), ARRAY(BigInteger))).label("id"))


def _read(connection: Connection, numbers: Sequence[int]) -> list[Hit]:
    columns = [audit_entries.c[name] for name in ("sequence", "exchange_id", "at", "consumer_id", "entry")]
    rows = connection.execute(select(*columns).where(audit_entries.c.sequence.in_(numbers)))
    found = {
        row.sequence: Hit(
            row.sequence,
            row.exchange_id,
            row.at,
            row.consumer_id,
            orjson.loads(row.entry) if row.entry is not None else None,
        )
        for row in rows
    }
    return [found[number] for number in numbers if number in found]
