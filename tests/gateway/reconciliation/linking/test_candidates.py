"""Candidates: one to one, with reasons that add up, and never a guess between two who are alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest
from ibis.backends.duckdb import Backend

from gateway.reconciliation.linking.candidates import MOST_CANDIDATES, Proposal, candidates, reasons
from gateway.reconciliation.linking.comparisons import TRAITS
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS, Linked

pytestmark = IBIS_WARNINGS

_PERSON: Mapping[str, Any] = {
    "nik": "3578014503809123",
    "family_card_number": "3578010102109321",
    "full_name": "DEWI KUSUMANINGTYAS",
    "birth_date": date(1980, 3, 5),
    "birth_place": "SURABAYA",
    "sex": "P",
    "mother_name": "SULASTRI RATNANINGSIH",
    "region_code": "35.78.01.1001",
}
# So that a name's rarity is measured against somebody.
_NEIGHBOURS = [
    {
        **_PERSON,
        "nik": f"3578{at:02d}120790{9000 + at}",
        "family_card_number": f"357802010210{9000 + at}",
        "full_name": f"{first} {second}",
        "birth_date": date(1950 + at, 1 + at % 12, 2 + at % 20),
        "mother_name": f"SITI {second}",
        "sex": "LP"[at % 2],
        "region_code": f"35.78.02.10{10 + at}",
    }
    for at, (first, second) in enumerate(
        (first, second)
        for first in ("AGUS", "BUDI", "SRI", "SITI", "SLAMET", "YATI")
        for second in ("SANTOSO", "WAHYUNI", "HIDAYAT", "LESTARI", "SAPUTRA", "RAHAYU")
    )
]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return ibis.duckdb.connect(threads=1)


def _found(
    backend: Backend, linked: Linked, registry: list[Mapping[str, Any]], extract: list[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    columns = [(name, pa.date32() if name == "birth_date" else pa.string()) for name in _PERSON]
    written = [{"person_id": f"person-{at}", **row} for at, row in enumerate(registry)]
    left = ibis.memtable(pa.Table.from_pylist(written, pa.schema([("person_id", pa.string()), *columns])))
    right = ibis.memtable(pa.Table.from_pylist([*extract, *_NEIGHBOURS], pa.schema(columns)))
    found = candidates(left, right, linked.model, backend, name="found")
    return list(found.order_by("person_id", "rank").to_pyarrow().to_pylist())


def _accepted(found: list[dict[str, Any]]) -> dict[str, str]:
    return {row["person_id"]: row["nik"] for row in found if row["proposal"] == Proposal.ACCEPT}


def test_a_person_without_nik_is_found_by_all_else(backend: Backend, linked: Linked) -> None:
    row = {**_PERSON, "nik": None, "full_name": "DEWIE KOESOEMANINGTYAS", "birth_date": date(1980, 5, 3)}
    assert _accepted(_found(backend, linked, [row], [_PERSON])) == {"person-0": _PERSON["nik"]}


def test_twins_whose_names_do_not_tell_them_apart_go_to_review(backend: Backend, linked: Linked) -> None:
    twins = [
        {**_PERSON, "nik": f"357801450380912{at}", "full_name": name}
        for at, name in enumerate(("RIZKA", "RIZKI"))
    ]
    row = {**_PERSON, "nik": None, "full_name": "RIZK"}
    found = _found(backend, linked, [row], twins)
    assert _accepted(found) == {}
    assert {candidate["nik"] for candidate in found if candidate["proposal"] == Proposal.REVIEW} == {
        twin["nik"] for twin in twins
    }


def test_a_son_is_not_taken_for_his_dead_father_of_the_same_name(backend: Backend, linked: Linked) -> None:
    father = {
        **_PERSON,
        "sex": "L",
        "nik": "3578010503509123",
        "birth_date": date(1950, 3, 5),
        "mother_name": "YATI",
    }
    son = {**_PERSON, "sex": "L", "nik": "3578010711759123", "birth_date": date(1975, 11, 7)}
    row = {**son, "nik": None}
    assert _accepted(_found(backend, linked, [row], [father, son])) == {"person-0": son["nik"]}
    assert _accepted(_found(backend, linked, [row], [father])) == {}


def test_who_gave_the_nik_of_a_brother_is_not_taken_for_him(backend: Backend, linked: Linked) -> None:
    brother = {
        **_PERSON,
        "nik": "3578011205779123",
        "full_name": "AGUS SANTOSO",
        "sex": "L",
        "birth_date": date(1977, 5, 12),
    }
    row = {**_PERSON, "nik": brother["nik"]}
    assert _accepted(_found(backend, linked, [row], [brother])) == {}
    assert _accepted(_found(backend, linked, [row], [brother, _PERSON])) == {"person-0": _PERSON["nik"]}


def test_one_entry_of_the_register_is_given_to_one_person_at_most(backend: Backend, linked: Linked) -> None:
    row = {**_PERSON, "nik": None}
    found = _found(backend, linked, [row, row], [_PERSON])
    assert _accepted(found) == {}
    assert [candidate["proposal"] for candidate in found] == [Proposal.REVIEW, Proposal.REVIEW]


def test_an_unknown_mother_is_no_evidence_either_way(backend: Backend, linked: Linked) -> None:
    row = {**_PERSON, "nik": None, "mother_name": "TIDAK DIKETAHUI"}
    (candidate,) = _found(backend, linked, [row], [_PERSON])
    (mother,) = (reason for reason in reasons(candidate, linked.model) if reason.trait.en == "mother's name")
    assert (mother.bits, mother.words.en) == (0.0, "missing on either side")


def test_nobody_on_either_side_gives_no_candidates(backend: Backend, linked: Linked) -> None:
    assert _found(backend, linked, [], [_PERSON]) == []


def test_reasons_add_up_to_the_weight(linked: Linked) -> None:
    found = linked.backend.table("ours").order_by("person_id", "rank").limit(400).to_pyarrow().to_pylist()
    assert len({row["level_full_name"] for row in found}) > 5
    for row in found:
        told = reasons(row, linked.model)
        assert len(told) == 1 + len(TRAITS)
        assert sum(reason.bits for reason in told) == pytest.approx(row["weight"], abs=1e-6)
        assert all(reason.words.id and reason.words.en for reason in told)


def test_the_level_told_is_the_one_that_was_weighed(linked: Linked) -> None:
    for trait in TRAITS:
        for level, bits in linked.rows(f"SELECT DISTINCT level_{trait.name}, bits_{trait.name} FROM ours"):  # noqa: S608
            expected = 0.0 if level < 0 else linked.model.levels[trait.name][level].bits
            assert bits == pytest.approx(expected, abs=1e-6)


def test_nobody_is_accepted_twice(linked: Linked) -> None:
    accepted = "SELECT {0} FROM ours WHERE proposal = 'accept' GROUP BY {0} HAVING count(*) > 1"
    assert linked.rows(accepted.format("person_id")) == []
    assert linked.rows(accepted.format("nik")) == []
    assert linked.rows("SELECT count(*) FROM ours WHERE proposal = 'accept'")[0][0] > 1000


def test_ranks_follow_the_weight_and_end_at_ten(linked: Linked) -> None:
    assert (
        linked.rows(
            """SELECT person_id FROM ours GROUP BY person_id
            HAVING max(rank) <> count(*) OR list(weight ORDER BY rank) <> list(weight ORDER BY weight DESC)"""
        )
        == []
    )
    assert linked.rows("SELECT max(rank) FROM ours")[0][0] <= MOST_CANDIDATES


def test_every_candidate_names_the_model(linked: Linked) -> None:
    assert linked.rows("SELECT DISTINCT model FROM ours") == [(linked.model.digest,)]


def test_nothing_is_left_behind_but_the_candidates(backend: Backend, linked: Linked) -> None:
    _found(backend, linked, [_PERSON], [_PERSON])
    left = backend.con.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_name NOT LIKE 'ibis_pandas%'"
        " AND table_name NOT LIKE 'ibis_%memtable%'"
    ).fetchall()
    assert {name for (name,) in left} == {"found"}
