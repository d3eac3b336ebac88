"""`/health/live`, `/health/ready` and `/metrics`: public, and therefore without any personal value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway.telemetry import Telemetry

Check = Callable[[], Awaitable[None]]
_CHECK_TIMEOUT_S = 3


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["live"]


class Readiness(BaseModel):
    """Whether exchanges can be answered, and what stands in the way."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]
    # Outside sources stand in nobody's way: without one, its fields are unknown.
    sources: dict[str, str]


def health_router(
    checks: Mapping[str, Check], sources: Callable[[], Mapping[str, str]], telemetry: Telemetry
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
        good = all(result == "ok" for result in results.values())
        response.status_code = 200 if good else 503
        return Readiness(status="ready" if good else "not_ready", checks=results, sources=dict(sources()))

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters in Prometheus text format."""
        body, media_type = telemetry.metrics()
        return Response(body, headers={"Content-Type": media_type})

    return router


async def _outcome(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), _CHECK_TIMEOUT_S)
    except TimeoutError:
        return f"no answer within {_CHECK_TIMEOUT_S} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        return type(error).__name__
    return "ok"
