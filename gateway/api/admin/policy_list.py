"""`GET /admin/v1/policies`: every agreement, rule and the dictionary, a page at a time."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from gateway.agreements.lifecycle import Kind, State
from gateway.agreements.listing import Order, Wanted
from gateway.agreements.store import PolicyStore
from gateway.api.admin.documentation import STAFF_ONLY, problems
from gateway.api.admin.policy_forms import PolicyList, PolicySummary, summary_out
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.agreement import Standing

MOST_PER_PAGE = 200
_Word = Annotated[str | None, Query(max_length=80)]


def add_list_route(router: APIRouter, store: PolicyStore, check: StaffCheck) -> None:
    """Add the route by which staff find a policy. It blocks, so FastAPI runs it in a thread."""

    @router.get("/admin/v1/policies", responses=problems(401, 403, 422), openapi_extra=STAFF_ONLY)
    def list_policies(
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
        kind: Kind | None = None,
        search: Annotated[
            str | None, Query(max_length=80, description="A part of the name, title or consumer's id.")
        ] = None,
        standing: State | Standing | None = None,
        consumer: _Word = None,
        purpose: _Word = None,
        open_state: Annotated[
            State | None, Query(description="Of the version being worked on: `submitted` waits for approval.")
        ] = None,
        ends_by: Annotated[date | None, Query(description="Whose last day is not after this one.")] = None,
        order: Order = "name",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
        per_page: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = 50,
    ) -> PolicyList:
        """Policies: what is in force, how it stands today, and what is being worked on."""
        wanted = Wanted(
            kind=kind,
            search=search.strip() if search else None,
            standing=standing,
            consumer=consumer,
            purpose=purpose,
            open_state=open_state,
            ends_by=ends_by,
            order=order,
        )
        found, total = store.listed(wanted, page, per_page)
        policies = [PolicySummary(**summary_out(one)) for one in found]
        return PolicyList(policies=policies, page=page, per_page=per_page, total=total)
