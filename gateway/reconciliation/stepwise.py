"""The comparison in steps, each worked out and kept by the engine before the next begins.

The rows that need a closer look are rare among all, and an engine that meets them one by one in every batch
spends most of its time on calls; a plan of all steps at once also takes longer to make than to run. MUST NOT
say what a step is: that is `compare`.
"""

from __future__ import annotations

from ibis.backends import BaseBackend
from ibis.expr import types as ir

from gateway.reconciliation.compare import everybody, judged, pairs
from gateway.reconciliation.elements import with_verdicts
from gateway.reconciliation.engines import kept


def compared(
    engine: BaseBackend,
    registry: ir.Table,
    extract: ir.Table,
    regions: ir.Table,
    *,
    complete: bool = True,
    once: bool = False,
) -> ir.Table:
    """The status, the verdicts and the whereabouts of every person of the registry: one row each.

    Columns: person_id, regency (the registry's), status, a verdict for every element, state_since, and
    region_moved_to (a regency; empty when not moved, or abroad). `complete` as in `compare.judged`, `once` as
    in `compare.pairs`. Good until the next comparison on the same engine, which keeps its own steps instead.
    """
    noted = noteworthy(engine, registry, extract, regions, complete=complete, once=once)
    return everybody(registry, noted)


def noteworthy(
    engine: BaseBackend,
    registry: ir.Table,
    extract: ir.Table,
    regions: ir.Table,
    *,
    complete: bool = True,
    once: bool = False,
) -> ir.Table:
    """As `compared`, without most of those who are matched, every element the same to the byte.

    Some of them may be among the rows still; none of any other status is left out.
    """
    found = kept(engine, pairs(registry, extract, once=once), "pairs")
    return judged(kept(engine, with_verdicts(found, regions), "verdicts"), complete=complete)
