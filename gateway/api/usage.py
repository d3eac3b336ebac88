"""`GET /v1/usage`: how much may I still ask, and has anything looked odd."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from gateway.agreements.live import LivePolicies
from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.exchanges import PROBLEMS
from gateway.api.rate_limit import USAGE_PATH, header_fields
from gateway.civil_day import civil_day
from gateway.limits.alarms import Alarm
from gateway.limits.budget import Meter, Use, meters
from gateway.limits.ledger import LimitLedger
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from policies.agreement import Agreement, Standing


class LimitOut(BaseModel):
    """One limit of an agreement, over all credentials of its consumer."""

    limit: int
    unit: Literal["requests", "subjects", "people"] = Field(
        description="`subjects` counts every person of every request; `people` those not asked about within "
        "30 days."
    )
    window_s: int = Field(description="60 is a calendar minute, 86400 a civil day of Indonesia (WIB).")
    left: int
    resets_in_s: int


class AlarmOut(BaseModel):
    """What today's questions looked like. At `refusal`, what would carry it on is refused for the day."""

    pattern: Literal["new_people", "neighbouring_serials", "consecutive_birth_dates", "unknown_people"]
    level: Literal["alarm", "refusal"]
    since: datetime


class AgreementUse(BaseModel):
    """How one agreement was used today."""

    id: str
    purpose: str
    limits: dict[Literal["requests_per_minute", "subjects_per_day", "new_people_per_day"], LimitOut]
    requests: int = Field(
        description="Every request that was counted today: well-formed and covered by this agreement, "
        "whether answered or refused by a limit. One that is malformed (422) or not covered (403) is not "
        "among them."
    )
    refused: int = Field(
        description="Those of `requests` that a limit, or a suspicion of enumeration, refused (429). They "
        "spend no subjects and no new people."
    )
    subjects: int = Field(description="People of all requests that were not refused, each time they came.")
    new_people: int = Field(description="Of those, people not asked about within 30 days before.")
    alarms: list[AlarmOut]


class OwnUse(AgreementUse):
    """How one of your agreements was used today, and whether it may be used at all."""

    standing: Standing = Field(
        description="As of today (WIB). Only an `active` agreement answers, whatever is `left` of its limits."
    )


class Usage(BaseModel):
    """The use of every agreement of the consumer that asks, on one civil day (WIB)."""

    consumer: str
    day: date
    agreements: list[OwnUse]


def usage_router(
    policies: LivePolicies, bearer: BearerCheck, limits: LimitLedger, clock: Callable[[], datetime]
) -> APIRouter:
    """The route by which a consumer reads its own use, and nobody else's."""
    router = APIRouter(tags=["agreements"])

    @router.get(
        USAGE_PATH,
        responses={status: PROBLEMS[status] for status in (401, 403, 503)},
        openapi_extra=CONSUMER_ONLY,
    )
    async def usage(
        request: Request, consumer: Annotated[Consumer, Depends(bearer.requiring(None))]
    ) -> Usage:
        """How much of each limit is used and left today, over all your credentials. Asking costs nothing.

        The header fields tell of the agreements that are active.
        """
        own = (await policies.at(request.state.policy_epoch)).agreements_of(consumer.id)
        ids, now = [agreement.id for agreement in own], clock()
        day = civil_day(now)
        used = await anyio.to_thread.run_sync(limits.use, ids, day)
        alarms = await anyio.to_thread.run_sync(limits.alarms.since, ids, day)
        left = {one.id: meters(used.get(one.id, Use()), one.limits, now) for one in own}
        request.state.rate_limit = header_fields(
            [(one.id, left[one.id]) for one in own if one.standing(day) == "active"]
        )
        shown = [use_of(one, used.get(one.id, Use()), left[one.id], alarms) for one in own]
        return Usage(
            consumer=consumer.id,
            day=day,
            agreements=[
                OwnUse(**dict(use), standing=one.standing(day)) for one, use in zip(own, shown, strict=True)
            ],
        )

    return router


def use_of(agreement: Agreement, use: Use, left: Sequence[Meter], alarms: Sequence[Alarm]) -> AgreementUse:
    """The use of one agreement as it is shown, with those of the alarms that are its own."""
    return AgreementUse(
        id=agreement.id,
        purpose=agreement.purpose,
        limits={
            meter.name: LimitOut(
                limit=meter.limit,
                unit=meter.unit,
                window_s=meter.window_s,
                left=meter.left,
                resets_in_s=meter.resets_in_s,
            )
            for meter in left
        },
        requests=use.requests,
        refused=use.refused,
        subjects=use.subjects,
        new_people=use.new_people,
        alarms=[
            AlarmOut(pattern=alarm.pattern.value, level=alarm.level.value, since=alarm.at)
            for alarm in alarms
            if alarm.agreement_id == agreement.id
        ],
    )
