"""The gateway without evidence: a log that keeps nothing stands in for the real one.

`uvicorn --factory tests.benchmarks.anchors.unlogged:app`. It exists here alone, to see what the log costs; it
is no setting of the product.
"""

from __future__ import annotations

import copy
from dataclasses import replace

from starlette.types import ASGIApp

from gateway.app import build_app, build_services
from gateway.audit.entry import Entry, Sealed
from gateway.audit.log import AuditLog
from gateway.settings import load_settings

BLIND = b"b" * 32


class NoLog(AuditLog):
    """Seals an entry and forgets it."""

    async def append(self, entry: Entry) -> Sealed:
        return entry.seal(BLIND)


def app() -> ASGIApp:
    services = build_services(load_settings())
    exchange = copy.copy(services.exchange)
    if not isinstance(exchange._audit, AuditLog):
        raise TypeError("the exchange keeps its log elsewhere: this would measure nothing")
    exchange._audit = NoLog(services.database)
    return build_app(replace(services, exchange=exchange))
