"""`/health/live`, `/health/ready` and `/metrics`: public, and therefore without any personal value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway.maintenance.standing import Standing
from gateway.maintenance.window import Window
from gateway.telemetry import Telemetry
from gateway.vitals.looking import Vitals

Check = Callable[[], Awaitable[None]]
_CHECK_TIMEOUT_S = 3
# The check that fails once the process is about to leave; maintenance makes it no more welcome.
STAYING = "staying"


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["live"]


class MaintenanceTold(BaseModel):
    """A window that is announced or has begun."""

    begins_at: datetime
    until: datetime | None


class Readiness(BaseModel):
    """Whether exchanges can be answered, and what stands in the way."""

    # During maintenance a process is given requests too: it tells partners until when.
    status: Literal["ready", "not_ready", "maintenance"]
    checks: dict[str, str]
    maintenance: MaintenanceTold | None = None
    # Outside sources stand in nobody's way: without one, its fields are unknown.
    sources: dict[str, str]


def health_router(
    checks: Mapping[str, Check],
    sources: Callable[[], Mapping[str, str]],
    telemetry: Telemetry,
    vitals: Vitals,
    maintenance: Standing,
) -> APIRouter:
    """The public routes of operation. A check passes by returning and fails by raising.

    `sources` says in a word or two how each outside source fares.
    """
    router = APIRouter(tags=["operation"])

    @router.get("/health/live", response_model=Liveness)
    async def live() -> Liveness:
        """The process is up; says nothing about what it depends on."""
        return Liveness(status="live")

    @router.get(
        "/health/ready",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Not ready."}},
    )
    async def ready(response: Response) -> Readiness:
        """Everything an exchange needs can be reached."""
        results = {name: await _outcome(check) for name, check in checks.items()}
        status: Literal["ready", "not_ready", "maintenance"] = "ready"
        if maintenance.in_force is not None and results.get(STAYING) == "ok":
            status = "maintenance"
        elif any(result != "ok" for result in results.values()):
            status = "not_ready"
            response.status_code = 503
        return Readiness(
            status=status, checks=results, maintenance=_told(maintenance.window), sources=dict(sources())
        )

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """What was counted and what is looked up, in Prometheus' text format."""
        body, media_type = telemetry.metrics(await vitals())
        return Response(body, headers={"Content-Type": media_type})

    return router


def _told(window: Window | None) -> MaintenanceTold | None:
    return None if window is None else MaintenanceTold(begins_at=window.begins_at, until=window.until)


async def _outcome(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
    except TimeoutError:
        return f"no answer within {_CHECK_TIMEOUT_S} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        return type(error).__name__
    return "ok"
