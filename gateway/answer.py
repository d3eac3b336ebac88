"""What an answer says, and how: once at its head what holds for all, per person only what differs. Pure.

It MUST NOT put anything into an answer that `policies.release` did not let out, and it never turns
"we do not know" into "no": whoever could not be judged gets `unknown` with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from connectors.base import Value
from policies.conditions import Evaluation, evaluate_all, inputs
from policies.decide import Plan
from policies.dictionary import Text
from policies.pseudonym import SectorKey, pseudonyms
from policies.release import Released, Unknown, release_all, unknown_field

# Plans and the days of their sources are few; the bound keeps odd requests from growing memory.
_HEADS_KEPT = 1024

# Why a subject got no answer. Somebody out of scope is `not_found`, word for word.
UNANSWERED = {
    "invalid_identifier": Text(
        id="Pengenal tidak dapat dipakai: kirim tepat satu dari NIK (16 angka, sebagai teks) atau pseudonim "
        "sektor Anda.",
        en="The identifier cannot be used: send exactly one of a NIK (16 digits, as text) or a pseudonym of "
        "your own sector.",
    ),
    "not_found": Text(
        id="Tidak ditemukan dalam data yang dicakup perjanjian ini. Ini bukan pernyataan tidak layak.",
        en="Not found among the people this agreement covers. This is not a statement of ineligibility.",
    ),
    "duplicate_identity": Text(
        id="NIK ini tercatat pada lebih dari satu orang; jawabannya menunggu perbaikan data oleh dinas "
        "sosial.",
        en="More than one person is recorded under this NIK; the answer waits for the social office to "
        "mend it.",
    ),
}


class Person(NamedTuple):
    """One person as all sources together know them, before anything is released."""

    person_id: UUID
    values: Mapping[str, Value]
    as_of: Mapping[str, date]
    default_as_of: date | None
    unknown: Mapping[str, Unknown]
    # Fields whose value is an earlier one, because their source is down: since when it is (UTC).
    stale: Mapping[str, datetime] = MappingProxyType({})

    def __repr__(self) -> str:
        """Nothing of whom it speaks: what is printed may be logged."""
        return "Person(...)"

    def field_as_of(self, field: str) -> date | None:
        """The day on which the source says the value held."""
        return self.as_of.get(field, self.default_as_of)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A subject of whom nothing is said; `reason` is a key of UNANSWERED."""

    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What the exchange found, in columns: a thousand people are lists of a thousand values.

    `refs` and `subjects` are of everybody asked about, side by side. The rest is of those `found`, in the
    same order; `pseudonyms` and `evaluations` are empty where the plan has none.
    """

    refs: Sequence[str]
    subjects: Sequence[Person | Unanswered]
    found: Sequence[Person]
    pseudonyms: Sequence[str]
    evaluations: Sequence[Evaluation]
    released: Sequence[Released]

    def outcomes(self) -> list[str]:
        """The word that the audit log counts of each subject: a reason, a decision, or `released`."""
        decisions: list[str] = [evaluation.decision for evaluation in self.evaluations]
        words = iter(decisions or ["released"] * len(self.found))
        return [next(words) if isinstance(one, Person) else one.reason for one in self.subjects]


@dataclass(frozen=True, slots=True)
class Dates:
    """By field the date that most of the values share, and the positions of those with another somewhere."""

    common: Mapping[str, date | None]
    other_at: Collection[int]


def assess(
    plan: Plan,
    refs: Sequence[str],
    claims: Sequence[Mapping[str, str]],
    subjects: Sequence[Person | Unanswered],
    on_date: date,
    key: SectorKey | None,
) -> Findings:
    """Judge these people by the plan's rule and release what the plan names."""
    found = [one for one in subjects if isinstance(one, Person)]
    said = [claim for claim, one in zip(claims, subjects, strict=True) if isinstance(one, Person)]
    values = [person.values for person in found]
    unknown = [person.unknown for person in found]
    return Findings(
        refs,
        subjects,
        found,
        pseudonyms=pseudonyms([person.person_id for person in found], key) if key else (),
        evaluations=evaluate_all(plan.rule, values, on_date) if plan.rule else (),
        released=release_all(plan, values, unknown, said, on_date=on_date, sector_key=key),
    )


def render(
    exchange_id: UUID,
    now: datetime,
    on_date: date,
    plan: Plan,
    findings: Findings,
    dates: Dates,
    *,
    sandbox: bool = False,
) -> bytes:
    """The answer as JSON bytes; `dates` are of those found, `sandbox`: the people are synthetic."""
    reasons = {one.reason for one in findings.subjects if isinstance(one, Unanswered)}
    agreement = plan.agreement
    answer: dict[str, Any] = {
        "exchange_id": str(exchange_id),
        "as_of": now.isoformat(timespec="seconds"),
        "on_date": on_date.isoformat(),
        "agreement": {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256},
    }
    if sandbox:
        answer["sandbox"] = True
    if plan.rule:
        answer["rule"] = _rule_head(plan)
    answer["fields"] = _fields_head(plan, tuple(dates.common.items()))
    if reasons:
        answer["reasons"] = {reason: _both(UNANSWERED[reason]) for reason in sorted(reasons)}
    answer["results"] = _results(plan, findings, dates)
    return orjson.dumps(answer)


def _both(text: Text) -> dict[str, str]:
    return {"id": text.id, "en": text.en}


# Heads are the same for every answer of one plan, and longer than what differs.
@lru_cache(maxsize=_HEADS_KEPT)
def _rule_head(plan: Plan) -> orjson.Fragment:
    rule = plan.rule
    assert rule is not None  # noqa: S101 - the caller asked for it because there is one
    head: dict[str, Any] = {"programme": rule.programme, "version": rule.version, "sha256": rule.sha256}
    if plan.reasons:
        head["clauses"] = {
            clause.id: {**_both(clause.reason), "source": clause.source} for clause in rule.clauses
        }
    return orjson.Fragment(orjson.dumps(head))


@lru_cache(maxsize=_HEADS_KEPT)
def _fields_head(plan: Plan, dates: tuple[tuple[str, date | None], ...]) -> orjson.Fragment:
    as_of = dict(dates)
    head: dict[str, Any] = {}
    for output in plan.outputs:
        head[output.name] = {"released_as": str(output.transformation), "source": output.field.source}
        if day := as_of.get(output.name):
            head[output.name]["as_of"] = day.isoformat()
    for withheld in plan.withheld:
        head[withheld.field] = {
            "withheld": withheld.code,
            "clause": _both(withheld.clause),
            "ask_for": _both(withheld.ask_for),
        }
    return orjson.Fragment(orjson.dumps(head))


def dates_of(plan: Plan, people: Sequence[Person]) -> Dates:
    """The date that most persons share, per field: said at the head, so that only the others repeat it."""
    common: dict[str, date | None] = {}
    other_at = {at for at, person in enumerate(people) if person.stale}
    for output in plan.outputs if people else ():
        reads = output.reads
        days = [person.as_of.get(reads, person.default_as_of) for person in people]
        most = common[output.name] = _most_common(days)
        if days.count(most) != len(days):
            other_at.update(at for at, day in enumerate(days) if day != most)
    return Dates(common, other_at)


def _most_common(days: Sequence[date | None]) -> date | None:
    if days.count(days[0]) == len(days):  # as good as always, and an order cheaper
        return days[0]
    return Counter(days).most_common(1)[0][0]


def _results(plan: Plan, findings: Findings, dates: Dates) -> list[dict[str, Any]]:
    told = iter(_told(plan, findings, dates))
    return [
        next(told) if isinstance(one, Person) else _unanswered(plan, ref, one)
        for ref, one in zip(findings.refs, findings.subjects, strict=True)
    ]


def _unanswered(plan: Plan, ref: str, subject: Unanswered) -> dict[str, Any]:
    decision = {"decision": "unknown"} if plan.rule else {}
    return {"ref": ref, **decision, "reason": subject.reason}


def _told(plan: Plan, findings: Findings, dates: Dates) -> list[dict[str, Any]]:
    """One entry for each person found."""
    subjects = zip(findings.refs, findings.subjects, strict=True)
    told: list[dict[str, Any]] = [{"ref": ref} for ref, one in subjects if isinstance(one, Person)]
    columns: dict[str, Sequence[Any]] = {}
    if findings.pseudonyms:
        columns["pseudonym"] = findings.pseudonyms
    if findings.evaluations:
        columns["decision"] = [evaluation.decision for evaluation in findings.evaluations]
        if plan.reasons:
            columns["clauses"] = [evaluation.clauses for evaluation in findings.evaluations]
    columns["values"] = [released.values for released in findings.released]
    for name, column in columns.items():
        for entry, value in zip(told, column, strict=True):
            entry[name] = value
    for at, (person, released) in enumerate(zip(findings.found, findings.released, strict=True)):
        elsewhere = at in dates.other_at
        if released.exceptions or person.unknown or elsewhere:
            exceptions = {**_of_rule(plan, person), **released.exceptions}
            if elsewhere:
                exceptions |= _other_dates(plan, person, released, dates.common)
            if exceptions:
                told[at]["exceptions"] = exceptions
    return told


def _of_rule(plan: Plan, person: Person) -> dict[str, dict[str, Any]]:
    """What the decision rests on and no source could say now; told where the clauses are told."""
    if plan.rule is None or not plan.reasons or not (person.unknown or person.stale):
        return {}
    read = sorted(inputs(plan.rule))
    unknown = {field: unknown_field(person.unknown[field]) for field in read if field in person.unknown}
    return unknown | {field: _stale(person, field) for field in read if field in person.stale}


def _other_dates(
    plan: Plan, person: Person, released: Released, as_of: Mapping[str, date | None]
) -> dict[str, dict[str, Any]]:
    """Values that are not of the head's day, and values that stand in for a source that is down."""
    told: dict[str, dict[str, Any]] = {}
    for output in plan.outputs:
        if output.name not in released.values:
            continue
        if output.reads in person.stale:
            told[output.name] = _stale(person, output.reads)
        elif (day := person.field_as_of(output.reads)) != as_of[output.name]:
            told[output.name] = {"as_of": day.isoformat() if day else None}
    return told


def _stale(person: Person, field: str) -> dict[str, Any]:
    day = person.field_as_of(field)
    since = person.stale[field].isoformat(timespec="seconds")
    return {"state": "last_known", "since": since, "as_of": day.isoformat() if day else None}
