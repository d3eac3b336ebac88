"""What a screen gives the console: its pages, and the sentences that tell what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.console.visit import Screen


@dataclass(frozen=True, slots=True)
class Page:
    """One address of a screen. Whoever is not signed in is sent to the sign-in first, unless it says so."""

    path: str
    screen: Screen
    method: Literal["GET", "POST"] = "GET"
    signed_in: bool = True
