"""`.../versions/{n}/preview` and `/impact`: a version of a policy is tried before it counts."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query

from gateway.agreements.lifecycle import Kind
from gateway.agreements.replay import MOST_DAYS
from gateway.agreements.store import PolicyStore
from gateway.agreements.trials import Trials
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.admin.trying_forms import (
    ImpactOut,
    PersonaList,
    PersonaOut,
    PreviewForm,
    PreviewOut,
    impact_out,
    preview_out,
)
from gateway.registry.personas import PERSONAS
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff

_VERSION = "/admin/v1/policies/{kind}/{name}/versions/{number}"
_Name = Annotated[str, Path(min_length=1, max_length=80, examples=["bpjs-pbi-jk"])]
_Number = Annotated[int, Path(ge=1, le=9999, examples=[4])]
_Days = Annotated[
    int, Query(ge=1, le=MOST_DAYS, description="How many civil days (WIB), today's among them.", examples=[7])
]


def trying_router(trials: Trials, store: PolicyStore, check: StaffCheck) -> APIRouter:
    """The routes by which staff see what a version would change, for one person and for real traffic."""
    router = APIRouter(tags=["policies"])

    @router.get("/admin/v1/personas", responses=problems(401, 403), openapi_extra=STAFF_ONLY)
    def list_personas(_staff: Annotated[Staff, Depends(check.requiring(*ROLES))]) -> PersonaList:
        """The invented people on whom a version can be tried."""
        return PersonaList(
            personas=[PersonaOut(key=one.key, name=one.said["Nama"], shows=one.shows) for one in PERSONAS]
        )

    @router.post(
        f"{_VERSION}/preview",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(ROLES)} Real people are found only with a `reason`, which needs the role "
        "auditor or approver and is written to the audit log first. No limit is spent, nobody is answered.",
    )
    async def preview(
        kind: Kind,
        name: _Name,
        number: _Number,
        form: PreviewForm,
        staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
    ) -> PreviewOut:
        """One person, one question: under this version, and under the policies in force."""
        version = await anyio.to_thread.run_sync(store.get, kind, name, number)
        return preview_out(await trials.preview(version, form.tried, staff))

    @router.post(
        f"{_VERSION}/impact",
        responses=problems(401, 403, 404, 409, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(ROLES)} The log holds no values, so that what is told is which questions would "
        "be refused, and which fields would appear, vanish or change.",
    )
    def impact(
        kind: Kind,
        name: _Name,
        number: _Number,
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
        days: _Days = 7,
    ) -> ImpactOut:
        """What this version would have changed for the questions of the last days."""
        return impact_out(trials.replay(store.get(kind, name, number), days))

    return router
