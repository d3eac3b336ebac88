"""The sandbox: a consumer in it sees synthetic people only, and asks no source outside but its simulator.

So a partner tries its software on the gateway that it will use, before anybody's data is at stake. A real
person looks like nobody, in every respect that a consumer can notice; the audit log knows better.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from connectors.base import Ambiguous, Connector, NotFound, Outcome, Record
from gateway.sources.unconfigured import UnconfiguredSource


def only_synthetic(outcome: Outcome | None) -> Outcome | None:
    """What the registry's outcome would be if it held synthetic people alone."""
    match outcome:
        case Record():
            return outcome if outcome.synthetic else NotFound()
        case Ambiguous():
            invented = tuple(candidate for candidate in outcome.candidates if candidate.synthetic)
            return Ambiguous(invented) if len(invented) > 1 else next(iter(invented), NotFound())
        case _:
            return outcome


def sandbox_sources(
    sources: Sequence[Connector], simulated: Collection[str], since: datetime
) -> tuple[Connector, ...]:
    """The sources of the sandbox: one outside that is no simulator is as if it were not configured."""
    return tuple(
        UnconfiguredSource(source.name, source.provides, since)
        if source.outside and source.name not in simulated
        else source
        for source in sources
    )
