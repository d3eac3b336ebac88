"""One side of a preview: what a consumer would get about one person under one book, and why. Pure.

It goes through the same `within_scope`, `complete` and `assess` as an exchange, after the same `decide`. It
MUST NOT hold a pseudonym: whoever tries knows the national id, and one is never written beside the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from connectors.base import Connector, Outcome, Record
from gateway.answer import Person, assess
from gateway.subjects import complete, within_scope
from policies.agreement import REFUSE
from policies.cases import A_PSEUDONYM
from policies.decide import Deny, Output, Permit, Plan, in_scope
from policies.dictionary import Field, Text
from policies.pseudonym import SectorKey, derive_sector_key
from policies.refusals import SOURCE_UNAVAILABLE
from policies.release import Released, Unknown
from policies.wording import form_of

FieldState = Literal["released", "last_known", "absent", "unknown", "not_asked", "withheld"]
_HEADS = ("denied", "reason", "decision", "clauses", "pseudonym")
_KEY_OF_PREVIEWS = b"the sector keys of previews protect nobody"


@dataclass(frozen=True, slots=True)
class FieldTold:
    """What becomes of one field, and why.

    `state` is released, last_known (an earlier value stands in), absent (the source has none), unknown (the
    source gave no answer), not_asked (this preview did not ask it), or withheld with `code`. `ceiling` is the
    most that any agreement may release, None for a word that the dictionary does not know.
    """

    name: str
    label: Text | None
    state: FieldState
    released_as: str | None
    value: Any
    code: str | None
    clause: Text
    ask_for: Text | None
    ceiling: str | None
    source: str | None
    as_of: date | None
    form: Text | None = None

    @property
    def leaving(self) -> tuple[Any, ...]:
        """What makes two of them the same to the consumer."""
        return self.state, self.released_as, self.value, self.code


@dataclass(frozen=True, slots=True)
class Side:
    """What comes out under one book.

    Either `denied`, or nobody for `reason` (as the consumer is told; `out_of_scope` if somebody was found),
    or the rest. `clauses` only where the agreement gives reasons.
    """

    plan: Plan | None
    denied: Deny | None = None
    reason: str | None = None
    out_of_scope: bool = False
    decision: str | None = None
    clauses: Mapping[str, str] | None = None
    pseudonym: str | None = None
    fields: tuple[FieldTold, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sources said of the person: the registry, and each other one that was asked.

    `not_asked` are fields of sources outside that this preview left alone; `now` is UTC, `today` civil (WIB).
    """

    outcome: Outcome | None
    sources: Sequence[Connector]
    answers: Sequence[Outcome]
    not_asked: frozenset[str]
    now: datetime
    today: date


def side_of(
    verdict: Permit | Deny,
    heard: Heard,
    claims: Mapping[str, str],
    on_date: date,
    dictionary: Mapping[str, Field],
) -> Side:
    """What one book, with its dictionary, makes of the question about this person."""
    if isinstance(verdict, Deny):
        return Side(None, denied=verdict)
    plan = verdict.plan
    reached = within_scope(heard.outcome, plan)
    if not isinstance(reached, Record):
        beyond = isinstance(heard.outcome, Record) and not in_scope(plan, heard.outcome.values)
        return Side(plan, reason=reached.reason, out_of_scope=beyond)
    person = complete(reached, plan, heard.sources, heard.answers, heard.today)
    if plan.on_source_failure == REFUSE and person.unknown:
        return Side(plan, denied=_source_down(plan))
    person = _without(person, heard.not_asked & plan.needs, heard.now)
    findings = assess(plan, ["preview"], [claims], [person], on_date, _key(plan))
    evaluation = next(iter(findings.evaluations), None)
    return Side(
        plan,
        decision=evaluation.decision if evaluation else None,
        clauses=evaluation.clauses if evaluation and plan.reasons else None,
        pseudonym=A_PSEUDONYM if findings.pseudonyms else None,
        fields=(*_leaving(plan, person, findings.released[0], heard.not_asked), *_withheld(plan, dictionary)),
    )


def differences(before: Side, after: Side) -> list[str]:
    """What is otherwise: `denied`, `reason`, `decision`, `clauses`, `pseudonym`, and names of fields."""
    heads = [name for name in _HEADS if _head(before, name) != _head(after, name)]
    was, now = ({field.name: field.leaving for field in side.fields} for side in (before, after))
    return heads + [name for name in dict.fromkeys([*now, *was]) if was.get(name) != now.get(name)]


def _head(side: Side, name: str) -> object:
    match name:
        case "denied":
            return side.denied and side.denied.code
        case "pseudonym":
            return side.pseudonym and side.plan and side.plan.pseudonym_sector
        case _:
            return getattr(side, name)


def _without(person: Person, fields: frozenset[str], now: datetime) -> Person:
    """The person without what a source was not asked about: neither a value nor "absent" would be true."""
    if not fields:
        return person
    return person._replace(
        values={name: value for name, value in person.values.items() if name not in fields},
        unknown={**person.unknown, **dict.fromkeys(fields, Unknown(now, None))},
    )


def _leaving(
    plan: Plan, person: Person, released: Released, not_asked: frozenset[str]
) -> Iterator[FieldTold]:
    for output in plan.outputs:
        exception = released.exceptions.get(output.name)
        state: FieldState = exception["state"] if exception else "released"
        if output.reads in not_asked:
            state = "not_asked"
        elif state == "released" and output.reads in person.stale:
            state = "last_known"
        value = released.values.get(output.name)
        yield FieldTold(
            name=output.name,
            label=output.field.label,
            state=state,
            released_as=str(output.transformation),
            value=A_PSEUDONYM if value is not None and output.transformation.needs_sector_key else value,
            code=None,
            clause=_releasing_clause(plan, output),
            ask_for=None,
            ceiling=_ceiling(output.field),
            source=output.field.source,
            as_of=person.field_as_of(output.reads) if value is not None else None,
            form=form_of(output.transformation),
        )


def _withheld(plan: Plan, dictionary: Mapping[str, Field]) -> Iterator[FieldTold]:
    for withheld in plan.withheld:
        field = dictionary.get(withheld.field)
        yield FieldTold(
            name=withheld.field,
            label=field.label if field else None,
            state="withheld",
            released_as=None,
            value=None,
            code=withheld.code,
            clause=withheld.clause,
            ask_for=withheld.ask_for,
            ceiling=_ceiling(field) if field else None,
            source=field.source if field else None,
            as_of=None,
        )


def _releasing_clause(plan: Plan, output: Output) -> Text:
    cited, clause = plan.agreement.cited, f"`fields.{output.name}: {output.transformation}`"
    return Text(f"{cited.id}, klausul {clause}.", f"{cited.en}, clause {clause}.")


def _ceiling(field: Field) -> str:
    return field.ceiling.name.lower()


def _key(plan: Plan) -> SectorKey | None:
    return derive_sector_key(_KEY_OF_PREVIEWS, plan.pseudonym_sector) if plan.pseudonym_sector else None


def _source_down(plan: Plan) -> Deny:
    cited = plan.agreement.cited
    return Deny(
        SOURCE_UNAVAILABLE,
        Text(
            f"Suatu sumber tidak menjawab, dan {cited.id} menolak seluruh permintaan dalam hal itu.",
            f"A source gives no answer, and {cited.en} then refuses the whole request.",
        ),
        Text("Ulangi setelah sumbernya menjawab.", "Try again once the source answers."),
    )
