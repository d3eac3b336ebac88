"""What a source is to the gateway: a name, the fields it provides, and `fetch`.

A connector MUST NOT know who is asking or why, MUST NOT raise for a source's failure (it says
`Unavailable`), and MUST NOT return a field it was not asked for. Where a source gives no answer the
connector says so; it never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

# A tuple holds codes, such as the programmes in which a person is enrolled.
Value = str | int | bool | date | tuple[str, ...] | None
_NOTHING: Mapping[str, Any] = MappingProxyType({})


# Of these there is one for each person of a request: tuples are made three times as fast as dataclasses.
class Subject(NamedTuple):
    """Whom a source is asked about. MUST NOT be logged.

    The registry is asked by exactly one of national id and internal person id. Other sources get both, as
    the registry knows them, and in `known` the registry's values of the fields that the connector `needs`.
    """

    nik: str | None = None
    person_id: UUID | None = None
    known: Mapping[str, Value] = _NOTHING

    def __repr__(self) -> str:
        """Nothing of whom it names: what is printed may be logged."""
        return "Subject(...)"


class Record(NamedTuple):
    """What one source says of one person.

    `values` holds every field that was asked; None means that the source has no value for it.
    `as_of` dates each value that has one; for a field that it lacks, `default_as_of` holds. `synthetic` says
    that the person is invented; only the registry knows, and whoever does not say so speaks of a real one.
    """

    person_id: UUID
    values: Mapping[str, Value]
    default_as_of: date | None = None
    as_of: Mapping[str, date] = _NOTHING
    synthetic: bool = False

    def __repr__(self) -> str:
        """Nothing of whom it speaks: what is printed may be logged."""
        return "Record(...)"


@dataclass(frozen=True, slots=True)
class NotFound:
    """The source knows nobody under this identifier."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The identifier names several persons of the source; which one is meant is not the source's to guess.

    `candidates` are all of them, so that the exchange can tell whether any is within the asker's scope.
    """

    candidates: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class LastKnown:
    """What a source said earlier of one field, None where it had no value; and the day it said so."""

    value: Value = field(repr=False)
    as_of: date


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The source gave no usable answer; `since` is when it was first seen failing (UTC).

    `last_known` is what it said earlier, by field: whether that may stand in is not the connector's to say.
    `cause` is for operators: a sentence that a person can act on, without any value or address with a query.
    """

    since: datetime
    last_known: Mapping[str, LastKnown] = field(default_factory=dict)
    cause: str = ""


Outcome = Record | NotFound | Ambiguous | Unavailable


class Connector(Protocol):
    """One source.

    `provides` are fields of the data dictionary. `needs` are fields of the registry that it must be given
    about a subject. `outside` says whether asking it leaves the gateway, which is audited beforehand.
    `many_at_once` says whether one call to the source carries many subjects. `fresh_for` is how long an
    answer may be given again without asking, or None for never.
    """

    name: str
    provides: frozenset[str]
    needs: frozenset[str]
    outside: bool
    many_at_once: bool
    fresh_for: timedelta | None

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order, before `deadline` (event-loop time, seconds).

        `fields` is a subset of `provides`. `on_date` asks for the state on that day where the source
        keeps history (enrolments, deciles).
        """
        ...

    async def ping(self) -> None:
        """Return when the source can be asked; raise when it cannot."""
        ...
