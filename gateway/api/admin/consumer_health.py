"""How consumers fare: `/admin/v1/consumer-health` for a page of them, and of one its exchanges and limits."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.live import LivePolicies
from gateway.api.admin.consumer_forms import CONSUMER_ID, ConsumerId
from gateway.api.admin.documentation import staff_route
from gateway.api.admin.limits import UseOfAgreement, uses_now
from gateway.api.admin.overview import ShareOut
from gateway.civil_day import civil_day
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import ConsumerStore
from gateway.overview.consumers import Health
from gateway.overview.counting import Outcome
from gateway.overview.opening import Overview
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.agreement import AgreementBook

_ONE = "/admin/v1/consumers/{consumer_id}"
_MOST_IDS = 200
_MOST_EXCHANGES = 100
MEMBER_NAMES = frozenset({"id", "before", "limit"})
_Id = Annotated[str, Field(pattern=CONSUMER_ID)]


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FullestOut(BaseModel):
    """Of all limits of a consumer's agreements the one with the smallest share left today."""

    agreement_id: str
    limit_name: str
    limit: int
    left: int
    used: float = Field(description="From 0 to 1.")


class HealthOut(BaseModel):
    """How one consumer fares. Moments are UTC."""

    id: str
    last_exchange_at: datetime | None
    share: ShareOut | None = Field(description="Of the last 30 days; null where it asked nothing.")
    good_keys: int
    waiting_keys: int
    key_ends_at: datetime | None = Field(
        description="When its last good key ends; null where one has no end, or none is good."
    )
    agreements: int = Field(description="Agreements in force today (WIB).")
    fullest: FullestOut | None


class HealthList(BaseModel):
    """How consumers fare, in the order asked for."""

    consumers: list[HealthOut]


class NamedAgreement(_Out):
    """The agreement of an exchange, as its entry names it."""

    id: str
    version: int


class ExchangeOfConsumer(_Out):
    """One exchange as the log tells it, in counts."""

    exchange_id: UUID
    at: datetime
    operation: str
    purpose: str | None
    agreement: NamedAgreement | None
    outcome: Outcome
    reason: str | None
    people: int
    decisions: dict[str, int]
    sandbox: bool


class ExchangesOfConsumer(BaseModel):
    """The newest exchanges of a consumer; `next` is the `before` of the older page."""

    exchanges: list[ExchangeOfConsumer]
    next: UUID | None


class ConsumerLimits(BaseModel):
    """What the agreements of one consumer used today (WIB)."""

    day: date
    agreements: list[UseOfAgreement]


def consumer_health_router(
    overview: Overview,
    consumers: ConsumerStore,
    policies: LivePolicies,
    limits: LimitLedger,
    check: StaffCheck,
) -> APIRouter:
    """The routes by which staff see how consumers fare."""
    router = APIRouter(tags=["consumers"])
    reader = Depends(check.requiring(*ROLES))
    book = _book_now(overview, policies)

    @staff_route(router, "GET", "/admin/v1/consumer-health", ROLES, 422)
    async def list_consumer_health(
        _staff: Annotated[Staff, reader],
        ids: Annotated[
            list[_Id],
            Query(alias="id", min_length=1, max_length=_MOST_IDS, description="Of which consumers."),
        ],
    ) -> HealthList:
        """Last exchange, how the last 30 days ended, keys that end, agreements in force, limits used."""
        healths = await asyncio.to_thread(overview.consumers.health, ids, await book())
        return HealthList(consumers=[_health(one) for one in healths])

    @staff_route(router, "GET", _ONE + "/exchanges", ROLES, 404, 422)
    def list_exchanges(
        consumer_id: ConsumerId,
        _staff: Annotated[Staff, reader],
        before: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_EXCHANGES)] = 20,
    ) -> ExchangesOfConsumer:
        """The newest exchanges of one consumer, the newest first."""
        consumers.get(consumer_id)
        seen = overview.consumers.exchanges(consumer_id, limit, before)
        return ExchangesOfConsumer(
            exchanges=[ExchangeOfConsumer.model_validate(one) for one in seen],
            next=seen[-1].exchange_id if len(seen) == limit else None,
        )

    @staff_route(router, "GET", _ONE + "/limits", ROLES, 404, 422)
    async def list_consumer_limits(
        consumer_id: ConsumerId, _staff: Annotated[Staff, reader]
    ) -> ConsumerLimits:
        """What the agreements of one consumer used of their limits today, and their alarms."""
        await asyncio.to_thread(consumers.get, consumer_id)
        now = overview.clock()
        day = civil_day(now)
        own = [one for one in (await book()).agreements_of(consumer_id) if one.standing(day) == "active"]
        return ConsumerLimits(day=day, agreements=await asyncio.to_thread(uses_now, own, limits, now))

    return router


def _book_now(overview: Overview, policies: LivePolicies) -> Callable[[], Awaitable[AgreementBook]]:
    """What counts now: an act of staff is seen at once, as consumers see it."""

    async def book() -> AgreementBook:
        return await policies.at(await asyncio.to_thread(overview.policy_epoch))

    return book


def _health(one: Health) -> HealthOut:
    meter = one.fullest.meter if one.fullest else None
    return HealthOut(
        id=one.id,
        last_exchange_at=one.last_exchange_at,
        share=ShareOut.model_validate(one.share) if one.share else None,
        good_keys=one.good_keys,
        waiting_keys=one.waiting_keys,
        key_ends_at=one.key_ends_at,
        agreements=one.agreements,
        fullest=FullestOut(
            agreement_id=one.fullest.agreement_id,
            limit_name=meter.name,
            limit=meter.limit,
            left=meter.left,
            used=one.fullest.used,
        )
        if one.fullest and meter
        else None,
    )
