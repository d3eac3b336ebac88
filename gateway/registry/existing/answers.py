"""What is said of the people who were found, on the day that was asked about: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any
from uuid import UUID

from connectors.base import Ambiguous, NotFound, Outcome, Record, Value
from gateway.registry.existing.periods import Period, programmes_on, ranking_on
from gateway.registry.periods import period_of
from gateway.registry.tables import STATUS_VOCABULARY

OF_DECILES = frozenset({"decile", "decile_period"})


@dataclass(slots=True)
class Person:
    """One row of people, read. `days` dates its statuses; what hangs on it goes by `key` and `household`."""

    id: UUID
    key: Any
    household: Any
    as_of: date | None
    values: dict[str, Value]
    days: dict[str, date | None]
    synthetic: bool
    deciles: Sequence[Period] = ()
    enrolments: Sequence[Period] = ()


def outcome_of(found: Sequence[Person], fields: frozenset[str], on_date: date) -> Outcome:
    """The outcome for one subject, of everybody who goes by its identifier."""
    if not found:
        return NotFound()
    if len(found) == 1:
        return _record(found[0], fields, on_date)
    candidates = sorted(found, key=attrgetter("id"))
    return Ambiguous(tuple(_record(person, fields, on_date) for person in candidates))


def _record(person: Person, fields: frozenset[str], on_date: date) -> Record:
    values: dict[str, Value] = {name: person.values.get(name) for name in fields}
    as_of: dict[str, date] = {}
    for name in fields & STATUS_VOCABULARY.keys():
        own = person.days[name]
        day = own or person.as_of
        if own is not None:
            as_of[name] = own
        # A status is known from its day on; what held before, the registry does not say.
        if day is None or day > on_date:
            values[name] = None
    if "enrolments" in fields:
        values["enrolments"] = programmes_on(person.enrolments, on_date)
    if asked := fields & OF_DECILES:
        ranking = ranking_on(person.deciles, on_date)
        told = {"decile": ranking.says, "decile_period": _quarter(ranking)} if ranking else {}
        for name in asked:
            values[name] = told.get(name)
            if ranking and ranking.as_of:
                as_of[name] = ranking.as_of
    return Record(person.id, values, person.as_of, as_of, person.synthetic)


def _quarter(ranking: Period) -> str | None:
    return None if ranking.starts_on is None else period_of(ranking.starts_on)
