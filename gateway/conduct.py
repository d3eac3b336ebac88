"""What holds for every request, whatever it asks: opened once, laid around the application once.

Maintenance, keys of repeated requests, what is deprecated, and how the process leaves. No logic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.api import deprecation, idempotency
from gateway.api.maintenance import MaintenanceGate
from gateway.database import Database
from gateway.draining import Draining, LastAnswers
from gateway.idempotency.attempt import Replayed
from gateway.idempotency.store import UsedKeys
from gateway.keys import Keys
from gateway.maintenance.orders import Orders
from gateway.maintenance.standing import Standing
from gateway.settings import Settings
from gateway.staff.acts import record_in_audit_log
from gateway.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Conduct:
    """The parts, one of each per process."""

    orders: Orders
    maintenance: Standing
    used_keys: UsedKeys
    draining: Draining
    secret: bytes
    clock: Callable[[], datetime]

    def with_keys(self, inner: ASGIApp, framework: FastAPI) -> ASGIApp:
        """The application that does what is asked once for a key; `framework` gives stored answers again."""
        framework.add_exception_handler(Replayed, idempotency.replay)
        return idempotency.Idempotency(inner, self.used_keys, self.secret)

    def before(self, inner: ASGIApp) -> ASGIApp:
        """The application behind what needs to know nothing of a caller."""
        told = deprecation.told(inner, deprecation.DEPRECATED)
        return LastAnswers(MaintenanceGate(told, self.maintenance, self.clock), self.draining)


def open_conduct(
    settings: Settings, database: Database, keys: Keys, telemetry: Telemetry, clock: Callable[[], datetime]
) -> Conduct:
    """Wire the parts, and look once whether the gateway is closed: a process MUST NOT open what is."""

    def tell(*, closed: bool, until: datetime | None) -> None:
        if closed:
            said = None if until is None else until.isoformat(timespec="seconds")
            telemetry.event("maintenance:begun", level="warning", until=said)
        else:
            telemetry.event("maintenance:ended")

    orders = Orders(database, record_in_audit_log, clock)
    standing = Standing(orders, settings.home, clock, tell)
    standing.renew()
    return Conduct(
        orders,
        standing,
        UsedKeys(database, clock),
        Draining(settings.drain_s),
        keys.derive("idempotency keys"),
        clock,
    )
