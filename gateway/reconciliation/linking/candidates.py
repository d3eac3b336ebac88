"""Likely persons for each person of the registry: ranked, with reasons, and a proposal for what to do.

A proposal is never an act: nothing here writes to the registry. `accept` means that a rule which staff set
may take it, `review` that somebody has to look. Accepted are only pairs that are each other's best, clear
of every rival: a twin or a namesake close behind sends both to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import ibis
from ibis.backends.duckdb import Backend
from ibis.expr import types as ir

from gateway.reconciliation.linking.comparisons import TRAITS, Tells
from gateway.reconciliation.linking.model import LinkModel
from gateway.reconciliation.linking.scoring import scored_pairs
from policies.dictionary import Text

MOST_CANDIDATES = 10
# Below this a pair is somebody else in all but one of thousands; it is neither shown nor kept.
_LEAST_BITS = -10.0


class Proposal(StrEnum):
    """What the model proposes for a candidate."""

    ACCEPT = "accept"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the waterfall: what was compared, how alike it was, and what that is worth in bits."""

    trait: Text
    words: Text
    bits: float
    tells: Tells | None


def candidates(
    registry_rest: ir.Table, extract_rest: ir.Table, model: LinkModel, backend: Backend, *, name: str
) -> ir.Table:
    """At most ten likely persons for each person, made as table `name` of `backend`.

    The sides are the rows of registry and extract that no NIK confirms, in the columns of `traits.COLUMNS`
    (and `person_id`). Each row has `person_id`, `nik` (as the extract writes it: to be keyed or encrypted
    before it is kept), `rank` from 1, `weight` in bits, `probability` that this one is the person and none
    of the rivals or nobody is, `proposal`, `model` (the digest), and per trait `bits_` and `level_` for
    `reasons`. A person without a row has no likely person. No NIK and no person is accepted twice.
    """
    with scored_pairs(registry_rest, extract_rest, model, backend, least_bits=_LEAST_BITS) as pairs:
        return backend.create_table(name, _proposed(pairs, model), overwrite=True)


def reasons(candidate: Mapping[str, Any], model: LinkModel) -> tuple[Reason, ...]:
    """The waterfall of one row of `candidates`: starting odds, then each trait; the bits sum to `weight`."""
    return (
        Reason(_START, _BEFORE, model.prior_bits, None),
        *(
            Reason(
                trait.label,
                trait.words(candidate[f"level_{trait.name}"]),
                candidate[f"bits_{trait.name}"],
                trait.tells,
            )
            for trait in TRAITS
        ),
    )


_START = Text(id="peluang awal", en="starting odds")
_BEFORE = Text(id="sebelum membandingkan apa pun", en="before anything is compared")


def _proposed(pairs: ir.Table, model: LinkModel) -> ir.Table:
    thresholds = model.thresholds
    pairs = pairs.mutate(odds=ibis.literal(2.0).pow(pairs.weight))
    of_person = ibis.window(group_by="person_id", order_by=[ibis.desc("weight"), "nik"])
    of_nik = ibis.window(group_by="nik", order_by=[ibis.desc("weight"), "person_id"])
    ranked = pairs.mutate(
        rank=ibis.row_number().over(of_person) + 1,
        rank_of_nik=ibis.row_number().over(of_nik) + 1,
        rivals=pairs.odds.sum().over(group_by="person_id")
        + pairs.odds.sum().over(group_by="nik")
        - pairs.odds,
    )
    probability = (ranked.odds / (ranked.rivals + thresholds.nobody_odds)).round(6)
    ranked = ranked.mutate(probability=probability)
    first = (ranked["rank"] == 1) & (ranked.rank_of_nik == 1)
    proposal = ibis.cases(
        (first & (ranked.probability >= thresholds.accept), Proposal.ACCEPT.value),
        (ranked.probability >= thresholds.review, Proposal.REVIEW.value),
        else_=Proposal.REFUSE.value,
    )
    ranked = ranked.mutate(proposal=proposal, model=ibis.literal(model.digest))
    return ranked.filter(ranked["rank"] <= MOST_CANDIDATES).drop("odds", "rivals", "rank_of_nik")
