"""The same people in the built-in tables and in another's DTKS: the answers must be the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, make_url, select, text, update

from connectors.base import Ambiguous, NotFound, Outcome, Record, Subject
from gateway.database import Database, patience
from gateway.errors import StoreUnavailable
from gateway.registry.connector import RegistryConnector
from gateway.registry.existing.connector import ExistingRegistry, open_existing_registry
from gateway.registry.existing.database import ReadOnlyDatabase
from gateway.registry.existing.identity import PersonIds
from gateway.registry.imports import import_registry
from gateway.registry.synthetic import generate_people
from gateway.registry.tables import enrolments, household_deciles, people
from tests.conftest import empty_postgres_database
from tests.gateway.registry.another_dtks import copy_registry, mapping_text, numbered, run, write_mapping
from tests.gateway.registry.files import AS_OF, export_row, person, take

pytestmark = pytest.mark.anyio

SECRET = bytes(range(32))
_NIK = "3578085203849001"
_FIELDS = RegistryConnector.provides
_DAYS = (AS_OF, date(2026, 9, 30), date(2026, 7, 20), date(2026, 5, 1), date(2026, 1, 1))
Open = Callable[..., ExistingRegistry]


@pytest.fixture
def their_url(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[str]:
    """An empty database of the same kind as the gateway's own."""
    if database.is_sqlite:
        yield f"sqlite:///{tmp_path / 'their dtks.db'}"
        return
    with empty_postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def open_theirs(database: Database, their_url: str, tmp_path: Path) -> Iterator[Open]:
    """Copies the built-in registry into theirs, and opens that by a mapping whose words a test may change."""
    opened: list[ExistingRegistry] = []

    def open_(*changes: tuple[str, str], by_uuid: bool = False, sql: Sequence[str] = ()) -> ExistingRegistry:
        copy_registry(database, their_url, by_uuid=by_uuid)
        run(their_url, *sql)
        mapping = mapping_text(their_url, by_uuid=by_uuid)
        for before, after in changes:
            assert before in mapping
            mapping = mapping.replace(before, after)
        opened.append(open_existing_registry(write_mapping(tmp_path, mapping, their_url), SECRET))
        return opened[-1]

    yield open_
    for registry in opened:
        registry.close()


async def _ask(
    registry: RegistryConnector | ExistingRegistry,
    *subjects: Subject,
    fields: frozenset[str] = _FIELDS,
    on_date: date = AS_OF,
) -> Sequence[Outcome]:
    return await registry.fetch(subjects, fields, on_date, asyncio.get_running_loop().time() + 60)


async def _record(registry: ExistingRegistry, on_date: date = AS_OF) -> Record:
    (outcome,) = await _ask(registry, Subject(nik=_NIK), on_date=on_date)
    assert isinstance(outcome, Record)
    return outcome


def _said(outcome: Outcome) -> object:
    """An outcome but for the ids by which either registry knows people."""
    if isinstance(outcome, Record):
        dated = (outcome.default_as_of, sorted(outcome.as_of.items()))
        return sorted(outcome.values.items()), dated, outcome.synthetic
    if isinstance(outcome, Ambiguous):
        return sorted(repr(_said(candidate)) for candidate in outcome.candidates)
    return outcome


def _populate(database: Database, folder: Path) -> None:
    """Synthetic people and personas, with an earlier quarter and memberships that have ended."""
    file = folder / "people.csv"
    generate_people(file, 700, 23, with_personas=True)
    import_registry(database, file, as_of=AS_OF)
    earlier = date(2026, 4, 1)
    with database.unit_of_work() as connection:
        ranked = list(connection.execute(select(household_deciles)).mappings())
        connection.execute(
            insert(household_deciles),
            [
                {**row, "period_from": earlier, "period_to": row["period_from"], "decile": at % 10 + 1}
                for at, row in enumerate(ranked)
                if at % 3
            ],
        )
        members = list(connection.execute(select(people.c.id).order_by(people.c.source_key)).scalars())
        ended = {"programme": "BST", "starts_on": date(2026, 3, 1), "source": "dtks", "as_of": AS_OF}
        connection.execute(
            insert(enrolments),
            [
                {**ended, "person_id": one, "ends_on": date(2026, 7, 21 + at % 9)}
                for at, one in enumerate(members)
            ],
        )
        some = select(people.c.id).where(people.c.sex == "L")
        real = some.where(people.c.source_key < "dtks:SINTETIS-23-0000003")
        connection.execute(update(people).where(people.c.id.in_(real)).values(synthetic=False))
        known_since = {"life_status_as_of": date(2026, 5, 15)}
        connection.execute(update(people).where(people.c.id.in_(some)).values(known_since))


@pytest.mark.parametrize("by_uuid", [False, True], ids=["numbers and codes", "uuids and numeric NIKs"])
async def test_the_answers_about_everyone_are_those_of_the_built_in_registry(
    database: Database, open_theirs: Open, tmp_path: Path, by_uuid: bool
) -> None:
    _populate(database, tmp_path)
    ours, theirs = RegistryConnector(database), open_theirs(by_uuid=by_uuid)
    assert theirs.provides == ours.provides
    ids = PersonIds(SECRET, "number")
    their_id = {one: one if by_uuid else ids.id_of(key) for one, key in numbered(database).items()}
    assert (set(ours.person_ids()), set(theirs.person_ids())) == (set(their_id), set(their_id.values()))
    with database.reading() as connection:
        niks = list(connection.execute(select(people.c.nik).distinct()).scalars())
    by_nik = [Subject(nik=nik) for nik in niks if nik] + [Subject(nik="3578085203849999"), Subject(nik="")]
    for day in _DAYS:
        said, heard = await _ask(ours, *by_nik, on_date=day), await _ask(theirs, *by_nik, on_date=day)
        assert [_said(one) for one in said] == [_said(one) for one in heard]
        assert any(isinstance(one, Ambiguous) for one in said)
        if by_uuid:
            assert said == heard
        said = await _ask(ours, *(Subject(person_id=one) for one in their_id), on_date=day)
        heard = await _ask(theirs, *(Subject(person_id=one) for one in their_id.values()), on_date=day)
        assert [_said(one) for one in said] == [_said(one) for one in heard]
        assert all(isinstance(one, Record) for one in said)
    ours.close()
    assert theirs.unusable == {}
    days = {one.values["decile"] for one in heard if isinstance(one, Record)}
    assert days == {None}  # before the first quarter there is none: the days asked did differ


async def test_a_person_is_found_again_by_the_id_that_was_given(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs()
    by_nik = await _record(theirs)
    assert await _ask(theirs, Subject(person_id=by_nik.person_id)) == [by_nik]
    assert by_nik.person_id.int != numbered(database)[person(database)["id"]]
    strangers = [uuid4(), UUID(int=0), UUID(int=7_000_000_000)]
    assert await _ask(theirs, *(Subject(person_id=one) for one in strangers)) == [NotFound()] * 3


async def test_asked_for_by_nik_and_by_id_at_once_a_person_is_one_person(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs()
    known = await _record(theirs)
    assert await _ask(theirs, Subject(nik=_NIK), Subject(person_id=known.person_id)) == [known, known]


@pytest.mark.parametrize("statement", ["DELETE FROM individu", "CREATE TABLE milik_kita (x INTEGER)"])
async def test_nothing_can_be_written(
    database: Database, open_theirs: Open, tmp_path: Path, statement: str
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y"))
    theirs = open_theirs()
    with pytest.raises(StoreUnavailable), theirs._database.reading() as connection:
        connection.execute(text(statement))
    assert (await _record(theirs)).values["enrolments"] == ("PKH",)


def test_a_lost_machine_is_waited_for_as_the_gateways_own_is_unless_the_url_says_how_long(
    postgres_url: str,
) -> None:
    url = make_url(postgres_url).update_query_dict({"tcp_user_timeout": "3000"})
    expected = {name: str(value) for name, value in patience(url).items()} | {"tcp_user_timeout": "3000"}
    assert {"connect_timeout", "keepalives_idle"} < expected.keys()
    theirs = ReadOnlyDatabase(url)
    with closing(theirs), theirs.reading() as connection:
        parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        assert expected.items() <= parameters.items()


_SPOILT = {
    "sex": "UPDATE individu SET jk = 9",
    "life_status": "UPDATE individu SET st_life_status = 'X'",
    "birth_date": "UPDATE individu SET tgl_lahir = '1984-03-12'",
    "region": "UPDATE individu SET kode_desa = '35.78'",
    "family_card_number": "UPDATE individu SET no_kk = '123'",
    "rt": "UPDATE individu SET rt = 1234",
    "decile": "UPDATE peringkat SET desil = '2'",
    "enrolments": "UPDATE kepesertaan SET prog = 'X'",
}


async def test_what_cannot_be_read_is_absent_and_counted(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y"))
    (intact,) = await _ask(RegistryConnector(database), Subject(nik=_NIK))
    assert isinstance(intact, Record)
    assert None not in {intact.values[field] for field in _SPOILT}
    theirs = open_theirs(sql=list(_SPOILT.values()))
    record = await _record(theirs)
    assert {field for field in _FIELDS - {"hamlet"} if record.values[field] is None} == _SPOILT.keys()
    rest = _SPOILT.keys() - {"decile", "enrolments"}
    assert theirs.unusable == {**dict.fromkeys(rest, 1), "deciles.decile": 1, "enrolments.programme": 2}


async def test_a_period_that_cannot_be_read_leaves_what_held_on_a_day_unsaid(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y"))
    theirs = open_theirs(
        sql=["UPDATE kepesertaan SET sampai = 'besok'", "UPDATE peringkat SET triwulan = '2026-Q5'"]
    )
    values = (await _record(theirs)).values
    assert (values["enrolments"], values["decile"], values["decile_period"]) == (None, None, None)
    assert theirs.unusable == {"enrolments.ends_on": 2, "deciles.starts_on": 1}


async def test_a_household_is_not_counted_where_a_member_s_standing_cannot_be_read(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row("A"), export_row("B", NIK=""))
    theirs = open_theirs(sql=["UPDATE individu SET st_registry_status = '7' WHERE no_nik IS NULL"])
    assert (await _record(theirs)).values["household_size"] is None


async def test_a_status_without_a_day_of_its_own_is_as_old_as_its_row_and_not_older(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs((", as_of = 'tgl_life_status'", ""))
    assert (await _record(theirs)).values["life_status"] == "alive"
    record = await _record(theirs, date(2026, 7, 31))
    assert record.values["life_status"] is None
    assert "life_status" not in record.as_of


async def test_everybody_is_real_where_no_column_says_otherwise(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    mapping = mapping_text("sqlite://" if database.is_sqlite else "postgresql://", by_uuid=False)
    (line,) = [line for line in mapping.splitlines() if line.startswith("synthetic")]
    assert (await _record(open_theirs((line, "")))).synthetic is False


async def test_what_is_not_mapped_is_not_provided(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs(('occupation = "t_occupation"\n', ""))
    assert theirs.provides == _FIELDS - {"occupation"}
    assert "occupation" not in (await _record(theirs)).values


async def test_who_has_a_key_that_cannot_name_a_person_is_not_found_and_counted(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs(("key = 'Id'", "key = 't_address'"), (_enrolments_of(database), ""))
    assert await _ask(theirs, Subject(nik=_NIK)) == [NotFound()]
    assert theirs.unusable["key"] == 1


async def test_two_rows_with_one_key_are_ambiguous(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row("A"), export_row("B", NIK=""))
    theirs = open_theirs(("key = 'Id'", "key = 'kode_desa'"), (_enrolments_of(database), ""))
    known = await _record(theirs)
    (outcome,) = await _ask(theirs, Subject(person_id=known.person_id))
    assert isinstance(outcome, Ambiguous)


def _enrolments_of(database: Database) -> str:
    text_ = mapping_text("sqlite://" if database.is_sqlite else "postgresql://", by_uuid=False)
    return text_[text_.index("[enrolments]") :]


async def test_a_crowd_gets_the_answers_of_lone_callers(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    rows = [export_row(f"P{n}", NIK=f"35780852038490{n:02d}", Bansos_PKH="Y") for n in range(20)]
    take(database, tmp_path, *rows)
    theirs = open_theirs()
    fields = [frozenset({"nik"}), frozenset({"decile", "region"}), _FIELDS, frozenset({"enrolments"})]
    asked = [(Subject(nik=f"35780852038490{n % 25:02d}"), fields[n % 4], _DAYS[n % 5]) for n in range(60)]
    alone = [await _ask(theirs, one, fields=wanted, on_date=day) for one, wanted, day in asked]
    together = await asyncio.gather(
        *(_ask(theirs, one, fields=wanted, on_date=day) for one, wanted, day in asked)
    )
    assert together == alone


async def test_tables_that_are_gone_are_an_outage_whose_words_hold_no_value(
    database: Database, open_theirs: Open, their_url: str, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs()
    await theirs.ping()
    run(their_url, "DROP TABLE individu")
    with pytest.raises(StoreUnavailable) as caught:
        await _ask(theirs, Subject(nik=_NIK))
    with pytest.raises(StoreUnavailable):
        await theirs.ping()
    assert _NIK not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


async def test_a_deadline_that_has_passed_is_an_outage_and_not_an_answer(
    database: Database, open_theirs: Open, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    theirs = open_theirs()
    with pytest.raises(StoreUnavailable):
        await theirs.fetch([Subject(nik=_NIK)], _FIELDS, AS_OF, asyncio.get_running_loop().time() - 1)
