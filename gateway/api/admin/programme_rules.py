"""`.../programme/{name}/versions/{n}/rule`: a programme's rule in words, and under what it may be tried."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.agreements import rule_words
from gateway.agreements.books import DoesNotLoad
from gateway.agreements.rule_words import When
from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, problems
from gateway.api.admin.policy_forms import Name, Number
from gateway.api.exchanges import BothLanguages
from gateway.civil_day import civil_day
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.agreement import ELIGIBILITY, AgreementBook
from policies.conditions import ProgrammeRule, parse_programme
from policies.dictionary import Text
from policies.errors import PolicyError

_NAMED = 50


class ClauseOut(BaseModel):
    """One condition: what it asks (with the value that counts today), why, and on which legal source."""

    id: str
    field: str
    asks: BothLanguages
    parameter: str | None
    unknown_when: list[str] = Field(description="Words of the field that mean that nobody knows.")
    reason: BothLanguages
    source: str


class ValueOut(BaseModel):
    """A parameter's value from one day to another; `until` is null where nothing follows."""

    since: date
    until: date | None
    value: str
    source: str
    when: When


class ParameterOut(BaseModel):
    """A dated parameter, its values oldest first."""

    name: str
    values: list[ValueOut]


class AskedUnder(BaseModel):
    """An agreement in force that may ask about the programme; only some are told what each clause said."""

    agreement: str
    consumer: str
    purpose: str
    reasons: bool


class RuleOut(BaseModel):
    """A rule as people read it."""

    programme: str
    version: int
    title: BothLanguages
    clauses: list[ClauseOut]
    parameters: list[ParameterOut]
    asked_under: list[AskedUnder] = Field(description=f"At most {_NAMED} agreements in force.")
    asked_under_more: int = Field(description="How many more there are.")


def add_rule_route(
    router: APIRouter, store: PolicyStore, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    """Add the route by which a rule is read in words. It blocks, so FastAPI runs it in a thread."""

    @router.get(
        "/admin/v1/policies/programme/{name}/versions/{number}/rule",
        responses=problems(401, 403, 404, 409, 422),
        openapi_extra=STAFF_ONLY,
    )
    def get_rule(
        name: Name, number: Number, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> RuleOut:
        """The clauses of a rule in words, and its parameters with their days."""
        version, book = store.get("programme", name, number), store.book()
        try:
            rule = parse_programme(version.text, f"{name}.yaml", book.dictionary)
        except PolicyError as error:
            raise DoesNotLoad(error.problems) from None
        return _rule_out(rule, version.version, book, civil_day(clock()))


def _rule_out(rule: ProgrammeRule, number: int, book: AgreementBook, today: date) -> RuleOut:
    asked_under = _asked_under(rule.programme, book, today)
    return RuleOut(
        programme=rule.programme,
        version=number,
        title=_both(rule.title),
        clauses=[
            ClauseOut(
                id=clause.id,
                field=clause.field,
                asks=_both(rule_words.asked(clause, rule, book.dictionary, today)),
                parameter=clause.parameter,
                unknown_when=sorted(clause.unknown_when),
                reason=_both(clause.reason),
                source=clause.source,
            )
            for clause in rule.clauses
        ],
        parameters=[
            ParameterOut(
                name=name,
                values=[
                    ValueOut.model_validate(one, from_attributes=True)
                    for one in rule_words.values(rule, name, today)
                ],
            )
            for name in rule.parameters
        ],
        asked_under=asked_under[:_NAMED],
        asked_under_more=max(0, len(asked_under) - _NAMED),
    )


def _asked_under(programme: str, book: AgreementBook, today: date) -> list[AskedUnder]:
    """Those that are told each clause first: there a person can be tried with the reasons."""
    found = [
        AskedUnder(agreement=one.id, consumer=one.consumer, purpose=one.purpose, reasons=one.reasons)
        for one in book.agreements
        if programme in one.programmes and ELIGIBILITY in one.operations and one.standing(today) == "active"
    ]
    return sorted(found, key=lambda one: (not one.reasons, one.agreement))


def _both(text: Text) -> BothLanguages:
    return BothLanguages(id=text.id, en=text.en)
