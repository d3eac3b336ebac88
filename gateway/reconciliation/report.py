"""What a run came to: figures by status and region, beside the run before. MUST NOT name a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from gateway.reconciliation.quality import quality_by_province
from gateway.reconciliation.statuses import Status
from gateway.reconciliation.tables import (
    findings,
    nik_changes,
    reconciliation_chunks,
    reconciliation_runs,
)

_runs, _chunks = reconciliation_runs, reconciliation_chunks
# Whose NIK leads to this person.
PADAN = (Status.MATCHED, Status.MATCHED_WITH_DIFFERENCES, Status.MOVED, Status.DECEASED)


def made_report(connection: Connection, run_id: UUID) -> dict[str, Any]:
    """The report of a run whose chunks are all stored, within the transaction that completes it."""
    by_region = _by_region(connection, run_id)
    totals: Counter[str] = Counter()
    for of_region in by_region.values():
        totals.update(of_region)
    earlier = _run_before(connection, run_id)
    sums = [func.coalesce(func.sum(_chunks.c[name]), 0) for name in ("changed", "opened", "closed")]
    changed, opened, closed = connection.execute(select(*sums).where(_chunks.c.run_id == run_id)).one()
    run = connection.execute(select(_runs.c.region, _runs.c.as_of).where(_runs.c.id == run_id)).one()
    return {
        "people": sum(totals.values()),
        "statuses": dict(totals),
        "run_before": str(earlier.id) if earlier else None,
        "statuses_before": earlier.report["statuses"] if earlier else None,
        "match_rate": match_rate(totals),
        "changed": int(changed),
        "accepted_by_rule": accepted_by_rule(connection, [run_id]).get(run_id, 0),
        "findings": {"opened": int(opened), "closed": int(closed), "by_kind": _by_kind(connection, run_id)},
        "regions": {
            code: {"statuses": of_region, "match_rate": match_rate(of_region)}
            for code, of_region in sorted(by_region.items())
        },
        "quality": quality_by_province(connection, run.region, run.as_of) if run.as_of else {},
    }


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """A regency or city in a run: people by status and its match rate, and the same in the run before."""

    code: str
    people: int
    match_rate: float | None
    match_rate_before: float | None
    statuses: Mapping[str, int]
    statuses_before: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class RegionsOfRun:
    """A run by region, as far as it is; `run_before` is the one of the same region that it is put beside."""

    run_before: UUID | None
    match_rate: float | None
    match_rate_before: float | None
    regions: Sequence[RegionFigures]


def regions_of_run(connection: Connection, run_id: UUID) -> RegionsOfRun:
    """The figures of every regency that has people in a run; one that is under way is told as it stands."""
    by_region = _by_region(connection, run_id)
    earlier = _run_before(connection, run_id)
    before: Mapping[str, Any] = earlier.report["regions"] if earlier else {}
    totals: Counter[str] = Counter()
    for of_region in by_region.values():
        totals.update(of_region)
    nothing: Mapping[str, Any] = {"statuses": None, "match_rate": None}
    return RegionsOfRun(
        earlier.id if earlier else None,
        match_rate(totals),
        earlier.report["match_rate"] if earlier else None,
        [
            RegionFigures(
                code,
                sum(counts.values()),
                match_rate(counts),
                before.get(code, nothing)["match_rate"],
                counts,
                before.get(code, nothing)["statuses"],
            )
            for code, counts in sorted(by_region.items())
        ],
    )


def accepted_by_rule(connection: Connection, run_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """How many likely persons of each run a rule accepted; runs with none are left out."""
    chosen = select(nik_changes.c.run_id, func.count().label("number")).where(
        nik_changes.c.run_id.in_(run_ids), nik_changes.c.rule_id.is_not(None)
    )
    return {row.run_id: row.number for row in connection.execute(chosen.group_by(nik_changes.c.run_id))}


def match_rate(counts: Mapping[str, int]) -> float | None:
    """The share of those checked who were found as the person they are, 0 to 1; None where nobody was."""
    checked = sum(counts.values()) - counts.get(Status.NOT_CHECKED, 0)
    return round(sum(counts.get(status, 0) for status in PADAN) / checked, 4) if checked else None


def _by_region(connection: Connection, run_id: UUID) -> dict[str, dict[str, int]]:
    regions: dict[str, Counter[str]] = {}
    chosen = select(_chunks.c.counts).where(_chunks.c.run_id == run_id, _chunks.c.finished_at.is_not(None))
    for counts in connection.execute(chosen).scalars():
        for code, of_region in counts.items():
            regions.setdefault(code, Counter()).update(of_region)
    return {code: dict(of_region) for code, of_region in regions.items()}


def _by_kind(connection: Connection, run_id: UUID) -> dict[str, int]:
    counted = select(findings.c.kind, func.count().label("number")).where(findings.c.last_run == run_id)
    return {row.kind: row.number for row in connection.execute(counted.group_by(findings.c.kind))}


def _run_before(connection: Connection, run_id: UUID) -> Row[Any, Any] | None:
    """Id and report of the run of the same region that was completed last before this one."""
    this = connection.execute(select(_runs).where(_runs.c.id == run_id)).one()
    return connection.execute(
        select(_runs.c.id, _runs.c.report)
        .where(
            _runs.c.state == "completed",
            _runs.c.id != run_id,
            _runs.c.region.is_not_distinct_from(this.region),
            _runs.c.submitted_at <= this.submitted_at,
        )
        .order_by(_runs.c.submitted_at.desc())
        .limit(1)
    ).first()
