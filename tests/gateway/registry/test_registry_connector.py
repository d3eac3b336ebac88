from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert

from connectors.base import Ambiguous, NotFound, Outcome, Record, Subject
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.registry.connector import RegistryConnector
from gateway.registry.personas import PERSONAS
from gateway.registry.tables import STATUS_VOCABULARY, enrolments
from tests.gateway.registry.files import AS_OF, export_row, person, take

pytestmark = pytest.mark.anyio

_NIK = "3578085203849001"
_EVERY_FIELD = RegistryConnector.provides
_PROMISED = {
    *("nik", "family_card_number", "full_name", "birth_date", "birth_place", "sex", "mother_name"),
    *("occupation", "family_relation", "address", "hamlet", "rt", "rw", "region", "registry_status"),
    *("life_status", "residence_status", "identity_status", "welfare_status", "decile", "decile_period"),
    *("enrolments", "household_size"),
}


@pytest.fixture
def registry(database: Database) -> Iterator[RegistryConnector]:
    connector = RegistryConnector(database)
    yield connector
    connector.close()


async def _fetch(
    registry: RegistryConnector,
    *subjects: Subject,
    fields: frozenset[str] = _EVERY_FIELD,
    on_date: date = AS_OF,
) -> Sequence[Outcome]:
    return await registry.fetch(subjects, fields, on_date, asyncio.get_running_loop().time() + 30)


async def _record(registry: RegistryConnector, subject: Subject, on_date: date = AS_OF) -> Record:
    (outcome,) = await _fetch(registry, subject, on_date=on_date)
    assert isinstance(outcome, Record)
    return outcome


def _nik(text: str) -> Subject:
    return Subject(nik=text)


async def test_it_provides_the_fields_of_the_dictionary(registry: RegistryConnector) -> None:
    assert registry.provides == _PROMISED
    assert (registry.name, registry.outside) == ("dtks", False)
    await registry.ping()


async def test_a_record_holds_what_the_registry_holds(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y", PBI_JKN="Y"))
    record = await _record(registry, _nik(_NIK))
    assert record.person_id == person(database)["id"]
    assert record.default_as_of == AS_OF
    assert record.values == {
        "nik": _NIK,
        "family_card_number": "3578080101189001",
        "full_name": "SULASTRI CONTOH",
        "birth_date": date(1984, 3, 12),
        "birth_place": "KOTA SURABAYA",
        "sex": "P",
        "mother_name": "IBU CONTOH",
        "occupation": "BURUH HARIAN LEPAS",
        "family_relation": "Kepala Keluarga",
        "address": "JL. CONTOH NO. 1",
        "hamlet": None,
        "rt": "001",
        "rw": "002",
        "region": "35.78.08.1003",
        "registry_status": "active",
        "life_status": "alive",
        "residence_status": "resident",
        "identity_status": "matched",
        "welfare_status": "eligible",
        "decile": 2,
        "decile_period": "2026-Q3",
        "enrolments": ("PBI-JK", "PKH"),
        "household_size": 1,
    }


async def test_a_person_is_found_by_id_as_by_nik(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    by_nik = await _record(registry, _nik(_NIK))
    assert await _record(registry, Subject(person_id=by_nik.person_id)) == by_nik


async def test_every_outcome_stands_where_its_subject_stood(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    rows = [export_row(f"P{n}", NIK=f"357808520384{n:04d}", Nama=f"ORANG {n}") for n in range(40)]
    take(database, tmp_path, *rows)
    asked = [_nik(f"357808520384{n:04d}") for n in (*range(60), 3, 3)]
    outcomes = await _fetch(registry, *asked, fields=frozenset({"full_name"}))
    names = [outcome.values["full_name"] if isinstance(outcome, Record) else None for outcome in outcomes]
    assert names == [*(f"ORANG {n}" for n in range(40)), *[None] * 20, "ORANG 3", "ORANG 3"]


@pytest.mark.parametrize(
    "subject",
    [
        Subject(),
        Subject(nik=""),
        Subject(nik="3578085203849999"),
        Subject(nik="357808520384900"),
        Subject(nik="35780852038490\x00\x00"),
        Subject(nik="٣٥٧٨٠٨٥٢٠٣٨٤٩٠٠١"),
        Subject(nik="' OR 1=1 --     "),
        Subject(person_id=uuid4()),
        Subject(person_id=UUID(int=0)),
    ],
)
async def test_who_is_not_there_is_not_found(
    registry: RegistryConnector, database: Database, tmp_path: Path, subject: Subject
) -> None:
    take(database, tmp_path, export_row(), export_row("B", NIK=""))
    assert await _fetch(registry, subject) == [NotFound()]


async def test_a_nik_of_several_people_is_ambiguous_and_names_them_all(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row("A"), export_row("B", Nama="YANG LAIN"))
    (outcome,) = await _fetch(registry, _nik(_NIK))
    assert isinstance(outcome, Ambiguous)
    assert {found.person_id for found in outcome.candidates} == {
        person(database, "A")["id"],
        person(database, "B")["id"],
    }
    for candidate in outcome.candidates:
        assert await _record(registry, Subject(person_id=candidate.person_id)) == candidate


async def test_the_day_picks_the_decile_and_the_enrolments(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(
        database,
        tmp_path,
        export_row(periode="2026-Q1", desil_nasional="4", Bansos_PKH="Y"),
        as_of=date(2026, 2, 1),
    )
    take(
        database,
        tmp_path,
        export_row(periode="2026-Q3", desil_nasional="3", PBI_JKN="Y"),
        as_of=date(2026, 8, 1),
    )
    expected = {
        date(2025, 12, 31): (None, None, ()),
        date(2026, 1, 1): (4, "2026-Q1", ("PKH",)),
        date(2026, 6, 30): (4, "2026-Q1", ("PKH",)),
        date(2026, 7, 1): (3, "2026-Q3", ("PBI-JK",)),
        date(2030, 1, 1): (3, "2026-Q3", ("PBI-JK",)),
    }
    for day, (decile, period, enrolled) in expected.items():
        values = (await _record(registry, _nik(_NIK), day)).values
        assert (values["decile"], values["decile_period"], values["enrolments"]) == (decile, period, enrolled)


async def test_a_programme_of_which_two_sources_tell_is_named_once(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y", PBI_JKN="Y"))
    listed = {"programme": "PKH", "starts_on": date(2026, 1, 1), "source": "pkh-list", "as_of": AS_OF}
    with database.unit_of_work() as connection:
        connection.execute(insert(enrolments), {"person_id": person(database)["id"], **listed})
    assert (await _record(registry, _nik(_NIK))).values["enrolments"] == ("PBI-JK", "PKH")


async def test_days_asked_at_once_do_not_mix(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(periode="2026-Q1", desil_nasional="4"), as_of=date(2026, 2, 1))
    take(database, tmp_path, export_row(periode="2026-Q3", desil_nasional="3"), as_of=date(2026, 8, 1))
    days = [date(2026, 2, 1), date(2026, 9, 1)] * 10
    records = await asyncio.gather(*(_record(registry, _nik(_NIK), day) for day in days))
    assert [record.values["decile"] for record in records] == [4, 3] * 10


async def test_what_has_a_date_of_its_own_carries_it(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Keterangan_Padan="Y"), as_of=date(2026, 7, 5))
    take(database, tmp_path, export_row(Keterangan_Padan="", desil_nasional=""), as_of=date(2026, 8, 1))
    record = await _record(registry, _nik(_NIK))
    assert record.default_as_of == date(2026, 8, 1)
    assert record.as_of["identity_status"] == date(2026, 7, 5)
    assert record.as_of["life_status"] == date(2026, 8, 1)
    assert record.as_of["decile"] == record.as_of["decile_period"] == date(2026, 7, 5)
    assert set(record.as_of) == {*STATUS_VOCABULARY, "decile", "decile_period"}


async def test_an_undetermined_decile_is_dated_and_a_missing_household_is_not(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(
        database,
        tmp_path,
        export_row("A", desil_nasional="BELUM DITENTUKAN"),
        export_row("B", NoKK="", NIK="3578085203849002"),
    )
    undetermined = await _record(registry, _nik(_NIK))
    assert (undetermined.values["decile"], undetermined.values["decile_period"]) == (None, "2026-Q3")
    assert undetermined.as_of["decile"] == AS_OF
    alone = await _record(registry, _nik("3578085203849002"))
    assert (alone.values["decile"], alone.values["decile_period"], alone.values["household_size"]) == (
        None,
        None,
        None,
    )
    assert "decile" not in alone.as_of


async def test_a_household_counts_who_lives_in_it(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(
        database,
        tmp_path,
        export_row("A"),
        export_row("B", NIK=""),
        export_row("C", NIK="", Keberadaan="Meninggal"),
        export_row("D", NIK="", Keberadaan="Pindah"),
        export_row("E", NIK="", status_dtsen="DTSEN NONAKTIF"),
        export_row("F", NIK="", NoKK="3578080101189002"),
    )
    assert (await _record(registry, _nik(_NIK))).values["household_size"] == 2


@pytest.mark.parametrize(
    ("fields", "untouched"),
    [
        ({"nik", "full_name"}, {"households", "household_deciles", "enrolments", "full_name_as_of"}),
        ({"decile"}, {"households ", "enrolments", "mother_name"}),
        ({"enrolments"}, {"household_deciles", "households", "full_name"}),
        ({"family_card_number"}, {"household_deciles", "enrolments"}),
    ],
)
async def test_only_what_is_asked_is_read(
    registry: RegistryConnector, database: Database, fields: set[str], untouched: set[str]
) -> None:
    read: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_c: object, _u: object, statement: str, *_: object) -> None:
        read.append(statement)

    await _fetch(registry, _nik(_NIK), fields=frozenset(fields))
    assert not [word for word in untouched if any(word in statement for statement in read)]


async def test_a_crowd_shares_its_statements_and_gets_the_answers_of_lone_callers(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    rows = [export_row(f"P{n}", NIK=f"35780852038490{n % 20:02d}", Bansos_PKH="Y") for n in range(25)]
    take(database, tmp_path, *rows)
    fields = [frozenset({"nik"}), frozenset({"decile", "region"}), _EVERY_FIELD, frozenset({"enrolments"})]
    asked = [([_nik(f"35780852038490{n % 30:02d}"), _nik("1")], fields[n % 4]) for n in range(120)]
    alone = [await _fetch(registry, *subjects, fields=wanted) for subjects, wanted in asked]
    read: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_c: object, _u: object, statement: str, *_: object) -> None:
        read.append(statement)

    together = await asyncio.gather(
        *(_fetch(registry, *subjects, fields=wanted) for subjects, wanted in asked)
    )
    assert together == alone
    assert len(read) < len(asked) / 4


async def test_a_deadline_that_has_passed_is_an_outage_and_not_an_answer(registry: RegistryConnector) -> None:
    with pytest.raises(StoreUnavailable):
        await registry.fetch([_nik(_NIK)], _EVERY_FIELD, AS_OF, asyncio.get_running_loop().time() - 1)


async def test_a_registry_out_of_reach_is_an_outage_and_not_an_answer() -> None:
    closed = RegistryConnector(Database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        await _fetch(closed, _nik(_NIK))
    with pytest.raises(StoreUnavailable):
        await closed.ping()
    closed.close()


async def test_the_personas_are_who_they_say_they_are(
    registry: RegistryConnector, database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, *(persona.row() for persona in PERSONAS))
    found = dict(
        zip(
            (persona.key for persona in PERSONAS),
            await _fetch(registry, *(_nik(persona.nik) for persona in PERSONAS)),
            strict=True,
        )
    )
    assert isinstance(found["duplicate"], Ambiguous)
    assert found["duplicate"] == found["duplicate_other"]
    values = {key: outcome.values for key, outcome in found.items() if isinstance(outcome, Record)}
    assert len(values) == len(PERSONAS) - 2
    for key, value in values.items():
        ordinary = {
            "decile": 2,
            "life_status": "alive",
            "registry_status": "active",
            "identity_status": "matched",
            "residence_status": "resident",
            "enrolments": (),
        }
        ordinary |= {
            "too_well_off": {"decile": 9},
            "not_checked": {"identity_status": "not_checked"},
            "undetermined_decile": {"decile": None},
            "deceased": {"life_status": "deceased", "residence_status": "unknown"},
            "pkh_member": {"decile": 1, "enrolments": ("BPNT", "PBI-JK", "PKH")},
            "no_household": {"decile": None, "household_size": None},
            "other_province": {"enrolments": ("PBI-JK", "PKH")},
        }.get(key, {})
        assert ordinary.items() <= value.items(), key


@given(fields=st.frozensets(st.sampled_from(sorted(_EVERY_FIELD))))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_holds_the_fields_that_were_asked_and_no_others(
    embedded: Database, tmp_path: Path, fields: frozenset[str]
) -> None:
    if not (tmp_path / "export.csv").exists():
        take(embedded, tmp_path, export_row(Bansos_PKH="Y"))

    async def both() -> tuple[Record, Record]:
        registry = RegistryConnector(embedded)
        (some,) = await _fetch(registry, _nik(_NIK), fields=fields)
        everything = await _record(registry, _nik(_NIK))
        registry.close()
        assert isinstance(some, Record)
        return some, everything

    some, everything = asyncio.run(both())
    assert some.values == {name: everything.values[name] for name in fields}
    assert some.as_of == {name: day for name, day in everything.as_of.items() if name in fields}
