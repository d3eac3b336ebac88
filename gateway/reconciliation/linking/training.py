"""Training: the registry teaches the model by its own confirmed people, without a label by hand.

A pair that the NIK confirms is one person; two confirmed people who merely resemble each other (brothers,
namesakes, twins) are two. So likelihoods are counted, on the registry's own names and errors, and what
"alike by chance" means is learned from the very pairs that confuse. Only the NIK cannot teach about
itself: its likelihoods come by expectation maximisation from the rows that it does not confirm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

from ibis.backends.duckdb import Backend
from ibis.expr import types as ir

from gateway.errors import PreconditionMissing
from gateway.reconciliation.linking.comparisons import BLOCKS, TRAITS
from gateway.reconciliation.linking.model import Likelihood, LinkModel, Thresholds, distinct
from gateway.reconciliation.linking.scoring import scored_pairs

_NIK = "nik"
_FEWEST_CONFIRMED = 500
# So that what was never seen stays possible.
_PSEUDO_COUNT = 0.5
_ROUNDS = 100
_STILL = 1e-6
_STARTING_PRIOR = 0.1


def train(
    registry: ir.Table,
    extract: ir.Table,
    confirmed: ir.Table,
    backend: Backend,
    *,
    thresholds: Thresholds | None = None,
    trained_on: Mapping[str, Any] | None = None,
) -> LinkModel:
    """The model that `confirmed` (columns `person_id`, `nik`: one person, by NIK and elements) teaches.

    `registry` and `extract` are whole; the same rows give the same model. A sample of some hundred
    thousand people of a few regencies is enough. Raises `PreconditionMissing` with too few confirmed.
    """
    pairs_confirmed = int(backend.execute(confirmed.count()))
    if pairs_confirmed < _FEWEST_CONFIRMED:
        raise PreconditionMissing(
            f"training: {pairs_confirmed} people are confirmed by NIK, expected at least {_FEWEST_CONFIRMED};"
            " reconcile first, or use the model that is shipped"
        )
    levels = _counted(
        registry.semi_join(confirmed, "person_id"), extract.semi_join(confirmed, "nik"), confirmed, backend
    )
    rest = registry.anti_join(confirmed, "person_id"), extract.anti_join(confirmed, "nik")
    levels[_NIK], prior = _nik_likelihoods(*rest, levels, backend)
    return LinkModel(
        prior=prior,
        levels=levels,
        thresholds=thresholds or Thresholds(),
        trained_on={"confirmed": pairs_confirmed, **(trained_on or {})},
    )


def _counted(
    registry: ir.Table, extract: ir.Table, confirmed: ir.Table, backend: Backend
) -> dict[str, tuple[Likelihood, ...]]:
    """Likelihoods of all traits, by how often each level is seen among confirmed pairs and among others.

    Blocks by NIK are left out: here they would find nothing but the true pairs.
    """
    blocks = tuple(block for block in BLOCKS if not block[0].startswith(_NIK))
    with scored_pairs(registry, extract, _untrained(), backend, blocks=blocks) as pairs:
        true = confirmed.select("person_id", true_nik=confirmed.nik)
        told = pairs.join(true, "person_id")
        same = (told.nik == told.true_nik).cast("int64")
        columns = {trait.name: told[f"level_{trait.name}"] for trait in TRAITS}
        seen = told.group_by(**columns).agg(same=same.sum(), rows=told.count()).to_pyarrow().to_pylist()
    levels = {}
    for trait in TRAITS:
        same_person, others = ([0] * len(trait.levels) for _ in range(2))
        for row in seen:
            if (level := row[trait.name]) >= 0:
                same_person[level] += row["same"]
                others[level] += row["rows"] - row["same"]
        levels[trait.name] = _likelihoods(same_person, others)
    return levels


def _nik_likelihoods(
    registry: ir.Table, extract: ir.Table, levels: Mapping[str, tuple[Likelihood, ...]], backend: Backend
) -> tuple[tuple[Likelihood, ...], float]:
    """Likelihoods of the NIK's levels, and the prior, from the rows that no NIK confirms.

    What the other traits say of each pair is known; so the share of true pairs per level of the NIK is
    found by turns: from likelihoods to probabilities, from probabilities to likelihoods, until both stand.
    """
    blank = _untrained().levels[_NIK]
    model = LinkModel(prior=_STARTING_PRIOR, levels={**levels, _NIK: blank})
    with scored_pairs(registry, extract, model, backend) as pairs:
        others = (pairs.weight - pairs[f"bits_{_NIK}"] - model.prior_bits).round(1)
        grouped = pairs.group_by(level=pairs[f"level_{_NIK}"], others=others).agg(rows=pairs.count())
        patterns = [
            (row["level"], row["others"], row["rows"])
            for row in grouped.order_by("level", "others").to_pyarrow().to_pylist()
        ]
    return _maximised(patterns, len(blank))


def _maximised(
    patterns: Sequence[tuple[int, float, int]], level_count: int
) -> tuple[tuple[Likelihood, ...], float]:
    """Expectation maximisation over (level, bits of all other traits, rows)."""
    total = sum(rows for _, _, rows in patterns)
    prior, current = _STARTING_PRIOR, tuple(Likelihood(1.0, 1.0) for _ in range(level_count))
    for _ in range(_ROUNDS):
        same, other = [0.0] * level_count, [0.0] * level_count
        expected = 0.0
        for level, bits, rows in patterns:
            weight = bits + log2(prior / (1 - prior)) + (current[level].bits if level >= 0 else 0.0)
            probability = 1 / (1 + 2**-weight)
            expected += probability * rows
            if level >= 0:
                same[level] += probability * rows
                other[level] += (1 - probability) * rows
        moved = abs(expected / total - prior)
        prior, current = expected / total, _likelihoods(same, other)
        if moved < _STILL:
            break
    return current, prior


def _likelihoods(same: Sequence[float], other: Sequence[float]) -> tuple[Likelihood, ...]:
    """Shares of each level among the one and among the other, told apart."""
    all_same, all_other = (sum(counts) + _PSEUDO_COUNT * len(counts) for counts in (same, other))
    return distinct(
        [
            Likelihood((one + _PSEUDO_COUNT) / all_same, (two + _PSEUDO_COUNT) / all_other)
            for one, two in zip(same, other, strict=True)
        ]
    )


def _untrained() -> LinkModel:
    """A model whose weights say nothing but which level was found."""
    return LinkModel(
        prior=_STARTING_PRIOR,
        levels={
            trait.name: tuple(Likelihood(0.5, 0.5 ** (level + 2)) for level in range(len(trait.levels)))
            for trait in TRAITS
        },
    )
