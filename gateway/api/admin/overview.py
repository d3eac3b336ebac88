"""`/admin/v1/overview`: what needs somebody, and traffic and decisions of a day or a month."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import staff_route
from gateway.overview.counting import Grain
from gateway.overview.needs import MOST_COUNTED, MOST_NAMED, Kind
from gateway.overview.opening import Overview
from gateway.overview.traffic import MOST_CONSUMERS, Range, Share, Traffic
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff

_PATH = "/admin/v1/overview"
MEMBER_NAMES = frozenset({"range"})


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class NamedOut(_Out):
    """One of what is counted. `at` (UTC) is by when it should be dealt with, or since when it waits."""

    id: str = Field(examples=["agreement/bpjs-pbi-jk/2"])
    name: str
    at: datetime | None
    detail: str


class NeedOut(_Out):
    """So many of one kind; `soonest` (UTC) is by when the first should be dealt with."""

    kind: Kind
    count: int = Field(description=f"{MOST_COUNTED} stands for as many or more.")
    yours: int | None = Field(
        description="Those that you may settle yourself; null where it takes no second person."
    )
    soonest: datetime | None
    named: list[NamedOut] = Field(description=f"The first {MOST_NAMED}.")


class OverviewOut(BaseModel):
    """What needs somebody now, as far as your roles let you know. Kinds that have nothing are left out."""

    at: datetime = Field(description="UTC.")
    needs: list[NeedOut]


class ShareOut(_Out):
    """Exchanges by how they ended, and the people of all their requests, each time they came."""

    exchanges: int
    people: int
    outcomes: dict[str, int] = Field(
        description="`answered` in full; `withheld`: answered, and the agreement withheld a field; "
        "`unknown`: answered, and a source was silent or somebody could not be judged; `refused` by the "
        "agreement or a limit; `unavailable`: refused because a source was down; `erased` under an order."
    )


class PartOut(_Out):
    """One hour or one civil day (WIB), from `starts_at` (UTC) on."""

    starts_at: datetime
    share: ShareOut
    decisions: dict[str, int]


class OfConsumer(BaseModel):
    """What one consumer did."""

    id: str
    name: str
    share: ShareOut


class OfOperation(BaseModel):
    """What one operation was asked."""

    operation: str
    share: ShareOut


class TrafficOut(BaseModel):
    """A day by the hour or a month by the day, the oldest part first; counted within seconds of the log."""

    range: Range
    grain: Grain
    total: ShareOut
    parts: list[PartOut]
    consumers: list[OfConsumer] = Field(description=f"The {MOST_CONSUMERS} with most exchanges.")
    other_consumers: ShareOut
    operations: list[OfOperation]
    decisions: dict[str, int] = Field(
        description="People by what was decided or found of them; the sandbox is left out."
    )


def overview_router(overview: Overview, check: StaffCheck) -> APIRouter:
    """The routes of the first screen. They block, in FastAPI's threads."""
    router = APIRouter(tags=["overview"])
    reader = Depends(check.requiring(*ROLES))

    @staff_route(router, "GET", _PATH, ROLES)
    def get_overview(staff: Annotated[Staff, reader]) -> OverviewOut:
        """What waits for somebody, is about to end or has gone wrong, the most urgent kinds first."""
        needs = [NeedOut.model_validate(one) for one in overview.waiting(staff)]
        return OverviewOut(at=overview.clock(), needs=needs)

    @staff_route(router, "GET", _PATH + "/traffic", ROLES, 422)
    def get_traffic(
        _staff: Annotated[Staff, reader],
        span: Annotated[Range, Query(alias="range", description="By the hour, or by the day (WIB).")] = "24h",
    ) -> TrafficOut:
        """Exchanges and decisions over time, by outcome, by consumer and by operation."""
        return _traffic(span, overview.traffic(span))

    return router


def _traffic(span: Range, seen: Traffic) -> TrafficOut:
    return TrafficOut(
        range=span,
        grain=seen.grain,
        total=share_out(seen.total),
        parts=[PartOut.model_validate(part) for part in seen.parts],
        consumers=[
            OfConsumer(id=of, name=name, share=share_out(share)) for of, name, share in seen.consumers
        ],
        other_consumers=share_out(seen.other_consumers),
        operations=[OfOperation(operation=of, share=share_out(share)) for of, share in seen.operations],
        decisions=dict(seen.decisions),
    )


def share_out(share: Share | Mapping[str, Any]) -> ShareOut:
    """A share as it is shown."""
    return ShareOut.model_validate(share)
