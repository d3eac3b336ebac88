"""`POST /admin/v1/explain`: why did this consumer not get that field, long after, from the log."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.explanation import Because
from gateway.agreements.past import Explanations
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.admin.trying_forms import both
from gateway.api.exchanges import AgreementOut, BothLanguages
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff

_MAY_ASK: tuple[Role, ...] = ("auditor", "operator")


class ExplainForm(BaseModel):
    """Which field of which exchange."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    exchange_id: Annotated[UUID, Field(examples=["6f1e0f0e-30c0-4c0b-9a8a-2f4f4a5f0d11"])]
    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["full_name"])]


class ReasonOut(BaseModel):
    """One reason; `people` is for how many of the exchange it holds, null for all or untold."""

    code: str = Field(examples=["not_in_agreement"])
    people: int | None
    what: BothLanguages
    ask_for: BothLanguages | None


class ExplanationOut(BaseModel):
    """What became of the field, by the agreement's version of then. The first reason weighs most."""

    exchange_id: UUID
    at: datetime
    consumer: str
    agreement: AgreementOut | None
    field: str
    reasons: list[ReasonOut]


def reason_out(reason: Because) -> ReasonOut:
    """A reason as the wire carries it."""
    return ReasonOut(
        code=reason.code,
        people=reason.people,
        what=both(reason.what),
        ask_for=both(reason.ask_for) if reason.ask_for is not None else None,
    )


def explain_router(explanations: Explanations, check: StaffCheck) -> APIRouter:
    """The route by which staff answer a consumer's question about an earlier exchange."""
    router = APIRouter(tags=["policies"])

    @router.post(
        "/admin/v1/explain",
        responses=problems(401, 403, 404, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(_MAY_ASK)} The log holds no values: it says in which form a field left.",
    )
    def explain(
        form: ExplainForm, _staff: Annotated[Staff, Depends(check.requiring(*_MAY_ASK))]
    ) -> ExplanationOut:
        """Why a field of an exchange did not reach its consumer, or in which form it did."""
        told = explanations(form.exchange_id, form.field)
        return ExplanationOut(
            exchange_id=told.exchange_id,
            at=told.at,
            consumer=told.consumer,
            agreement=AgreementOut(**told.agreement) if told.agreement is not None else None,
            field=told.field,
            reasons=[reason_out(reason) for reason in told.reasons],
        )

    return router
