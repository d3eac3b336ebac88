"""Small invented registries and extracts in which much is wrong, many at once in two tables.

A family shares a NIK or two; families share none, so thousands of them are thousands of registries.
"""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import ibis
from ibis.expr import types as ir

TEXTS = ("nik", "family_card_number", "full_name", "birth_place", "sex", "mother_name", "region_code")
REGISTRY = ibis.schema(
    {
        "person_id": "string",
        **dict.fromkeys(TEXTS, "string"),
        "birth_date": "date",
    }  # the columns that it compares
)
EXTRACT = ibis.schema(
    {
        **dict.fromkeys(TEXTS, "string"),
        "birth_date": "date",
        "person_state": "string",
        "state_since": "date",
        "as_of": "date",
    }
)
REGIONS = ibis.schema({"old_code": "string", "new_code": "string"})
RENAMED = [("35.78.08", "35.78.31"), ("91.01", "93.01"), ("3578091001", "35.78.09.1002"), ("64", "65")]

_NAMES = (
    *(
        "MUHAMMAD YUSUF",
        "Moh. Jusuf",
        "M. YUSUP",
        "Moch Yusuf",
        "SITI NUR AINI",
        "St. Nuraini",
        "SITI NURAINI",
    ),
    *("DRS. H. BUDI SANTOSO, S.H.", "Budi Santoso", "SANTOSO BUDI", "BUDI SANTOSSO", "BUDHI SANTOSO, S.Pd"),
    *("SOEHARTO", "SUHARTO", "Djoko Widodo", "JOKO WIDODO", "TJOKRO", "COKRO", "JOKO", "JOKO BIN WIDODO"),
    *("NGADINEM", "SRI REJEKI", "SRIREJEKI", "S", "H", "-", "", "TIDAK ADA", "Tidak ada.", "NN", None, "123"),
    *(
        "ANDRÉ GONÇALVES",
        "ANDRE GONCALVES",
        "Ma'ruf Amin",
        "MARUF AMIN",
        " JOKO  WIDODO ",
        "joko\twidodo\r\n",
    ),
    *("AHMAD DANI", "ACHMAD DHANI", "ABD RAHMAN", "ABDUL RAHMAN", "SITI NUR", "ＢＵＤＩ", "WIDODO JOKO S"),  # noqa: RUF001 - wide forms, as copied
)
_PLACES = (
    "SURABAYA",
    "Kota Surabaya",
    "SOERABAJA",
    "KAB. SIDOARJO",
    "SIDOARJO",
    "-",
    None,
    "DJAKARTA",
    "JAKARTA",
)
_CODES = (
    *(
        "35.78.08.1001",
        "35.78.31.1001",
        "35.78.31.1009",
        "35.78.08",
        "35.78",
        "35",
        "3578081001",
        "91.01.02.2001",
    ),
    *(
        "93.01.02.2001",
        "93.01.03.2001",
        "35.78.09.1001",
        "35.78.09.1002",
        "33.74.01.1001",
        "64",
        "65",
        "",
        None,
    ),
)
_SEXES = ("L", "P", "L", "P", "l", "Laki-Laki", "PEREMPUAN", "W", "?", "", None)
_STATES = ("alive", "alive", "alive", "deceased", "moved", "inactive", "ALIVE", None)
_DATES = (
    *(
        date(1980, 3, 5),
        date(1980, 5, 3),
        date(1980, 1, 1),
        date(1880, 3, 5),
        date(1980, 3, 6),
        date(1955, 8, 17),
    ),
    *(date(1984, 3, 5), date(2005, 12, 31), None),
)


def invented(seed: int, families: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The registry's and the extract's rows. Every second family has some who differ in little or nothing."""
    lot = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    registry, extract = [], []
    for family in range(families):
        niks = [_nik(lot, family, member) for member in range(2)]
        person = _person(lot, niks[0])
        held = [person] + [_person(lot, lot.choice(niks)) for _ in range(lot.choice((0, 0, 1, 2)))]
        records = [_record(lot, person)] + [
            _record(lot, _person(lot, lot.choice(niks))) for _ in range(lot.choice((0, 1)))
        ]
        if lot.random() < 0.1:
            records.append(dict(records[0]))
        if lot.random() < 0.15:
            records.pop(0)
        held += [{**person, "full_name": lot.choice(_NAMES)} for _ in range(lot.choice((0, 0, 0, 1)))]
        registry += [
            {**one, "nik": _written(lot, one["nik"]), "person_id": f"{family}-{n}"}
            for n, one in enumerate(held)
        ]
        extract += records
    lot.shuffle(extract)
    return registry, extract


def tables(engine: Any, registry: list[dict[str, Any]], extract: list[dict[str, Any]]) -> list[ir.Table]:
    """The rows, and the renamed regions, as tables of an engine."""
    regions = [{"old_code": old, "new_code": new} for old, new in RENAMED]
    rows = {"registry": (registry, REGISTRY), "extract": (extract, EXTRACT), "regions": (regions, REGIONS)}
    return [_table(engine, name, *given) for name, given in rows.items()]


def _table(engine: Any, name: str, rows: list[dict[str, Any]], schema: ibis.Schema) -> ir.Table:
    columns = {column: [row.get(column) for row in rows] for column in schema}
    return engine.create_table(
        name, schema.to_pyarrow().empty_table().from_pydict(columns, schema.to_pyarrow()), overwrite=True
    )


def _nik(lot: random.Random, family: int, member: int) -> str:
    if lot.random() < 0.05:
        return lot.choice(
            ("", "-", "0000000000000000", "357808", "３５７８０８０５０３８０９０００", "ABCDEFGHIJKLMNOP")  # noqa: RUF001 - wide forms, as copied
        )
    day = 5 + lot.choice((0, 40))
    return f"{357800 + family // 400:06}{day:02}{1 + family % 12:02}{(family // 12) % 34:02}{9000 + member}"


def _written(lot: random.Random, nik: str) -> str | None:
    ways = [nik] * 12 + [
        f"'{nik}",
        f" {nik}\r\n",
        f"{nik[:4]} {nik[4:]}",
        f"{nik}.0",
        nik[:-1],
        None,
        nik + "\u00a0",
    ]
    return lot.choice(ways)


def _person(lot: random.Random, nik: str) -> dict[str, Any]:
    return {
        "nik": nik,
        "family_card_number": lot.choice(
            ("3578081203109001", "3578081203109002", "-", None, "3578081203109001 ")
        ),
        "full_name": lot.choice(_NAMES),
        "birth_date": lot.choice(_DATES),
        "birth_place": lot.choice(_PLACES),
        "sex": lot.choice(_SEXES),
        "mother_name": lot.choice(_NAMES),
        "region_code": lot.choice(_CODES),
    }


def _record(lot: random.Random, person: dict[str, Any]) -> dict[str, Any]:
    """The record of a person, with up to four elements other than the registry's."""
    other = _person(lot, person["nik"])
    changed = lot.sample([name for name in person if name != "nik"], lot.choice((0, 0, 1, 2, 4)))
    return {
        **person,
        **{name: other[name] for name in changed},
        "person_state": lot.choice(_STATES),
        "state_since": lot.choice((None, date(2026, 1, 2))),
        "as_of": date(2026, 10, 1),
    }
