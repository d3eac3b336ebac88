"""A source that exists and that this gateway was not told how to reach: it answers that it is unavailable.

So an agreement about Dukcapil's verdicts does not keep a gateway without Dukcapil from starting: its answers
say `unknown`, since when, and the operator reads why. It MUST NOT be used for fields of the registry: without
those a gateway has nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from connectors.base import Outcome, Subject, Unavailable
from connectors.transport.failures import Misconfigured


class UnconfiguredSource:
    """Answers for `name`, of which `provides` are the fields: unavailable since the process started."""

    needs = frozenset[str]()
    # Nobody is asked, so nothing leaves the gateway.
    outside = False
    many_at_once = True
    fresh_for: timedelta | None = None

    def __init__(self, name: str, provides: frozenset[str], since: datetime) -> None:
        self.name = name
        self.provides = provides
        self._answer = Unavailable(
            since, cause=f"{name} is not configured: give it a section in the file that GAPURA_SOURCES names"
        )

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """Unavailable, for everyone."""
        del fields, on_date, deadline
        return [self._answer] * len(subjects)

    async def ping(self) -> None:
        """Always raises Misconfigured."""
        raise Misconfigured(self._answer.cause)


def unconfigured_sources(
    fields_by_source: Mapping[str, frozenset[str]], provided: frozenset[str], since: datetime
) -> tuple[UnconfiguredSource, ...]:
    """One for each source of the dictionary, by name, of whose fields none is provided."""
    return tuple(
        UnconfiguredSource(name, fields, since)
        for name, fields in sorted(fields_by_source.items())
        if fields.isdisjoint(provided)
    )
