"""Entries that have just got their place in the tree, as those see them who keep something by the log.

Each text is read once, whoever looks at it. Whatever such a follower keeps can be made anew from the log; it
MUST NOT be evidence, and MUST NOT be what an answer waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import orjson
from sqlalchemy import Connection


class Placed(NamedTuple):
    """One entry. `said` is its text read: None where it was erased, and where it is no JSON object."""

    sequence: int
    kind: str
    exchange_id: UUID
    at: datetime
    consumer_id: str | None
    said: Mapping[str, Any] | None
    # The JSON text of the keyed hashes, alone or with the outcome of each.
    subjects: str | None = None

    @classmethod
    def read(
        cls,
        sequence: int,
        kind: str,
        exchange_id: UUID,
        at: datetime,
        consumer_id: str | None,
        text: str | None,
        subjects: str | None = None,
    ) -> Placed:
        """An entry as it stands in the database."""
        return cls(sequence, kind, exchange_id, at, consumer_id, said_by(text), subjects)


class Follower(Protocol):
    """Keeps something by the log, up to some leaf, and catches up by itself with what it was not told."""

    def follow(self, connection: Connection, first: int, end: int, placed: Sequence[Placed]) -> None:
        """Take in the leaves from `first` to before `end` within the caller's transaction.

        A follower that is not at `first`, or is at work elsewhere, leaves them for later.
        """


def said_by(text: str | None) -> Mapping[str, Any] | None:
    """What an entry's text says. Never raises: what cannot be read is for the verifier to find."""
    if text is None:
        return None
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None
