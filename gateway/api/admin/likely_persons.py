"""`/admin/v1/reconciliations`, likely persons and acceptance rules: who somebody may be, and who decides.

What is shown are ids, words and bits: neither the NIK of a candidate nor any element leaves the gateway.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from gateway.api.admin.documentation import staff_route
from gateway.api.admin.reconciliation_forms import Form, Reason
from gateway.api.exchanges import BothLanguages
from gateway.reconciliation.acceptance import Candidate, LikelyPersons
from gateway.reconciliation.acceptance_rules import (
    LEAST_AGREEING,
    LEAST_PROBABILITY,
    MOST_AGREEING,
    AcceptanceRule,
    AcceptanceRules,
)
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff

_LIKELY = "/admin/v1/reconciliations/likely-persons"
_CANDIDATE = "/admin/v1/reconciliations/candidates/{candidate_id}"
_RULES = "/admin/v1/reconciliations/acceptance-rules"
_RULE = _RULES + "/{rule_id}"
_READERS: tuple[Role, ...] = ("operator", "auditor", "approver")
_MOST = 200
_DECIDED = (400, 404, 409, 415, 422)

_Id = Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])]


class ReasonToDecide(Form):
    """Why it is decided so."""

    reason: Reason


class NewAcceptanceRule(Form):
    """Accept whom the model would accept, if at least so probable and with so many traits that agree."""

    least_probability: Annotated[float, Field(ge=LEAST_PROBABILITY, le=1, examples=[0.99])]
    least_agreeing: Annotated[int, Field(ge=LEAST_AGREEING, le=MOST_AGREEING, examples=[5])]
    reason: Reason


class ReasonOut(BaseModel):
    """One step of a candidate's weight: what was compared, how alike it was, and what that is worth in bits.

    `tells` is whom the trait tells apart: a person, or only a household. Positive bits speak for it.
    """

    trait: BothLanguages
    words: BothLanguages
    bits: float
    tells: Literal["person", "household"] | None


class CandidateOut(BaseModel):
    """A record of the population register that the person may be. `proposal` is the model's.

    `weight` compares the two records alone, in bits: one more doubles the odds. `probability` does not follow
    from it alone: it also weighs the rivals on both sides and that the person may be none of them, which was
    calibrated on pairs whose truth is known. So of the likeliest candidates with 0.6 about 60 in 100 are
    right. It is rounded to six digits: 1 stands for less than certain, too.
    """

    id: UUID
    run_id: UUID
    rank: int
    weight: float
    probability: float
    proposal: Literal["accept", "review"]
    agreeing: int
    model: str
    reasons: list[ReasonOut]
    state: Literal["proposed", "accepted", "refused", "superseded"]
    decided_at: datetime | None
    decided_by: str | None
    decided_why: str | None


class PersonToReview(BaseModel):
    """A person about whom somebody has to decide; `probability` is the likeliest candidate's."""

    person_id: UUID
    region: str
    candidates: int
    probability: float


class ReviewQueue(BaseModel):
    """A page of people; `next` is the `after` of the following page, null on the last."""

    people: list[PersonToReview]
    next: UUID | None


class CandidatesOfPerson(BaseModel):
    """The candidates of one person, the likeliest first; their reasons stand in the same order in each."""

    person_id: UUID
    region: str
    candidates: list[CandidateOut]


class AcceptanceRuleList(BaseModel):
    """Every rule there was, the newest first.

    A rule is `set` until somebody else approves it, then `active`, until it is `ended`.
    """

    rules: list[AcceptanceRule]


MEMBER_NAMES = frozenset(
    {
        *NewAcceptanceRule.model_fields,
        "person_id",
        "candidate_id",
        "rule_id",
        "region",
        "after",
        "limit",
        "least",
    }
)


def likely_person_router(likely: LikelyPersons, rules: AcceptanceRules, check: StaffCheck) -> APIRouter:
    """The routes for likely persons and acceptance rules. They block, in FastAPI's threads."""
    router = APIRouter(tags=["reconciliations"])
    _reading_routes(router, likely, check)
    _deciding_routes(router, likely, check)
    _rule_routes(router, rules, check)
    return router


def _reading_routes(router: APIRouter, likely: LikelyPersons, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*_READERS))

    @staff_route(router, "GET", _LIKELY, _READERS, 404, 422)
    def list_likely_persons(
        _staff: Annotated[Staff, reader],
        region: Annotated[
            str | None, Query(pattern=r"^(\d{2}\.\d{2}|-)$", description="A regency.", examples=["35.78"])
        ] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
        least: Annotated[
            float,
            Query(
                ge=0, le=1, description="The least probability of the likeliest candidate.", examples=[0.5]
            ),
        ] = 0.0,
    ) -> ReviewQueue:
        """The people about whom somebody has to decide, page by page, the most probable first."""
        waiting = likely.queue(limit, region, after, least)
        return ReviewQueue(
            people=[PersonToReview.model_validate(one, from_attributes=True) for one in waiting],
            next=waiting[-1].person_id if len(waiting) == limit else None,
        )

    @staff_route(router, "GET", _LIKELY + "/{person_id}", _READERS, 404, 422)
    def get_likely_persons(person_id: _Id, _staff: Annotated[Staff, reader]) -> CandidatesOfPerson:
        """One person's candidates with the reasons of each, in words and in bits."""
        found = likely.of_person(person_id)
        return CandidatesOfPerson(
            person_id=person_id,
            region=found[0].region,
            candidates=[_candidate(one) for one in found],
        )


def _deciding_routes(router: APIRouter, likely: LikelyPersons, check: StaffCheck) -> None:
    operator = Depends(check.in_person_as("operator"))

    @staff_route(router, "POST", _CANDIDATE + "/accept", ["operator"], *_DECIDED, in_person=True)
    def accept_likely_person(
        candidate_id: _Id, form: ReasonToDecide, staff: Annotated[Staff, operator]
    ) -> CandidateOut:
        """Give the person this candidate's NIK; the next run says what follows from it.

        409 where somebody else of the registry holds the NIK, or the person's has changed meanwhile.
        """
        return _candidate(likely.accept(staff, candidate_id, form.reason))

    @staff_route(router, "POST", _CANDIDATE + "/refuse", ["operator"], *_DECIDED, in_person=True)
    def refuse_likely_person(
        candidate_id: _Id, form: ReasonToDecide, staff: Annotated[Staff, operator]
    ) -> CandidateOut:
        """Say that this is somebody else: nobody is asked about the two again."""
        return _candidate(likely.refuse(staff, candidate_id, form.reason))


def _rule_routes(router: APIRouter, rules: AcceptanceRules, check: StaffCheck) -> None:
    operator = Depends(check.in_person_as("operator"))

    @staff_route(router, "GET", _RULES, _READERS)
    def list_acceptance_rules(
        _staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
    ) -> AcceptanceRuleList:
        """The rules by which likely persons are accepted at the end of a run, ended ones too."""
        return AcceptanceRuleList(rules=rules.all())

    @staff_route(router, "POST", _RULES, ["operator"], *(400, 415, 422), in_person=True, status_code=201)
    def set_acceptance_rule(form: NewAcceptanceRule, staff: Annotated[Staff, operator]) -> AcceptanceRule:
        """Propose a rule. It does nothing until somebody else has approved it."""
        return rules.set(staff, form.least_probability, form.least_agreeing, form.reason)

    @staff_route(
        router,
        "POST",
        _RULE + "/approve",
        ["approver"],
        *_DECIDED,
        in_person=True,
        more=", by somebody else than who set it",
    )
    def approve_acceptance_rule(
        rule_id: _Id,
        form: ReasonToDecide,
        staff: Annotated[Staff, Depends(check.in_person_as("approver"))],
    ) -> AcceptanceRule:
        """Put a rule in force, in place of the one before, from the end of the next run on."""
        return rules.approve(staff, rule_id, form.reason)

    @staff_route(router, "POST", _RULE + "/end", ["operator"], *_DECIDED, in_person=True)
    def end_acceptance_rule(
        rule_id: _Id, form: ReasonToDecide, staff: Annotated[Staff, operator]
    ) -> AcceptanceRule:
        """End a rule: everybody waits for a person to decide again."""
        return rules.end(staff, rule_id, form.reason)


def _candidate(one: Candidate) -> CandidateOut:
    return CandidateOut.model_validate(one, from_attributes=True)
