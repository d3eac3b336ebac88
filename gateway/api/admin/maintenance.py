"""`/admin/v1/maintenance`: a window of maintenance ordered, announced ahead, and ended."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import staff_route
from gateway.api.maintenance import ADMIN_PATH
from gateway.maintenance.orders import Orders
from gateway.maintenance.standing import Standing
from gateway.maintenance.window import LONGEST, Window
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff

_ACTORS: tuple[Role, ...] = ("operator",)
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log. Partners are not told. Names no person.",
        examples=["CR-118: PostgreSQL 15.14"],
    ),
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewMaintenance(_Form):
    """A window of maintenance, in place of the one that stands."""

    begins_at: AwareDatetime | None = Field(
        None,
        description="With its zone. Left out: now. A later moment is announced until then.",
        examples=["2031-12-01T00:00:00+07:00"],
    )
    until: AwareDatetime = Field(
        description=f"What partners are told, {LONGEST.days} days ahead at most. Maintenance lasts until it "
        "is ended, not until then.",
        examples=["2031-12-01T02:00:00+07:00"],
    )
    reason: _Reason


class MaintenanceEnd(_Form):
    """Why it ends."""

    reason: _Reason


class MaintenanceOut(BaseModel):
    """The window that stands. `by_file`: this node was closed by the file in its home folder."""

    state: Literal["open", "announced", "closed"]
    begins_at: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    ordered_by: Annotated[str | None, Field(examples=["budi", "file"])] = None

    @classmethod
    def of(cls, window: Window | None, now: datetime) -> Self:
        """A window at a moment."""
        if window is None:
            return cls(state="open")
        return cls(
            state="closed" if window.in_force(now) else "announced",
            begins_at=window.begins_at,
            until=window.until,
            reason=window.reason,
            ordered_by=window.ordered_by,
        )


# A problem's pointer repeats no other names.
MEMBER_NAMES = frozenset({*NewMaintenance.model_fields})


def maintenance_router(
    orders: Orders, standing: Standing, check: StaffCheck, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes of maintenance. They block, in FastAPI's threads, and pass the gate that they close."""
    router = APIRouter(tags=["maintenance"])
    operator = Depends(check.requiring(*_ACTORS))

    @staff_route(router, "GET", ADMIN_PATH, ROLES)
    def get_maintenance(_staff: Annotated[Staff, Depends(check.requiring(*ROLES))]) -> MaintenanceOut:
        """Whether the gateway is open, closed for maintenance, or announced to be; as this node knows it."""
        standing.renew()
        return MaintenanceOut.of(standing.window, clock())

    @staff_route(router, "PUT", ADMIN_PATH, _ACTORS, 400, 415, 422)
    def order_maintenance(form: NewMaintenance, staff: Annotated[Staff, operator]) -> MaintenanceOut:
        """Close the gateway to exchanges and changes, now or from a moment on, on all nodes within seconds.

        Every answer carries the window as `Gapura-Maintenance` from now on. While it lasts consumers get a
        503 with `until` and `Retry-After`; staff can read.
        """
        window = orders.order(staff, begins_at=form.begins_at, until=form.until, reason=form.reason)
        standing.renew()
        return MaintenanceOut.of(window, clock())

    @staff_route(router, "POST", f"{ADMIN_PATH}/end", _ACTORS, 409, 415, 422)
    def end_maintenance(form: MaintenanceEnd, staff: Annotated[Staff, operator]) -> MaintenanceOut:
        """Open the gateway again, or take the announcement back. A node closed by its file stays closed."""
        orders.end(staff, form.reason)
        standing.renew()
        return MaintenanceOut.of(standing.window, clock())

    return router
