"""How often which kind of question was asked, by day: counted from the log as its entries get their place.

The sequencer counts, and not whoever appends: it alone is at work at a time, so that the counts are exact
without a lock, and an answer never waits for a row that every worker wants to count up. They follow the log
within a second. A shape names fields, words of the policies and a number of people, as entries do; it MUST
NOT hold a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, get_args

import orjson
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.audit.placed import Placed
from gateway.audit.tables import audit_shapes
from gateway.civil_day import civil_day
from gateway.limits.budget import Code

MOST_SAMPLES = 5
# Refused by something else than what the agreement covers: another text of it would have changed nothing.
NOT_BY_AGREEMENT = frozenset[str](get_args(Code)) | {"day_not_covered"}
_OF_ENTRY = ("operation", "purpose", "programme", "asked", "subject_count")


@dataclass(frozen=True, slots=True)
class Counted:
    """So many exchanges of one civil day (WIB) had this shape, and these are the ids of the first of them."""

    day: date
    shape: Mapping[str, Any]
    exchanges: int
    samples: Sequence[str]


@dataclass(slots=True)
class _Count:
    shape: bytes
    exchanges: int = 0
    samples: list[str] = field(default_factory=list)


def shape_of(placed: Placed) -> bytes | None:
    """The question of an entry as canonical JSON; None if no agreement decided it, or it does not say."""
    entry = placed.said
    if entry is None or placed.consumer_id is None:
        return None
    if entry.get("reason") in NOT_BY_AGREEMENT or not all(name in entry for name in _OF_ENTRY):
        return None
    shape = {name: entry[name] for name in _OF_ENTRY}
    shape |= {"consumer": placed.consumer_id, "unavailable": entry.get("unavailable", [])}
    return orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)


def count_shapes(connection: Connection, entries: Iterable[Placed]) -> None:
    """Count outcomes within the caller's transaction. MUST be called by one at a time, once for each."""
    added: dict[tuple[date, str], _Count] = {}
    for placed in entries:
        shape = shape_of(placed) if placed.kind == "outcome" else None
        if shape is None:
            continue
        key = civil_day(placed.at), hashlib.sha256(shape).hexdigest()
        count = added.setdefault(key, _Count(shape))
        count.exchanges += 1
        if len(count.samples) < MOST_SAMPLES:
            count.samples.append(str(placed.exchange_id))
    if added:
        _write(connection, added)


def shapes_since(connection: Connection, first: date) -> Iterator[Counted]:
    """What was asked from a civil day (WIB) on, by day and shape."""
    chosen = select(audit_shapes).where(audit_shapes.c.day >= first)
    for row in connection.execute(chosen.order_by(audit_shapes.c.day, audit_shapes.c.sha256)):
        yield Counted(row.day, orjson.loads(row.shape), row.exchanges, row.samples)


def _write(connection: Connection, added: Mapping[tuple[date, str], _Count]) -> None:
    known = select(
        audit_shapes.c.day, audit_shapes.c.sha256, audit_shapes.c.exchanges, audit_shapes.c.samples
    ).where(
        audit_shapes.c.day.in_(sorted({day for day, _ in added})),
        audit_shapes.c.sha256.in_(sorted({sha256 for _, sha256 in added})),
    )
    before = {(row.day, row.sha256): row for row in connection.execute(known)}
    rows = []
    for (day, sha256), count in added.items():
        earlier = before.get((day, sha256))
        exchanges, samples = (earlier.exchanges, earlier.samples) if earlier else (0, [])
        rows.append(
            {
                "day": day,
                "sha256": sha256,
                "shape": count.shape.decode(),
                "exchanges": exchanges + count.exchanges,
                "samples": [*samples, *count.samples][:MOST_SAMPLES],
            }
        )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    store = dialect.insert(audit_shapes)
    store = store.on_conflict_do_update(
        index_elements=[audit_shapes.c.day, audit_shapes.c.sha256],
        set_={"exchanges": store.excluded.exchanges, "samples": store.excluded.samples},
    )
    connection.execute(store, rows)
