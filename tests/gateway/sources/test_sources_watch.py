"""What a serving process tells of a source that goes down and comes back, over real HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from connectors.base import Subject, Unavailable
from connectors.transport.failures import SourceFailure
from connectors.transport.observed import SourceState
from gateway.database import Database
from gateway.sources.folder import Sources, build_sources
from gateway.sources.reports import overviews
from gateway.sources.training import training
from gateway.sources.watch import SourceWatch
from tests.gateway.sources.populace import TODAY


def now() -> datetime:
    return datetime.now(UTC)


def watched(
    sources: Sources, database: Database
) -> tuple[SourceWatch, list[tuple[str, dict[str, Any]]], dict[str, int | None]]:
    told: list[tuple[str, dict[str, Any]]] = []
    quotas: dict[str, int | None] = {}

    def tell(name: str, *, level: str = "info", **fields: Any) -> None:
        told.append((name, fields | {"level": level}))

    def show(state: SourceState, quota_left: int | None) -> None:
        quotas[state.name] = quota_left

    return SourceWatch(sources, database, now, process="test", tell=tell, show=show), told, quotas


async def test_a_source_that_goes_and_comes_back_is_told_once_each_time(
    database: Database, tmp_path: Path
) -> None:
    with training((), tmp_path) as simulators:
        sources = build_sources(simulators.file, database, now)
        watch, told, quotas = watched(sources, database)
        await watch.look()
        assert told == []
        unlimited = dict.fromkeys(("bpjs", "pkh-list", "bpnt-list", "bst-list"))
        assert quotas == {**unlimited, "dukcapil": 10_000}
        simulators.stop("bpjs")
        with pytest.raises(SourceFailure):
            await sources.check("bpjs")
        await watch.look()
        await watch.look()
        ((event, fields),) = told
        assert (event, fields["source"], fields["level"]) == ("source:down", "bpjs", "warning")
        assert "refuses connections" in fields["cause"]
        simulators.start("bpjs")
        await sources.check("bpjs")
        await watch.look()
        await watch.look()
        assert [event for event, _ in told] == ["source:down", "source:up"]
        assert {one.name: one.reachable for one in overviews(database, now())}["bpjs"] is True
        await sources.aclose()


async def test_a_database_that_is_gone_ends_no_watch_and_asks_no_source_uncounted(tmp_path: Path) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    with training((), tmp_path) as simulators:
        sources = build_sources(simulators.file, gone, now)
        watch, told, quotas = watched(sources, gone)
        await watch.look()
        assert told == [("source:not_reported", {"error": "StoreUnavailable", "level": "warning"})]
        assert quotas["dukcapil"] is None
        (dukcapil,) = [one for one in sources.connectors if one.name == "dukcapil"]
        siti = Subject("3578014708990001", UUID(int=1), {})
        deadline = asyncio.get_running_loop().time() + 30
        (outcome,) = await dukcapil.fetch([siti], frozenset({"dukcapil_person_state"}), TODAY, deadline)
        assert isinstance(outcome, Unavailable)
        assert "quota ledger" in outcome.cause
        assert {state.name: state.attempts for state in sources.states()}["dukcapil"] == 0
        await sources.aclose()
