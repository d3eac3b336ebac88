"""The comparison of one run: the registry's files and the extract go in, `results.parquet` comes out.

The shell around what is pure: it opens the engine, reads, has `compare` say what is to be worked out, and
writes what came of it. The registry's files hold people and are removed as soon as the engine has read them,
however it ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import duckdb
import ibis
from ibis.backends import BaseBackend
from ibis.expr import types as ir

from gateway.database import Database
from gateway.errors import BadInput
from gateway.reconciliation import stepwise
from gateway.reconciliation.duplicates import one_person_with_several_niks, people_with_one_nik
from gateway.reconciliation.engines import open_engine
from gateway.reconciliation.extract import Extract, read_extract
from gateway.reconciliation.former_regions import former_regions
from gateway.reconciliation.likely import Compared, look_for_likely_persons
from gateway.reconciliation.registry_rows import NOWHERE, export_registry
from gateway.reconciliation.results import LETTERS, RESULTS, THINGS, Summary
from gateway.reconciliation.runs import Order, Phase
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.statuses import ELEMENTS

# Below the run's folder: what holds people, and is gone before anything is stored.
_PEOPLE, _REGISTRY, _EXTRACT, _SPILL = "people", "registry.parquet", "extract", "spill"
_REGENCY_CHARS = 5


def compare_with_extract(
    database: Database,
    order: Order,
    folder: Path,
    *,
    spark_remote: str | None = None,
    seal: NikSeal | None = None,
    former: Path | None = None,
    at: Callable[[Phase], None] = lambda _phase: None,
) -> Summary:
    """Compare the registry, or its region, with the extract of the order, into files of the folder.

    With `seal`, likely persons are looked for among whom no NIK confirms, and their NIKs sealed with it.
    `former` is the file of renamed regions, if there is one; `at` hears of each phase as it begins.

    Raises FileUnusable for an extract of which nothing can be used, BadInput where the engine cannot be
    opened or the file of regions is none, StoreUnavailable.
    """
    if order.extract is None:
        raise BadInput("extract: expected a path of a file or folder, got none")
    people = folder / _PEOPLE
    for name in (_EXTRACT, _SPILL):
        (people / name).mkdir(mode=0o700, parents=True)
    try:
        at("reading")
        extract = read_extract(Path(order.extract), people / _EXTRACT)
        export_registry(database, people / _REGISTRY, order.region)
        at("comparing")
        with open_engine(order.engine, remote=spark_remote, spill=people / _SPILL) as engine:
            count = _compared(engine, order, people / _REGISTRY, extract, folder, former)
        if seal is not None:
            at("linking")
            compared = Compared(people / _REGISTRY, extract, folder, people / _SPILL)
            look_for_likely_persons(database, order.region, compared, seal)
    finally:
        shutil.rmtree(people, ignore_errors=True)
    return Summary(extract.as_of, count, extract.problems)


def _compared(
    engine: BaseBackend, order: Order, people: Path, read: Extract, folder: Path, former: Path | None
) -> int:
    registry = engine.read_parquet(people, table_name="registry")
    extract = read.table(engine)
    result = stepwise.compared(
        engine, registry, extract, former_regions(former), complete=read.complete, once=read.once
    )
    things = people_with_one_nik(registry).union(one_person_with_several_niks(registry))
    _write(_within(_things(things), order), folder / THINGS, order)
    return _write(_within(_lettered(result), order), folder / RESULTS, order)


def _lettered(result: ir.Table) -> ir.Table:
    """The result with its verdicts as one text of letters."""
    words = {verdict.value: letter for verdict, letter in LETTERS.items()}
    letters = [result[element].cases(*words.items(), else_="") for element in ELEMENTS]
    return result.select(
        "person_id",
        regency=result.regency.fill_null(NOWHERE),
        status=result.status,
        verdicts=reduce(lambda text, letter: text + letter, letters),
        state_since=result.state_since,
        moved_to=result.region_moved_to,
    )


def _things(found: ir.Table) -> ir.Table:
    """What is wrong within the registry itself, as results carry it."""
    return found.select(
        "person_id",
        regency=found.region_code.left(_REGENCY_CHARS).fill_null(NOWHERE),
        kind=found.kind,
        evidence=ibis.literal('{"holders": "') + found.holders.cast("string") + ibis.literal('"}'),
    )


def _within(rows: ir.Table, order: Order) -> ir.Table:
    """The rows of the order's region: to see who shares a NIK, people from elsewhere were compared too."""
    if order.region is None:
        return rows
    shown = order.region[:_REGENCY_CHARS]
    return rows.filter((rows.regency == shown) | rows.regency.startswith(f"{shown}."))


def _write(rows: ir.Table, path: Path, order: Order) -> int:
    """Write the rows in the order of regency and id; how many."""
    if order.engine == "duckdb":
        rows.order_by("regency", "person_id").to_parquet(path)
    else:
        parts = path.with_suffix(".parts")
        rows.to_parquet_dir(parts)
        # What many executors wrote becomes one file in order; it holds ids and words.
        duckdb.read_parquet(f"{parts}/*.parquet").order("regency, person_id").write_parquet(str(path))
        shutil.rmtree(parts)
    found = duckdb.execute("SELECT count(*) FROM read_parquet($1)", [str(path)]).fetchone()
    return int(found[0]) if found else 0
