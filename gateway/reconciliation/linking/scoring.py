"""Pairs scored by Splink, with what every trait said. The one module that runs Splink.

Works on DuckDB: what is left for linking is a few people of a hundred, which one machine holds. The
tables that it makes on the way are temporary and gone afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import ibis
from ibis.backends.duckdb import Backend
from ibis.expr import types as ir
from splink import DuckDBAPI, Linker

from gateway.reconciliation.linking.comparisons import BLOCKS, TRAITS
from gateway.reconciliation.linking.model import LinkModel
from gateway.reconciliation.linking.traits import traits

_SAME_WEIGHT = 1e-5
_runs = count()


@contextmanager
def scored_pairs(
    registry: ir.Table,
    extract: ir.Table,
    model: LinkModel,
    backend: Backend,
    *,
    blocks: tuple[tuple[str, ...], ...] = BLOCKS,
    least_bits: float | None = None,
) -> Iterator[ir.Table]:
    """Pairs that any block brings together: `person_id`, `nik`, `weight`, and per trait `bits_` and `level_`.

    The weight is in bits and is the sum of the model's prior and of all traits' bits; a level of -1 says
    that the trait is missing on either side. Pairs below `least_bits` are left out. The table is gone when
    the context ends.
    """
    run = next(_runs)
    compared, left, right = (f"linking_{part}_{run}" for part in ("traits", "extract", "registry"))
    people = backend.create_table(compared, traits(registry, extract), temp=True)
    for side, name in (("extract", left), ("registry", right)):
        backend.create_view(name, people.filter(people.side == side).drop("side"))
    api = DuckDBAPI(backend.con)
    # Splink calls left whichever name comes first.
    sides = [
        api.register(left, dataset_display_name="extract"),
        api.register(right, dataset_display_name="registry"),
    ]
    linker = Linker(sides, model.splink_settings(blocks), log_level=None, validate_settings=False)
    try:
        predicted = linker.inference.predict(threshold_match_weight=least_bits, warning_mode="never")
        yield _told(backend.table(predicted.physical_name), model)
    finally:
        api.delete_tables_created_by_splink_from_db()  # type: ignore[no-untyped-call]  # Splink types in part
        backend.drop_view(left)
        backend.drop_view(right)
        backend.drop_table(compared)


def _told(pairs: ir.Table, model: LinkModel) -> ir.Table:
    columns = {}
    for trait in TRAITS:
        bits = pairs[f"mw_{trait.name}"]
        columns[f"bits_{trait.name}"] = bits
        columns[f"level_{trait.name}"] = ibis.cases(
            *(
                ((bits - level.bits).abs() < _SAME_WEIGHT, at)
                for at, level in enumerate(model.levels[trait.name])
            ),
            else_=-1,
        )
    return pairs.select(
        person_id=pairs.unique_id_r, nik=pairs.unique_id_l, weight=pairs.match_weight, **columns
    )
