"""`/admin/v1/reversals`: from pseudonyms back to people, by two people, for a basis that the law names."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
from gateway.pseudonyms.reversals import MOST_NAMES, Reversal, Reversals
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff
from gateway.staff.sessions import Session

_PATH = "/admin/v1/reversals"
_ONE = _PATH + "/{reversal_id}"
_ASKERS: tuple[Role, ...] = ("operator", "auditor")
_READERS: tuple[Role, ...] = ("operator", "auditor", "approver")

_Id = Annotated[
    str,
    Path(pattern=r"^[0-9a-f-]{36}$", examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"]),
]
_Pseudonyms = Annotated[
    list[Annotated[str, Field(max_length=256)]],
    Field(
        min_length=1,
        max_length=MOST_NAMES,
        description="Of one sector. They are not kept: bring them again, in this order, to perform it.",
    ),
]
_Reason = Annotated[
    str, Field(min_length=1, max_length=500, description="Why, for the audit log. Names no person.")
]
LegalBasis = Literal["court_order", "breach_notice", "subject_request", "vital_interest"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewReversal(_Form):
    """What is asked for: whose names, on which basis, by which order or letter."""

    sector: Annotated[str, Field(min_length=1, max_length=64, examples=["kesehatan"])]
    pseudonyms: _Pseudonyms
    legal_basis: LegalBasis
    reference: Annotated[
        str,
        Field(min_length=1, max_length=200, description="The number of the order or letter."),
    ]
    reason: _Reason


class SettledFor(_Form):
    """Why it is approved or refused."""

    reason: _Reason


class NamesAgain(_Form):
    """The pseudonyms that were asked for, in their order."""

    pseudonyms: _Pseudonyms


class ReversalOut(BaseModel):
    """A reversal as it stands; of its pseudonyms only the number is kept."""

    id: str
    sector: str
    names: int
    legal_basis: LegalBasis
    reference: str
    reason: str
    requested_by: str
    requested_at: datetime
    state: Literal["requested", "approved", "refused", "performed", "lapsed"]
    settled_by: str | None
    settled_at: datetime | None
    perform_until: datetime | None
    performed_at: datetime | None


class ReversalList(BaseModel):
    """Every reversal, newest first."""

    reversals: list[ReversalOut]


class PersonOut(BaseModel):
    """Who is behind one name; both null where it is none of the sector's, or its key is destroyed."""

    person_id: str | None
    nik: str | None


class PeopleOut(BaseModel):
    """The people, in the order of the pseudonyms, which are not repeated. Told this once."""

    people: list[PersonOut]


MEMBER_NAMES = frozenset({"sector", "pseudonyms", "legal_basis", "reference", "reason", "reversal_id"})


def reversal_router(reversals: Reversals, check: StaffCheck) -> APIRouter:
    """The routes by which two people undo pseudonyms."""
    router = APIRouter(tags=["reversals"])
    _reading_routes(router, reversals, check)
    _asking_routes(router, reversals, check)
    _settling_routes(router, reversals, check)
    return router


def _reading_routes(router: APIRouter, reversals: Reversals, check: StaffCheck) -> None:
    @router.get(_PATH, responses=problems(401, 403), openapi_extra=STAFF_ONLY, description=needs(_READERS))
    def list_reversals(_staff: Annotated[Staff, Depends(check.requiring(*_READERS))]) -> ReversalList:
        """Every reversal that was ever asked for."""
        return ReversalList(reversals=[_out(one) for one in reversals.list()])

    @router.get(
        _ONE,
        responses=problems(401, 403, 404, 422),
        openapi_extra=STAFF_ONLY,
        description=needs(_READERS),
    )
    def get_reversal(
        reversal_id: _Id, _staff: Annotated[Staff, Depends(check.requiring(*_READERS))]
    ) -> ReversalOut:
        """One reversal."""
        return _out(reversals.get(reversal_id))


def _asking_routes(router: APIRouter, reversals: Reversals, check: StaffCheck) -> None:
    @router.post(
        _PATH,
        status_code=201,
        responses=problems(400, 401, 403, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(_ASKERS)} In person.",
    )
    def request_reversal(
        form: NewReversal,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring(*_ASKERS))],
    ) -> ReversalOut:
        """Ask for the people behind pseudonyms. Somebody else has to approve it."""
        asked = reversals.request(
            staff,
            form.sector,
            form.pseudonyms,
            legal_basis=form.legal_basis,
            reference=form.reference,
            reason=form.reason,
        )
        return _out(asked)

    @router.post(
        _ONE + "/perform",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(_ASKERS)} In person, by whoever asked, within 24 hours of the approval, once.",
    )
    async def perform_reversal(
        reversal_id: _Id,
        form: NamesAgain,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring(*_ASKERS))],
    ) -> PeopleOut:
        """Learn who is behind the pseudonyms."""
        people = await reversals.perform(staff, reversal_id, form.pseudonyms)
        return PeopleOut(
            people=[
                PersonOut(person_id=str(one.person_id) if one.person_id else None, nik=one.nik)
                for one in people
            ]
        )


def _settling_routes(router: APIRouter, reversals: Reversals, check: StaffCheck) -> None:
    @router.post(
        _ONE + "/approve",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(['approver'])} In person, and by somebody else than who asked.",
    )
    def approve_reversal(
        reversal_id: _Id,
        form: SettledFor,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring("approver"))],
    ) -> ReversalOut:
        """Allow it: whoever asked may perform it within 24 hours."""
        return _out(reversals.approve(staff, reversal_id, form.reason))

    @router.post(
        _ONE + "/refuse",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(_READERS)} In person.",
    )
    def refuse_reversal(
        reversal_id: _Id,
        form: SettledFor,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
    ) -> ReversalOut:
        """End it, before it was performed; an approval is taken back so too."""
        return _out(reversals.refuse(staff, reversal_id, form.reason))


def _out(reversal: Reversal) -> ReversalOut:
    return ReversalOut.model_validate(reversal, from_attributes=True)
