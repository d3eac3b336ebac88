"""Pemadanan: runs, the people who may be somebody else, what regencies have to look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.console.screen import Page
from gateway.console.screens.reconciliations import findings, likely, rules, runs, starting

# What stands behind a run's id in an address comes last: any other word would be taken for one.
PAGES: Sequence[Page] = (*starting.PAGES, *likely.PAGES, *rules.PAGES, *findings.PAGES, *runs.PAGES)
SAID: Mapping[str, str] = {**starting.SAID, **likely.SAID, **rules.SAID, **findings.SAID, **runs.SAID}
