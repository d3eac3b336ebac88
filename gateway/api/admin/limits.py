"""`/admin/v1/limits`: how much every agreement used today, and whose questions look like a walk."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.usage import AgreementUse, use_of
from gateway.civil_day import civil_day
from gateway.errors import NotFound
from gateway.limits.budget import Use, meters
from gateway.limits.ledger import LimitLedger
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff
from policies.agreement import Agreement

_MOST_PER_PAGE = 200
_MAY_PARDON: tuple[Role, ...] = ("operator", "approver")


class UseOfAgreement(AgreementUse):
    """How one agreement was used today. `pardoned`: somebody looked, no pattern refuses any more today."""

    consumer: str
    pardoned: bool


class LimitsOut(BaseModel):
    """The use of agreements on one civil day (WIB), page by page, those with an alarm first."""

    day: date
    agreements: list[UseOfAgreement]
    total: int = Field(description="Of all pages.", examples=[9])


class PardonForm(BaseModel):
    """Why the questions of today are in order."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="For the audit log. Names no person.",
            examples=["Verifikasi lapangan per RT, ND-17/DINSOS/2026"],
        ),
    ]


def limits_router(
    store: PolicyStore, limits: LimitLedger, check: StaffCheck, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes by which staff watch the limits and let a suspected walk through. Both block."""
    router = APIRouter(tags=["limits"])

    @router.get(
        "/admin/v1/limits",
        responses=problems(401, 403),
        openapi_extra=STAFF_ONLY,
        description=needs(ROLES),
    )
    def list_use(
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
        per_page: Annotated[int, Query(ge=1, le=_MOST_PER_PAGE)] = 50,
    ) -> LimitsOut:
        """What every agreement used of its limits today, and its alarms."""
        now, ids = clock(), store.agreements()
        day = civil_day(now)
        alarmed = {alarm.agreement_id for alarm in limits.alarms.since(ids, day)}
        first = sorted(ids, key=lambda one: (one not in alarmed, one))
        shown = store.book_of(*first[(page - 1) * per_page : page * per_page]).agreements
        return LimitsOut(day=day, agreements=uses_now(shown, limits, now), total=len(ids))

    @router.post(
        "/admin/v1/limits/{agreement_id}/pardon",
        status_code=204,
        responses=problems(401, 403, 404, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(_MAY_PARDON)} The limits themselves hold, and alarms are raised all the same.",
    )
    def pardon(
        agreement_id: str,
        form: PardonForm,
        staff: Annotated[Staff, Depends(check.requiring(*_MAY_PARDON))],
    ) -> None:
        """Refuse nothing more of this agreement for a suspicion today."""
        if not store.book_of(agreement_id).agreements:
            raise NotFound("There is no agreement of this id: see GET /admin/v1/limits.")
        limits.pardon(agreement_id, actor=staff.actor, reason=form.reason)

    return router


def uses_now(agreements: Sequence[Agreement], limits: LimitLedger, now: datetime) -> list[UseOfAgreement]:
    """What these agreements used of their limits today, those with an alarm first. Blocks."""
    ids, day = [one.id for one in agreements], civil_day(now)
    used = limits.use(ids, day)
    alarms = limits.alarms.since(ids, day)
    shown = []
    for one in agreements:
        use = used.get(one.id, Use())
        told = use_of(one, use, meters(use, one.limits, now), alarms)
        shown.append(UseOfAgreement(**dict(told), consumer=one.consumer, pardoned=use.pardoned))
    return sorted(shown, key=lambda use: (not use.alarms, use.id))
