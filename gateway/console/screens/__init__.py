"""The screens, in the order of the navigation. A new one is a module here, and its line in `SCREENS`.

Each has `PAGES` (its addresses) and `SAID` (what is told after something was done, by a word in the address).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.console.screen import Page
from gateway.console.screens import (
    agreements,
    audit,
    consumers,
    home,
    maps,
    programmes,
    reconciliations,
    settings,
    signing_in,
    sources,
)


class ScreenModule(Protocol):
    """What a module of this package offers."""

    PAGES: Sequence[Page]
    SAID: Mapping[str, str]


SCREENS: Sequence[ScreenModule] = (
    home,
    consumers,
    agreements,
    programmes,
    sources,
    reconciliations,
    audit,
    maps,
    settings,
    signing_in,
)
