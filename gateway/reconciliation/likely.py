"""Likely persons of a run: whom no NIK confirms beside the records that nobody holds, into `likely.parquet`.

Follows the comparison and reads what it read. The linking is DuckDB's whichever engine compared: what is left
for it is a few people of a hundred. The file holds ids, words and bits; a NIK stands in it sealed and in no
other way, and of the elements of the population register there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from ibis.expr import types as ir
from sqlalchemy import or_, select

from gateway.database import Database
from gateway.reconciliation.duplicates import each_nik_once
from gateway.reconciliation.engines import open_engine
from gateway.reconciliation.extract import Extract
from gateway.reconciliation.normal import nik_key
from gateway.reconciliation.proposing import LIKELY
from gateway.reconciliation.results import RESULTS
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.statuses import UNIDENTIFIED
from gateway.registry.tables import living_within, people

if TYPE_CHECKING:
    from gateway.reconciliation.linking.candidates import Reason

_ROWS_AT_ONCE = 5_000
# Of hundreds of thousands of candidates most agree and differ in the same traits as others do.
_WATERFALLS = 20_000
_SCHEMA = pa.schema(
    [
        ("regency", pa.string()),
        ("person_id", pa.string()),
        ("rank", pa.int32()),
        ("weight", pa.float64()),
        ("probability", pa.float64()),
        ("proposal", pa.string()),
        ("agreeing", pa.int32()),
        ("model", pa.string()),
        ("reasons", pa.string()),
        ("sealed_nik", pa.binary()),
        ("pair", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Compared:
    """Where a comparison left what it compared: the registry's files, the extract, and its results."""

    registry: Path
    extract: Extract
    folder: Path
    spill: Path


def look_for_likely_persons(database: Database, region: str | None, compared: Compared, seal: NikSeal) -> int:
    """Write the candidates that the model proposes to accept or to review; how many there are.

    With a region, nobody is proposed whose NIK somebody outside of it holds. Raises StoreUnavailable.
    """
    with (
        open_engine("duckdb", spill=compared.spill) as engine,
        pq.ParquetWriter(compared.folder / LIKELY, _SCHEMA) as file,
    ):
        assert isinstance(engine, Backend)  # noqa: S101 - it was asked for
        here, there = _rest(engine, compared)
        if not (_any(here) and _any(there)):
            return 0  # without Splink, which takes seconds to begin
        count = 0
        for rows in _found(engine, here, there, compared.spill / "unsealed.parquet"):
            elsewhere = _held_outside(database, region, rows)
            kept = [row for row in rows if row["nik"] not in elsewhere]
            file.write_table(pa.Table.from_pylist([_sealed(row, seal) for row in kept], _SCHEMA))
            count += len(kept)
        return count


def _rest(engine: Backend, compared: Compared) -> tuple[ir.Table, ir.Table]:
    """Both sides of the linking as tables of the engine."""
    everybody = engine.read_parquet(compared.registry, table_name="everybody")
    results = engine.read_parquet(compared.folder / RESULTS, table_name="results")
    here = engine.create_table("here", unidentified(everybody, results), temp=True)
    extract = compared.extract.table(engine)
    records = extract if compared.extract.once else each_nik_once(extract)
    return here, engine.create_table("there", unclaimed(records, everybody, here), temp=True)


def unidentified(registry: ir.Table, results: ir.Table) -> ir.Table:
    """The people whom no NIK confirms, with the regency of their results."""
    lost = results.filter(results.status.isin([status.value for status in UNIDENTIFIED]))
    return registry.inner_join(lost.select("person_id", "regency"), "person_id")


def unclaimed(records: ir.Table, registry: ir.Table, unidentified: ir.Table) -> ir.Table:
    """The records whose NIK nobody holds but people whom it does not confirm. Each NIK stands there once."""
    others = registry.anti_join(unidentified, "person_id")
    held = others.select(held_nik=nik_key(others.nik))
    if "nik_repeated" in records.columns:
        records = records.filter(~records.nik_repeated)
    return records.anti_join(held, records.nik == held.held_nik)


def _any(table: ir.Table) -> bool:
    return bool(table.limit(1).count().to_pyarrow().as_py())


def _found(
    engine: Backend, here: ir.Table, there: ir.Table, unsealed: Path
) -> Iterator[list[dict[str, Any]]]:
    """The candidates in the order of regency, person and rank, some at once, with their reasons."""
    from gateway.reconciliation.linking import candidates as linking  # noqa: PLC0415 - Splink
    from gateway.reconciliation.linking.model import shipped_model  # noqa: PLC0415 - as above

    model = shipped_model()
    found = linking.candidates(here, there, model, engine, name="likely")
    kept = found.filter(found.proposal != linking.Proposal.REFUSE.value)
    kept = kept.inner_join(here.select("person_id", "regency", held=here.nik), "person_id")
    traits = [name for name in found.columns if name.startswith(("level_", "bits_"))]

    @lru_cache(_WATERFALLS)
    def told(levels: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
        """The reasons of whoever agrees and differs so."""
        return _told(linking.reasons(dict(levels), model))

    # Beside what the engine spills: it holds NIKs, and goes with that.
    kept.order_by("regency", "person_id", "rank").to_parquet(unsealed)
    with pq.ParquetFile(unsealed) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield [{**row, **told(tuple((name, row[name]) for name in traits))} for row in batch.to_pylist()]


def _held_outside(
    database: Database, region: str | None, rows: Sequence[Mapping[str, Any]]
) -> frozenset[str]:
    """Those NIKs that people of other regions hold, who are not part of this run."""
    if region is None:
        return frozenset()
    niks = sorted({row["nik"] for row in rows})
    outside = or_(people.c.region_code.is_(None), ~living_within(region))
    with database.reading() as connection:
        held = select(people.c.nik).where(people.c.nik.in_(niks), outside)
        return frozenset(connection.execute(held).scalars())


def _sealed(row: Mapping[str, Any], seal: NikSeal) -> dict[str, Any]:
    """A row as the file has it."""
    person_id = UUID(row["person_id"])
    kept = {name: row[name] for name in _SCHEMA.names if name in row}
    sealed_nik = seal.seal(person_id, row["held"], row["nik"])
    return {**kept, "sealed_nik": sealed_nik, "pair": seal.pair(person_id, row["nik"])}


def _told(why: Sequence[Reason]) -> Mapping[str, Any]:
    """The reasons as they are kept, and how many traits speak for the candidate."""
    words = [
        {
            "trait": {"id": reason.trait.id, "en": reason.trait.en},
            "words": {"id": reason.words.id, "en": reason.words.en},
            "bits": round(reason.bits, 3),
            "tells": reason.tells.value if reason.tells else None,
        }
        for reason in why
    ]
    # The first is where every pair starts, and speaks for nobody.
    agreeing = sum(reason.bits > 0 for reason in why[1:])
    return {"reasons": json.dumps(words, ensure_ascii=False), "agreeing": agreeing}
