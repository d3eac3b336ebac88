"""The trained model: how often true pairs and false ones are alike in each trait, and what is decided on it.

It is data with a digest: every candidate names the model that proposed it, and a file that was changed by
hand does not load. What is inside are frequencies of likeness, nothing of any person. MUST NOT score by
itself: Splink does, with these numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from math import isclose, log2
from pathlib import Path
from typing import Any

from splink import SettingsCreator, block_on

from gateway.errors import FileUnusable
from gateway.reconciliation.linking.comparisons import BLOCKS, TRAITS

FORMAT = 1
_SHIPPED = Path(__file__).with_name("shipped.json")
_SOFTWARE = ("splink", "duckdb", "ibis-framework")


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How often a level of likeness is seen: among pairs of one person, and among blocked pairs of two."""

    same_person: float
    others: float

    @property
    def bits(self) -> float:
        """What seeing this level is worth: positive speaks for one person, negative against."""
        return log2(self.same_person / self.others)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What becomes of a candidate. All are probabilities but `nobody_odds`.

    `nobody_odds` weighs the possibility that the person is none of the candidates, on the scale of the
    candidates' own odds: the higher, the more evidence an only candidate needs.
    """

    accept: float = 0.6
    review: float = 0.02
    nobody_odds: float = 0.02


@dataclass(frozen=True, slots=True)
class LinkModel:
    """Likelihoods per trait and level (least alike first), the odds before any evidence, the thresholds."""

    prior: float
    levels: Mapping[str, tuple[Likelihood, ...]]
    thresholds: Thresholds = field(default_factory=Thresholds)
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=lambda: {name: version(name) for name in _SOFTWARE})

    def __post_init__(self) -> None:
        expected = {trait.name: len(trait.levels) for trait in TRAITS}
        found = {name: len(levels) for name, levels in self.levels.items()}
        if found != expected:
            raise FileUnusable(f"linking model: its levels are {found}, expected {expected}; train it anew")

    @property
    def prior_bits(self) -> float:
        """Where every pair starts: the odds that two compared people are one, before comparing."""
        return log2(self.prior / (1 - self.prior))

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides: changes with any number, level, rule or condition."""
        return hashlib.sha256(_canonical(self.deciding())).hexdigest()

    def deciding(self) -> dict[str, Any]:
        """All that a candidate's weight and decision follow from, as plain data."""
        return {
            "format": FORMAT,
            "prior": self.prior,
            "levels": {
                name: [[level.same_person, level.others] for level in levels]
                for name, levels in self.levels.items()
            },
            "thresholds": asdict(self.thresholds),
            "conditions": {trait.name: [level.condition for level in trait.levels] for trait in TRAITS},
            "blocks": [list(block) for block in BLOCKS],
        }

    def save(self, path: Path) -> None:
        """Write the model, its origin and its digest as JSON."""
        document = {
            "digest": self.digest,
            "software": dict(self.software),
            "trained_on": dict(self.trained_on),
            **self.deciding(),
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> LinkModel:
        """The model of a file; refuses one that was changed, or that belongs to other conditions."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            model = cls(
                prior=document["prior"],
                levels={
                    name: tuple(Likelihood(*level) for level in levels)
                    for name, levels in document["levels"].items()
                },
                thresholds=Thresholds(**document["thresholds"]),
                trained_on=document["trained_on"],
                software=document["software"],
            )
            stated = document["digest"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileUnusable(f"{path}: not a linking model; expected a file that training wrote") from error
        if stated != model.digest:
            raise FileUnusable(
                f"{path}: the digest is not that of its content under this version; train the model anew"
            )
        return model

    def splink_settings(self, blocks: tuple[tuple[str, ...], ...] = BLOCKS) -> dict[str, Any]:
        """The model as Splink takes it."""
        settings = SettingsCreator(
            link_type="link_only",
            comparisons=[trait.comparison() for trait in TRAITS],
            blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=True,
            probability_two_random_records_match=self.prior,
        ).create_settings_dict("duckdb")
        for trait, comparison in zip(TRAITS, settings["comparisons"], strict=True):
            judged = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
            for level, likelihood in zip(reversed(judged), self.levels[trait.name], strict=True):
                level["m_probability"] = likelihood.same_person
                level["u_probability"] = likelihood.others
        return settings


def shipped_model() -> LinkModel:
    """The model that comes with the gateway, trained on invented people; a registry should train its own."""
    return LinkModel.load(_SHIPPED)


def distinct(levels: list[Likelihood]) -> tuple[Likelihood, ...]:
    """The same levels, told apart: no two, and no level and a missing value (0), weigh exactly the same.

    Splink answers what a level weighs and not which it was; so the weight has to say it.
    """
    told: list[Likelihood] = []
    for level in levels:
        share = level.same_person
        while any(
            isclose(log2(share / level.others), other, abs_tol=1e-4)
            for other in (0.0, *(t.bits for t in told))
        ):
            share *= 1.0002
        told.append(Likelihood(share, level.others))
    return tuple(told)


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
