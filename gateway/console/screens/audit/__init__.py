"""Jejak audit: what was exchanged and what staff did, told and proven; the log; one person's history.

Beside it what auditors do with what the log tells: incidents, and the way from pseudonyms back to people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.screen import Page
from gateway.console.screens.audit import acts, exchanges, incidents, log, person, reversals

PAGES: Sequence[Page] = (
    *exchanges.PAGES,
    *acts.PAGES,
    *log.PAGES,
    *person.PAGES,
    *incidents.PAGES,
    *reversals.PAGES,
)
SAID: Mapping[str, str] = {**log.SAID, **incidents.SAID, **reversals.SAID}
