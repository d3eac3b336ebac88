"""By what the log is searched: who, what, for which purpose, with which outcome, and when.

Every outcome and act that has its place in the tree is listed once, by the sequencer, so that appending pays
nothing for it. The few words by which entries are searched make a facet; there are hundreds of facets where
there are millions of entries, so that every search reads the newest entries of the facets that fit, and
nothing else. The list can be made anew from the entries and MUST NOT be evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from gateway.array_literals import of_moments, of_numbers
from gateway.audit.placed import Placed
from gateway.audit.tables import audit_entries, audit_facets, audit_leaves, audit_listed

Listed = Literal["exchange", "act"]
ANSWERED = "answered"
_CHUNK = 4_096
_ID_BYTES = 8
_LONGEST_WORD = 64
_LISTED: Mapping[str, Listed] = {"outcome": "exchange", "act": "act"}
_OF_ENTRY = ("sequence", "kind", "exchange_id", "at", "consumer_id", "entry")
_STORE_ARRAYS = text(
    "INSERT INTO audit_listed (sequence, at, facet) SELECT * FROM "
    "unnest(CAST(:sequences AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:facets AS bigint[]))"
)
_FORGET = delete(audit_listed).where(audit_listed.c.sequence == bindparam("gone"))


class Facet(NamedTuple):
    """What entries are searched by. Empty is what an entry does not say.

    `who` is a consumer, or the account that acted; `what` an operation, or an act; `outcome` is `answered` or
    the code of the refusal.
    """

    kind: Listed
    who: str
    what: str
    purpose: str = ""
    outcome: str = ""

    @property
    def id(self) -> int:
        """A number that follows from the words: processes need not agree on one. 63 bits of SHA-256."""
        return _number_of(self)


@lru_cache(maxsize=4_096)
def _number_of(facet: Facet) -> int:
    digest = hashlib.sha256(orjson.dumps(list(facet))).digest()
    return int.from_bytes(digest[:_ID_BYTES], "big") >> 1


def facet_of(kind: str, said: Mapping[str, Any] | None) -> Facet | None:
    """The facet of what an entry says; None for an intent, whose exchange is listed by its outcome."""
    listed = _LISTED.get(kind)
    if listed is None or said is None:
        return None
    if listed == "act":
        return Facet(listed, _word(said, "actor").partition("@")[0], _word(said, "act"))
    outcome = _word(said, "outcome")
    return Facet(
        listed,
        _word(said, "consumer"),
        _word(said, "operation"),
        _word(said, "purpose"),
        outcome if outcome == ANSWERED else _word(said, "reason"),
    )


def _word(said: Mapping[str, Any], name: str) -> str:
    return str(said.get(name) or "")[:_LONGEST_WORD]


def list_placed(connection: Connection, placed: Iterable[Placed]) -> None:
    """List entries within the caller's transaction, each once."""
    rows = []
    facets: dict[int, Facet] = {}
    for one in placed:
        facet = facet_of(one.kind, one.said)
        if facet is not None:
            facets[number := facet.id] = facet
            rows.append((one.sequence, one.at, number))
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    known = dialect.insert(audit_facets).on_conflict_do_nothing()
    connection.execute(known, [{"id": number, **facet._asdict()} for number, facet in facets.items()])
    if connection.dialect.name == "sqlite":
        names = ("sequence", "at", "facet")
        connection.execute(insert(audit_listed), [dict(zip(names, row, strict=True)) for row in rows])
        return
    sequences, ats, numbers = zip(*rows, strict=True)
    columns = {"sequences": of_numbers(sequences), "ats": of_moments(ats), "facets": of_numbers(numbers)}
    connection.execute(_STORE_ARRAYS, columns)


def list_all_placed(connection: Connection) -> None:
    """List every entry that has its place, where none is listed yet."""
    for rows in _placed(connection):
        list_placed(connection, rows)


def forget_listed(connection: Connection, sequences: Sequence[int]) -> None:
    """Take entries out of the list, whose text the caller's transaction erases."""
    connection.execute(_FORGET, [{"gone": sequence} for sequence in sequences])


def _placed(connection: Connection) -> Iterator[list[Placed]]:
    chosen = (
        select(
            audit_leaves.c.leaf_index,
            *(audit_entries.c[name] for name in _OF_ENTRY),
        )
        .join(audit_entries, audit_entries.c.sequence == audit_leaves.c.sequence)
        .order_by(audit_leaves.c.leaf_index)
        .limit(_CHUNK)
    )
    after = -1
    while rows := connection.execute(chosen.where(audit_leaves.c.leaf_index > after)).all():
        yield [Placed.read(*of_entry) for _, *of_entry in rows]
        after = rows[-1].leaf_index
