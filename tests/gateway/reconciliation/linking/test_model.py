"""The model as data: what it weighs, that it is saved whole, and that nobody changes it unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import FileUnusable, PreconditionMissing
from gateway.reconciliation.linking.candidates import candidates
from gateway.reconciliation.linking.comparisons import TRAITS
from gateway.reconciliation.linking.model import Likelihood, LinkModel, Thresholds, distinct, shipped_model
from gateway.reconciliation.linking.training import _maximised, train
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS, Linked

pytestmark = IBIS_WARNINGS

_SHARES = st.lists(st.tuples(*[st.floats(1e-6, 1.0)] * 2), min_size=1, max_size=12)


def test_a_saved_model_proposes_the_same_candidates(linked: Linked, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    linked.model.save(path)
    again = LinkModel.load(path)
    assert again == linked.model
    candidates(
        linked.backend.table("registry"), linked.backend.table("extract"), again, linked.backend, name="again"
    )
    columns = "person_id, nik, rank, proposal, model, round(weight, 9)"
    assert linked.rows("SELECT count(*) FROM ours EXCEPT SELECT count(*) FROM again") == []
    assert linked.rows(f"SELECT {columns} FROM ours EXCEPT SELECT {columns} FROM again") == []  # noqa: S608


def test_a_model_changed_by_hand_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    shipped_model().save(path)
    document = json.loads(path.read_text())
    document["thresholds"]["accept"] = 0.1
    path.write_text(json.dumps(document))
    with pytest.raises(FileUnusable, match="digest"):
        LinkModel.load(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"prior": 0.1}'])
def test_what_is_no_model_does_not_load(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(FileUnusable, match="not a linking model"):
        LinkModel.load(path)


def test_a_model_of_other_levels_is_refused() -> None:
    model = shipped_model()
    fewer = {name: levels[1:] if name == "sex" else levels for name, levels in model.levels.items()}
    with pytest.raises(FileUnusable, match="train it anew"):
        replace(model, levels=fewer)


def test_the_digest_follows_every_number_that_decides_and_nothing_else() -> None:
    model = shipped_model()
    assert replace(model, prior=model.prior * 1.01).digest != model.digest
    assert replace(model, thresholds=Thresholds(accept=0.71)).digest != model.digest
    assert replace(model, trained_on={"people": "others"}).digest == model.digest


def test_the_shipped_model_says_what_it_was_trained_on() -> None:
    model = shipped_model()
    assert model.trained_on["people"] == "invented"
    assert set(model.software) == {"splink", "duckdb", "ibis-framework"}
    assert set(model.levels) == {trait.name for trait in TRAITS}


@given(_SHARES)
def test_no_two_levels_and_no_missing_value_weigh_the_same(shares: list[tuple[float, float]]) -> None:
    told = distinct([Likelihood(same, others) for same, others in shares])
    weights = [0.0, *(level.bits for level in told)]
    assert all(abs(one - other) > 5e-5 for one, other in combinations(weights, 2))
    assert [level.bits for level in told] == pytest.approx(
        [Likelihood(same, others).bits for same, others in shares], abs=0.02
    )


def test_maximisation_finds_the_shares_that_the_pairs_were_made_with() -> None:
    prior, same, other = 0.25, (0.1, 0.9), (0.7, 0.3)
    patterns = [
        (level, bits, round(10_000 * (prior * same[level] if bits > 0 else (1 - prior) * other[level])))
        for level in (0, 1)
        for bits in (12.0, -12.0)
    ]
    levels, found = _maximised(patterns, 2)
    assert found == pytest.approx(prior, abs=0.01)
    assert [level.same_person for level in levels] == pytest.approx(same, abs=0.01)
    assert [level.others for level in levels] == pytest.approx(other, abs=0.01)


def test_training_refuses_to_learn_from_a_few(linked: Linked) -> None:
    people = linked.people
    with pytest.raises(PreconditionMissing, match="expected at least 500"):
        train(people.registry, people.extract, people.confirmed().limit(20), linked.backend)


def test_training_on_the_same_people_gives_the_same_model(linked: Linked) -> None:
    people = linked.people
    one, two = (train(people.registry, people.extract, people.confirmed(), linked.backend) for _ in range(2))
    assert one.digest == two.digest
    assert one.levels["full_name"][-1].bits > 3 > -3 > one.levels["full_name"][0].bits
