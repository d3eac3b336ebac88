from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path

from connectors.kind import SimulatedPerson
from gateway.reconciliation.extract import read_extract
from gateway.sources.training_extract import write_extract

DAY = date(2026, 11, 1)


def _people(count: int) -> list[SimulatedPerson]:
    return [
        SimulatedPerson(
            f"3578010{1 + number % 9}0387{9000 + number % 1000:04d}",
            {
                "full_name": f"SULASTRI {chr(65 + number % 26)} CONTOH",
                "birth_date": date(1987, 3, 1 + number % 9),
                "birth_place": "SURABAYA",
                "sex": "P",
                "mother_name": "IBU CONTOH",
                "family_card_number": f"357801010387{number:04d}",
                "region": f"35.7{number % 8}.01.1001",
                "life_status": "alive",
                "identity_status": "matched",
            },
        )
        for number in range(count)
    ]


def _written(people: list[SimulatedPerson], path: Path) -> list[dict[str, str]]:
    assert write_extract(people, path, DAY) > 0
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_invented_extract_holds_every_difference_that_a_reconciliation_knows(tmp_path: Path) -> None:
    people = _people(900)
    rows = _written(people, tmp_path / "extract.csv")
    states = Counter(row["person_state"] for row in rows)
    assert states.keys() == {"alive", "deceased", "moved", "inactive"}
    by_nik = {row["nik"]: row for row in rows}
    assert 5 <= len(people) - len(rows) <= 40  # not in the register
    assert any(one.nik not in by_nik for one in people)
    names = {one.nik: one.known["full_name"] for one in people}
    assert any(nik in names and row["full_name"] != names[nik] for nik, row in by_nik.items())
    assert states["alive"] > 700


def test_an_invented_extract_is_sound_and_the_same_every_time(tmp_path: Path) -> None:
    first = _written(_people(50), tmp_path / "first.csv")
    assert _written(_people(50), tmp_path / "second.csv") == first
    read = read_extract(tmp_path / "first.csv", tmp_path / "staging")
    assert (read.rows, read.complete, list(read.defects)) == (len(first), True, [])


def test_one_nik_on_two_people_is_one_person_of_the_register(tmp_path: Path) -> None:
    (one,) = _people(1)
    assert write_extract([one, one], tmp_path / "extract.csv", DAY) <= 1
