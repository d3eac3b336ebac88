"""When a person may learn that they were asked about: at once, unless the agreement names a law that delays.

UU 27/2022 gives everyone the trail of what was done with their data; a few laws let an authority keep it back
for a while. Without a clause nothing is delayed, and a delay always ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.strict_yaml import Part

# A delay is no secrecy: after ten years everybody may know.
LONGEST_DELAY_DAYS = 3650


@dataclass(frozen=True, slots=True)
class DisclosureDelay:
    """For how many days a person's access history says nothing of an exchange, and the law that allows it."""

    days: int
    legal_basis: str


def read_delay(part: Part) -> DisclosureDelay:
    """The clause `disclosure_delay`: both of its parts have to be named."""
    parts = part.mapping(("days", "legal_basis"))
    return DisclosureDelay(
        days=parts["days"].whole_number(1, LONGEST_DELAY_DAYS),
        legal_basis=parts["legal_basis"].text("a law and article"),
    )
