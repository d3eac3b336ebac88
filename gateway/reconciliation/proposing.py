"""Likely persons into the database, within the transaction that stores a chunk of results.

What is proposed of a person replaces what an earlier run proposed; whoever is confirmed by now needs no
proposal any more. Run twice with the same rows it changes nothing the second time. MUST NOT commit, and MUST
NOT open a sealed NIK.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Table, exists, select, update

from gateway.reconciliation.statuses import UNIDENTIFIED
from gateway.reconciliation.tables import likely_persons, reconciliation_statuses
from gateway.registry.bulk import append_rows

LIKELY = "likely.parquet"
_UNIDENTIFIED = sorted(status.value for status in UNIDENTIFIED)
_likely, _known = likely_persons, reconciliation_statuses


@dataclass(frozen=True, slots=True)
class LikelyPerson:
    """A record that a person of the registry may be. `weight` is in bits, `reasons` JSON (see `likely`)."""

    person_id: UUID
    regency: str
    rank: int
    weight: float
    probability: float
    proposal: str
    agreeing: int
    model: str
    reasons: str
    sealed_nik: bytes
    pair: str


_COLUMNS = (
    *("person_id", "region", "rank", "weight", "probability", "proposal", "agreeing", "model", "reasons"),
    *("sealed_nik", "pair", "id", "run_id", "state"),
)


def without_refused(connection: Connection, found: Sequence[LikelyPerson]) -> list[LikelyPerson]:
    """Those that nobody has refused for the same person before, in their order."""
    regions = sorted({one.regency for one in found})
    chosen = select(_likely.c.pair).where(_likely.c.state == "refused", _likely.c.region.in_(regions))
    refused = frozenset(connection.execute(chosen).scalars())
    return [one for one in found if one.pair not in refused]


def evidence_of(found: Sequence[LikelyPerson]) -> Mapping[tuple[UUID, str], Mapping[str, str]]:
    """What a finding says of each person, by id and regency: how many candidates there are."""
    counted = Counter((one.person_id, one.regency) for one in found)
    return {key: {"candidates": str(count)} for key, count in counted.items()}


def store_likely(
    connection: Connection, checked: Table, run_id: UUID, found: Sequence[LikelyPerson] | None
) -> None:
    """Keep what a run found of the people staged in `checked`; None says that it did not look.

    To be called when the statuses of these people are stored: whoever is known from a later day keeps what
    was proposed then.
    """
    this_runs = exists().where(_known.c.person_id == checked.c.person_id, _known.c.run_id == run_id)
    settled = select(checked.c.person_id).where(this_runs)
    if found is None:
        settled = settled.where(checked.c.status.not_in(_UNIDENTIFIED))
    connection.execute(
        update(_likely)
        .where(_likely.c.state == "proposed", _likely.c.run_id != run_id, _likely.c.person_id.in_(settled))
        .values(state="superseded", sealed_nik=None)
    )
    if not found:
        return
    stored = exists().where(_likely.c.person_id == checked.c.person_id, _likely.c.run_id == run_id)
    lost = checked.c.status.in_(_UNIDENTIFIED)
    new = frozenset(connection.execute(select(checked.c.person_id).where(this_runs, lost, ~stored)).scalars())
    as_driver = UUID.__str__ if connection.dialect.name == "postgresql" else _hex
    rows = [_values(one, run_id, as_driver) for one in found if one.person_id in new]
    append_rows(connection, _likely, _COLUMNS, rows)


def _hex(one: UUID) -> str:
    return one.hex


def _values(one: LikelyPerson, run_id: UUID, as_driver: Any) -> tuple[Any, ...]:
    return (
        as_driver(one.person_id),
        *(one.regency, one.rank, one.weight, one.probability, one.proposal, one.agreeing, one.model),
        *(one.reasons, one.sealed_nik, one.pair),
        *(as_driver(uuid4()), as_driver(run_id), "proposed"),
    )
