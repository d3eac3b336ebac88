"""Beranda: what needs somebody, and how the gateway is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from gateway.console.screen import Page
from gateway.console.visit import Visit


async def home(visit: Visit) -> Response:
    """The first page."""
    return visit.show("home.html")


PAGES: Sequence[Page] = (Page("", home),)
SAID: Mapping[str, str] = {}
