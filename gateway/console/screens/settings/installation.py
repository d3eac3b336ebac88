"""The keys of the gateway, and what partners are told of it. Nothing is changed here: commands do that."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.visit import Visit


async def keys(visit: Visit) -> Response:
    """Every key: since when, until when, and the command that rotates it."""
    return visit.show("settings/keys.html", keys=await visit.get("/admin/v1/keys"))


async def gateway(visit: Visit) -> Response:
    """Version, addresses, names of keys, languages."""
    return visit.show("settings/gateway.html", gateway=await visit.get("/admin/v1/gateway"))


PAGES: Sequence[Page] = (Page("/settings/keys", keys), Page("/settings/gateway", gateway))
