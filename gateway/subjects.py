"""Whom a question means, who of them an answer may be about, and what all sources together say. Pure.

An exchange and its rehearsal (`gateway.agreements.preview`) go through the same lines, so that what is tried
is what will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from connectors.base import Ambiguous, Connector, LastKnown, Outcome, Record, Subject, Unavailable
from gateway.answer import Person, Unanswered
from policies.decide import Plan, in_scope
from policies.pseudonym import SectorKeys, UnusablePseudonym
from policies.release import Unknown

_NIK_DIGITS = 16
_NOT_FOUND = Unanswered("not_found")


class AskedSubject(NamedTuple):
    """One person as the consumer names them. MUST NOT be logged.

    `ref` is the consumer's own mark and comes back unchanged; `claims` are values to be compared with
    fields that the agreement releases as a verdict.
    """

    ref: str
    nik: str | None
    pseudonym: str | None
    claims: Mapping[str, str]

    def __repr__(self) -> str:
        """Nothing of whom it names: what is printed may be logged."""
        return "AskedSubject(...)"


def identify(asked: AskedSubject, keys: SectorKeys | None) -> Subject | None:
    """Whom the consumer means, or None when that cannot be told.

    Only the shape of a NIK is checked: a person whose recorded NIK is oddly built must still be found.
    """
    _, nik, pseudonym, _ = asked
    if (nik is None) == (pseudonym is None):
        return None
    if nik is not None:
        well_formed = len(nik) == _NIK_DIGITS and nik.isascii() and nik.isdigit()
        return Subject(nik) if well_formed else None
    if keys is None or pseudonym is None:
        return None
    try:
        return Subject(person_id=keys.person(pseudonym))
    except UnusablePseudonym:
        return None


def within_scope(outcome: Outcome | None, plan: Plan) -> Record | Unanswered:
    """The record, if its person is within the agreement's scope; else the same words as for nobody."""
    match outcome:
        case None:
            return Unanswered("invalid_identifier")
        case Record() if in_scope(plan, outcome.values):
            return outcome
        case Ambiguous() if any(in_scope(plan, candidate.values) for candidate in outcome.candidates):
            return Unanswered("duplicate_identity")
        case _:
            return _NOT_FOUND


def complete(
    record: Record, plan: Plan, sources: Sequence[Connector], answers: Sequence[Outcome], today: date
) -> Person:
    """One person from the registry's record and what each further source said, or last said."""
    if not sources:
        return Person(record.person_id, record.values, record.as_of, record.default_as_of, {})
    values, as_of = dict(record.values), dict(record.as_of)
    unknown: dict[str, Unknown] = {}
    stale: dict[str, datetime] = {}
    for source, answer in zip(sources, answers, strict=True):
        fields = plan.needs & source.provides
        match answer:
            case Record():
                values |= answer.values
                as_of |= {f: day for f in fields if (day := answer.as_of.get(f, answer.default_as_of))}
            case Unavailable():
                for field in fields:
                    known = answer.last_known.get(field)
                    if known and _may_stand_in(known, plan, today):
                        values[field], as_of[field], stale[field] = known.value, known.as_of, answer.since
                    else:
                        unknown[field] = Unknown(answer.since, known.as_of if known else None)
                        values.pop(field, None)  # nobody else's word stands in for a source that is down
            case _:
                values |= dict.fromkeys(fields)  # the source has nothing about this person: absent
    return Person(record.person_id, values, as_of, record.default_as_of, unknown, stale)


def _may_stand_in(known: LastKnown, plan: Plan, today: date) -> bool:
    """Whether the agreement takes an earlier word of this age for an answer; without its word, never."""
    most = plan.last_known_max_age_days
    return most is not None and timedelta() <= today - known.as_of <= timedelta(days=most)


def told_to(source: Connector, records: Sequence[Record]) -> list[Subject]:
    """The people of these records as this source is told of them: no more than it needs."""
    return [
        Subject(
            nik=_text(record.values["nik"]),
            person_id=record.person_id,
            known={field: record.values[field] for field in source.needs},
        )
        for record in records
    ]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
