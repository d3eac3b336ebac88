"""Pengaturan: staff and their roles, one's own password and tokens, keys, and the gateway itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.screen import Page
from gateway.console.screens.settings import installation, own, staff

PAGES: Sequence[Page] = (*staff.PAGES, *own.PAGES, *installation.PAGES)
SAID: Mapping[str, str] = {**staff.SAID, **own.SAID}
