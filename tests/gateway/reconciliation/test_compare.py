"""The comparison beside a slow reconciler that shares no code with it, and the rules people ask about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from gateway.reconciliation.engines import open_engine
from gateway.reconciliation.statuses import ELEMENTS, Status
from gateway.reconciliation.stepwise import compared, noteworthy
from tests.gateway.reconciliation.invented_pairs import RENAMED, invented, tables
from tests.gateway.reconciliation.slow_reconciler import reconcile

# Ibis asks DuckDB for its rows by a name that DuckDB is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")

_TOLD = ("status", *ELEMENTS, "state_since", "region_moved_to")


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with open_engine(threads=1) as opened:
        yield opened


def _rows(engine: Any, table: Any) -> dict[str, dict[str, Any]]:
    return {row["person_id"]: row for row in engine.to_pyarrow(table).to_pylist()}


@pytest.mark.parametrize(("seed", "complete"), [(1, True), (2, False), (3, True)])
def test_a_slow_reconciler_agrees_on_thousands_of_registries(engine: Any, seed: int, complete: bool) -> None:
    registry, extract = invented(seed, families=1500)
    told = _rows(engine, compared(engine, *tables(engine, registry, extract), complete=complete))
    expected = reconcile(registry, extract, RENAMED, complete=complete)
    assert told.keys() == expected.keys()
    differing = [
        (name, told[person][name], expected[person][name], person)
        for person in expected
        for name in _TOLD
        if told[person][name] != expected[person][name]
    ]
    assert not differing, _shown(differing[0], registry, extract)
    assert {row["status"] for row in told.values()} >= set(Status) - {Status.UNKNOWN_NIK}


def _shown(one: tuple[Any, ...], registry: list[dict[str, Any]], extract: list[dict[str, Any]]) -> str:
    family = [row for row in registry if row["person_id"].split("-")[0] == one[3].split("-")[0]]
    niks = {"".join(filter(str.isdigit, row["nik"] or "")) for row in family}
    return f"{one}\n" + "\n".join(map(str, [*family, *(row for row in extract if row["nik"] in niks)]))


def test_only_those_who_are_matched_are_left_out_of_what_is_judged(engine: Any) -> None:
    registry, extract, regions = tables(engine, *invented(seed=11, families=1500))
    everybody = _rows(engine, compared(engine, registry, extract, regions))
    noted = _rows(engine, noteworthy(engine, registry, extract, regions))
    assert 0 < len(noted) < len(everybody)
    assert {row["status"] for person, row in everybody.items() if person not in noted} == {Status.MATCHED}
    assert all(noted[person] == everybody[person] for person in noted)


_PERSON = {
    "person_id": "1",
    "nik": "3578080503809001",
    "family_card_number": "3578081203109001",
    "full_name": "BUDI SANTOSO",
    "birth_date": date(1980, 3, 5),
    "birth_place": "SURABAYA",
    "sex": "L",
    "mother_name": "SRI REJEKI",
    "region_code": "35.78.08.1001",
}
_RECORD = {**_PERSON, "person_state": "alive", "state_since": None, "as_of": date(2026, 10, 1)}


_ELSEWHERE = "33.74.01.1001"
_STRANGER = {"full_name": "WATI", "birth_date": date(1999, 9, 9), "sex": "P"}
_FATHER = {"birth_date": date(1955, 8, 17), "mother_name": "NGADINEM", "person_state": "deceased"}
# Case -> the person, the records, and who else holds the NIK; what is not said is as in _PERSON and _RECORD.
_CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = {
    "sex of the nik": ({"sex": "L"}, [{"sex": "P"}], []),
    "other sex": ({"sex": "P"}, [{"sex": "L"}], []),
    "renamed district": ({}, [{"region_code": "35.78.31.1009"}], []),
    "other village": ({}, [{"region_code": "35.78.08.1002"}], []),
    "other person": (
        {},
        [{**_STRANGER, "person_state": "deceased", "state_since": date(2020, 1, 1)}],
        [],
    ),
    "father": ({}, [_FATHER], []),
    "slip of another": ({}, [{}], [_STRANGER]),
    "entered twice": ({}, [{}], [{}]),
    "dead and entered twice": ({}, [{"person_state": "deceased"}], [{}, {"birth_date": date(1980, 3, 9)}]),
    "moved to here": ({}, [{"person_state": "moved"}], []),
    "moved": ({}, [{"person_state": "moved", "region_code": _ELSEWHERE}], []),
    "moved abroad": ({}, [{"person_state": "moved", "region_code": None}], []),
    "copied row": ({}, [{}, {}], []),
    "twice in the register": ({}, [{}, {"full_name": "WATI"}], []),
}
_SPELLINGS = [
    ("Moch. Yusuf", "MUHAMMAD YUSUP"),
    ("M. YUSUF", "Moh. Yusuf"),
    ("SOEHARTO", "SUHARTO"),
    ("DJOKO TJAHJONO", "JOKO CAHJONO"),
    ("Drs. H. BUDI SANTOSO, S.Pd., M.M.", "BUDI SANTOSO"),
    ("BUDI SANTOSO", "SANTOSO BUDI"),
    ("NUR AINI", "NURAINI"),
    ("MA'RUF", "MARUF"),
    ("RACHMAD", "RAHMAD"),
    ("FITTRI", "FITRI"),
]
_BIRTH_DATES = [
    (date(1980, 5, 3), "variant"),
    (date(1980, 1, 1), "variant"),
    (date(1880, 3, 5), "variant"),
    (date(1980, 3, 6), "different"),
    (date(1981, 5, 3), "different"),
    (None, "missing"),
]
_PLACEHOLDERS = ["-", "TIDAK ADA", "tidak diketahui", "", "...", "N/A", None]
_CASES |= {f"{here} {there}": ({"full_name": here}, [{"full_name": there}], []) for here, there in _SPELLINGS}
_CASES |= {f"born {day}": ({}, [{"birth_date": day}], []) for day, _ in _BIRTH_DATES}
_CASES |= {f"mother {word}": ({"mother_name": word}, [{"mother_name": word}], []) for word in _PLACEHOLDERS}


@pytest.fixture(scope="module")
def told(engine: Any) -> dict[str, Any]:
    """What is said of the person of each case; all of them are compared at once."""
    registry, extract = [], []
    for number, (case, (person, records, beside)) in enumerate(_CASES.items()):
        nik = f"35780805038{number:02}001"[:12] + f"{9001 + number}"
        holders = {case: person, **{f"{case} {n}": other for n, other in enumerate(beside)}}
        registry += [{**_PERSON, **one, "nik": nik, "person_id": name} for name, one in holders.items()]
        extract += [{**_RECORD, **record, "nik": nik} for record in records]
    return _rows(engine, compared(engine, *tables(engine, registry, extract)))


@pytest.mark.parametrize(("here", "there"), _SPELLINGS)
def test_usual_spellings_and_titles_make_a_variant_of_a_name(told: Any, here: str, there: str) -> None:
    one = told[f"{here} {there}"]
    assert (one["name"], one["status"]) == ("variant", Status.MATCHED)


@pytest.mark.parametrize(("day", "verdict"), _BIRTH_DATES)
def test_day_and_month_exchanged_are_a_variant_of_a_birth_date(told: Any, day: date, verdict: str) -> None:
    assert told[f"born {day}"]["birth_date"] == verdict


@pytest.mark.parametrize("word", _PLACEHOLDERS)
def test_a_placeholder_for_the_mother_is_missing_even_where_both_have_it(told: Any, word: str) -> None:
    one = told[f"mother {word}"]
    assert (one["mother_name"], one["status"]) == ("missing", Status.MATCHED)


def test_the_sex_that_the_nik_says_makes_another_sex_a_variant(told: Any) -> None:
    assert (told["sex of the nik"]["sex"], told["other sex"]["sex"]) == ("variant", "different")


def test_a_renamed_district_is_a_variant_and_another_village_is_different(told: Any) -> None:
    assert (told["renamed district"]["region"], told["other village"]["region"]) == ("variant", "different")


def test_a_record_of_a_clearly_other_person_leaves_the_nik_unknown_and_says_nothing(told: Any) -> None:
    assert told["other person"]["status"] == Status.UNKNOWN_NIK
    assert told["other person"]["state_since"] is None


def test_a_father_of_the_same_name_is_another_person(told: Any) -> None:
    assert told["father"]["status"] == Status.UNKNOWN_NIK


def test_somebody_elses_slip_does_not_make_a_duplicate_of_the_person_whose_nik_it_is(told: Any) -> None:
    assert told["slip of another"]["status"] == Status.MATCHED
    assert told["slip of another 0"]["status"] == Status.UNKNOWN_NIK
    assert told["entered twice"]["status"] == told["entered twice 0"]["status"] == Status.DUPLICATE


def test_of_several_with_the_nik_of_a_dead_person_only_who_is_confirmed_is_deceased(told: Any) -> None:
    assert (
        told["dead and entered twice"]["status"] == told["dead and entered twice 0"]["status"] == "deceased"
    )
    assert told["dead and entered twice 1"]["status"] == Status.DUPLICATE


def test_who_moved_to_where_the_registry_has_them_is_not_moved(told: Any) -> None:
    assert told["moved to here"]["status"] == Status.MATCHED
    moved, abroad = told["moved"], told["moved abroad"]
    assert (moved["status"], moved["region_moved_to"]) == (Status.MOVED, "33.74")
    assert (abroad["status"], abroad["region_moved_to"]) == (Status.MOVED, None)


def test_a_nik_that_the_register_has_twice_is_a_duplicate_and_a_copied_row_is_not(told: Any) -> None:
    assert told["copied row"]["status"] == Status.MATCHED
    twice = told["twice in the register"]
    assert twice["status"] == Status.DUPLICATE
    assert {twice[element] for element in ELEMENTS} == {"missing"}


def test_no_element_of_the_population_register_is_among_the_columns(told: Any) -> None:
    assert set(told["moved"]) == {"person_id", "regency", *_TOLD}
