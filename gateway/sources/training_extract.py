"""An extract as the population register would hand it over, of invented people: to try a reconciliation on.

It holds the people that the simulated Dukcapil knows, with the differences that registries have: deaths,
moves, names written otherwise, digits exchanged, people who are missing. Who has which follows from the NIK,
so that a second extract differs only where the registry does. MUST NOT be made of anybody real.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from connectors.kind import SimulatedPerson
from connectors.simulators.dukcapil import population_row

_COLUMNS = (
    *("nik", "family_card_number", "full_name", "birth_date", "birth_place", "sex", "mother_name"),
    *("region_code", "person_state", "state_since", "as_of"),
)
_LONGEST_AGO_DAYS = 300
_Row = dict[str, Any]
_Change = Callable[[_Row, int, Sequence[str]], _Row | None]


def write_extract(population: Sequence[SimulatedPerson], path: Path, as_of: date) -> int:
    """Write a CSV of the register's day `as_of`, every field quoted; gives how many people are in it."""
    regions = sorted({str(one.known["region"]) for one in population if one.known.get("region")})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        count = 0
        for row in _rows(population, regions, as_of):
            writer.writerow(row)
            count += 1
    return count


def _rows(population: Sequence[SimulatedPerson], regions: Sequence[str], as_of: date) -> Iterator[_Row]:
    seen: set[str] = set()
    for person in population:
        if person.nik in seen:  # one NIK on two people of the registry is one person in the register
            continue
        seen.add(person.nik)
        chance = int.from_bytes(hashlib.sha256(person.nik.encode()).digest()[:4], "big")
        since = as_of - timedelta(days=chance % _LONGEST_AGO_DAYS)
        row = _change(chance)(_as_registered(person, as_of, since), chance, regions)
        if row is not None:
            yield row


def _as_registered(person: SimulatedPerson, as_of: date, since: date) -> _Row:
    said: Mapping[str, Any] = population_row(person)
    row = {name: said.get(name) or "" for name in _COLUMNS}
    deceased = person.known.get("life_status") == "deceased"
    state = {"person_state": "deceased", "state_since": since} if deceased else {"person_state": "alive"}
    return row | {"region_code": said.get("region") or "", "as_of": as_of} | state


def _unchanged(row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    return row


def _missing(_row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    return None


def _in_state(state: str) -> _Change:
    def change(row: _Row, chance: int, _regions: Sequence[str]) -> _Row | None:
        since = row["as_of"] - timedelta(days=chance % _LONGEST_AGO_DAYS)
        return row | {"person_state": state, "state_since": since}

    return change


def _moved(row: _Row, chance: int, regions: Sequence[str]) -> _Row | None:
    to = regions[chance % len(regions)] if regions else ""
    since = row["as_of"] - timedelta(days=chance % _LONGEST_AGO_DAYS)
    return row | {"person_state": "moved", "state_since": since, "region_code": to}


def _name_otherwise(row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    first, _, rest = str(row["full_name"]).upper().partition(" ")
    name = f"{rest} {first}" if rest else f"H. {first}"
    return row | {"full_name": name.replace("MUHAMMAD", "MOCH.").replace("SU", "SOE", 1)}


def _day_and_month_exchanged(row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    born = row["birth_date"]
    if not isinstance(born, date) or born.day > 12:  # noqa: PLR2004 - no month has that number
        return row
    return row | {"birth_date": born.replace(month=born.day, day=born.month)}


def _born_on_another_day(row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    born = row["birth_date"]
    return row | {"birth_date": born - timedelta(days=400)} if isinstance(born, date) else row


def _digits_exchanged(row: _Row, _chance: int, _regions: Sequence[str]) -> _Row | None:
    nik = str(row["nik"])
    return row | {"nik": nik[:12] + nik[13] + nik[12] + nik[14:]}


# Of a hundred people so many are changed in this way; the rest are as the registry has them.
_SHARES: tuple[tuple[int, _Change], ...] = (
    (2, _missing),
    (2, _in_state("deceased")),
    (1, _in_state("inactive")),
    (2, _moved),
    (4, _name_otherwise),
    (2, _day_and_month_exchanged),
    (2, _born_on_another_day),
    (2, _digits_exchanged),
)


def _change(chance: int) -> _Change:
    place = chance % 100
    for share, change in _SHARES:
        if place < share:
            return change
        place -= share
    return _unchanged
