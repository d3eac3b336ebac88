"""Jejak audit: what was exchanged and what staff did, told and proven; the log; one person's history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.screen import Page
from gateway.console.screens.audit import acts, exchanges, log, person

PAGES: Sequence[Page] = (*exchanges.PAGES, *acts.PAGES, *log.PAGES, *person.PAGES)
SAID: Mapping[str, str] = log.SAID
