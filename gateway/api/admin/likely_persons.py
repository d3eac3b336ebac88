"""`/admin/v1/reconciliations`, likely persons and acceptance rules: who somebody may be, and who decides.

What is shown are ids, words and bits: neither the NIK of a candidate nor any element leaves the gateway.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
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
from gateway.staff.sessions import Session

_LIKELY = "/admin/v1/reconciliations/likely-persons"
_CANDIDATE = "/admin/v1/reconciliations/candidates/{candidate_id}"
_RULES = "/admin/v1/reconciliations/acceptance-rules"
_RULE = _RULES + "/{rule_id}"
_READERS: tuple[Role, ...] = ("operator", "auditor", "approver")
_MOST = 200

_Id = Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])]
_Reason = Annotated[
    str, Field(min_length=1, max_length=500, description="Why, for the audit log. Names no person.")
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ReasonToDecide(_Form):
    """Why it is decided so."""

    reason: _Reason


class NewAcceptanceRule(_Form):
    """Accept whom the model would accept, if at least so probable and with so many traits that agree."""

    least_probability: Annotated[float, Field(ge=LEAST_PROBABILITY, le=1, examples=[0.99])]
    least_agreeing: Annotated[int, Field(ge=LEAST_AGREEING, le=MOST_AGREEING, examples=[5])]
    reason: _Reason


class Words(BaseModel):
    """The same in both languages."""

    id: str
    en: str


class ReasonOut(BaseModel):
    """One step of a candidate's weight: what was compared, how alike it was, and what that is worth in bits.

    `tells` is whom the trait tells apart: a person, or only a household. Positive bits speak for it.
    """

    trait: Words
    words: Words
    bits: float
    tells: Literal["person", "household"] | None


class CandidateOut(BaseModel):
    """A record of the population register that the person may be. `proposal` is the model's."""

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


class AcceptanceRuleOut(BaseModel):
    """A rule: `set` until somebody else approves it, then `active`, until it is `ended`."""

    id: UUID
    least_probability: float
    least_agreeing: int
    state: Literal["set", "active", "ended"]
    set_at: datetime
    set_by: str
    reason: str
    approved_at: datetime | None
    approved_by: str | None
    ended_at: datetime | None
    ended_by: str | None


class AcceptanceRuleList(BaseModel):
    """Every rule there was, the newest first."""

    rules: list[AcceptanceRuleOut]


MEMBER_NAMES = frozenset(
    {*NewAcceptanceRule.model_fields, "person_id", "candidate_id", "rule_id", "region", "after", "limit"}
)


def likely_person_router(likely: LikelyPersons, rules: AcceptanceRules, check: StaffCheck) -> APIRouter:
    """The routes for likely persons and acceptance rules. They block, in FastAPI's threads."""
    router = APIRouter(tags=["reconciliations"])
    _reading_routes(router, likely, check)
    _deciding_routes(router, likely, check)
    _rule_routes(router, rules, check)
    return router


def _read(*statuses: int) -> dict[str, Any]:
    return {
        "responses": problems(401, 403, 422, *statuses),
        "openapi_extra": STAFF_ONLY,
        "description": needs(_READERS),
    }


def _in_person(role: Role, *statuses: int, more: str = "") -> dict[str, Any]:
    return {
        "responses": problems(400, 401, 403, 415, 422, *statuses),
        "openapi_extra": IN_PERSON_ONLY,
        "description": f"{needs([role])} In person{more}.",
    }


def _reading_routes(router: APIRouter, likely: LikelyPersons, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*_READERS))

    @router.get(_LIKELY, **_read())
    def list_likely_persons(
        _staff: Annotated[Staff, reader],
        region: Annotated[
            str | None, Query(pattern=r"^(\d{2}\.\d{2}|-)$", description="A regency.", examples=["35.78"])
        ] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> ReviewQueue:
        """People about whom somebody has to decide, page by page."""
        waiting = likely.queue(limit, region, after)
        return ReviewQueue(
            people=[PersonToReview.model_validate(one, from_attributes=True) for one in waiting],
            next=waiting[-1].person_id if len(waiting) == limit else None,
        )

    @router.get(_LIKELY + "/{person_id}", **_read(404))
    def get_likely_persons(person_id: _Id, _staff: Annotated[Staff, reader]) -> CandidatesOfPerson:
        """One person's candidates with the reasons of each."""
        found = likely.of_person(person_id)
        return CandidatesOfPerson(
            person_id=person_id,
            region=found[0].region,
            candidates=[_candidate(one) for one in found],
        )


def _deciding_routes(router: APIRouter, likely: LikelyPersons, check: StaffCheck) -> None:
    operator = Depends(check.requiring("operator"))
    in_person = Depends(check.in_person())

    @router.post(_CANDIDATE + "/accept", **_in_person("operator", 404, 409))
    def accept_likely_person(
        candidate_id: _Id,
        form: ReasonToDecide,
        _session: Annotated[Session, in_person],
        staff: Annotated[Staff, operator],
    ) -> CandidateOut:
        """Give the person this candidate's NIK; the next run says what follows from it."""
        return _candidate(likely.accept(staff, candidate_id, form.reason))

    @router.post(_CANDIDATE + "/refuse", **_in_person("operator", 404, 409))
    def refuse_likely_person(
        candidate_id: _Id,
        form: ReasonToDecide,
        _session: Annotated[Session, in_person],
        staff: Annotated[Staff, operator],
    ) -> CandidateOut:
        """Say that this is somebody else: nobody is asked about the two again."""
        return _candidate(likely.refuse(staff, candidate_id, form.reason))


def _rule_routes(router: APIRouter, rules: AcceptanceRules, check: StaffCheck) -> None:
    in_person = Depends(check.in_person())

    @router.get(_RULES, **_read())
    def list_acceptance_rules(
        _staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
    ) -> AcceptanceRuleList:
        """Every rule there was."""
        return AcceptanceRuleList(rules=[_rule(one) for one in rules.all()])

    @router.post(_RULES, status_code=201, **_in_person("operator"))
    def set_acceptance_rule(
        form: NewAcceptanceRule,
        _session: Annotated[Session, in_person],
        staff: Annotated[Staff, Depends(check.requiring("operator"))],
    ) -> AcceptanceRuleOut:
        """Propose a rule. Somebody else has to approve it."""
        return _rule(rules.set(staff, form.least_probability, form.least_agreeing, form.reason))

    @router.post(
        _RULE + "/approve", **_in_person("approver", 404, 409, more=", by somebody else than who set it")
    )
    def approve_acceptance_rule(
        rule_id: _Id,
        form: ReasonToDecide,
        _session: Annotated[Session, in_person],
        staff: Annotated[Staff, Depends(check.requiring("approver"))],
    ) -> AcceptanceRuleOut:
        """Put a rule in force, in place of the one before, from the end of the next run on."""
        return _rule(rules.approve(staff, rule_id, form.reason))

    @router.post(_RULE + "/end", **_in_person("operator", 404, 409))
    def end_acceptance_rule(
        rule_id: _Id,
        form: ReasonToDecide,
        _session: Annotated[Session, in_person],
        staff: Annotated[Staff, Depends(check.requiring("operator"))],
    ) -> AcceptanceRuleOut:
        """End a rule: everybody waits for a person to decide again."""
        return _rule(rules.end(staff, rule_id, form.reason))


def _candidate(one: Candidate) -> CandidateOut:
    return CandidateOut.model_validate(one, from_attributes=True)


def _rule(one: AcceptanceRule) -> AcceptanceRuleOut:
    return AcceptanceRuleOut.model_validate(one, from_attributes=True)
