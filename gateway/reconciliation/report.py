"""What a run came to: figures by status and region, beside the run before. MUST NOT name a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select

from gateway.reconciliation.quality import quality_by_province
from gateway.reconciliation.statuses import Status
from gateway.reconciliation.tables import findings, reconciliation_chunks, reconciliation_runs

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
        "statuses_before": earlier["statuses"] if earlier else None,
        "match_rate": match_rate(totals),
        "changed": int(changed),
        "findings": {"opened": int(opened), "closed": int(closed), "by_kind": _by_kind(connection, run_id)},
        "regions": {
            code: {"statuses": of_region, "match_rate": match_rate(of_region)}
            for code, of_region in sorted(by_region.items())
        },
        "quality": quality_by_province(connection, run.region, run.as_of) if run.as_of else {},
    }


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


def _run_before(connection: Connection, run_id: UUID) -> Mapping[str, Any] | None:
    """The report of the run of the same region that was completed last before this one."""
    this = connection.execute(select(_runs).where(_runs.c.id == run_id)).one()
    report: Mapping[str, Any] | None = connection.execute(
        select(_runs.c.report)
        .where(
            _runs.c.state == "completed",
            _runs.c.id != run_id,
            _runs.c.region.is_not_distinct_from(this.region),
            _runs.c.submitted_at <= this.submitted_at,
        )
        .order_by(_runs.c.submitted_at.desc())
        .limit(1)
    ).scalar()
    return report
