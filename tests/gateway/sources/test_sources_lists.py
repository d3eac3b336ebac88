"""A programme's list, pulled over HTTP into the registry's enrolments, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from connectors.base import Record, Subject
from connectors.programmes.publisher import ClientCredentials, ProgrammeListSource
from connectors.simulators.programmes import ProgrammesSimulator, Row
from connectors.transport.client import Transport
from connectors.transport.failures import SourceFailure
from connectors.transport.settings import SourceSettings
from gateway.database import Database
from gateway.errors import Conflict
from gateway.registry.connector import RegistryConnector
from gateway.registry.tables import enrolments, people
from gateway.shrinking import Held
from gateway.sources.programme_lists import FoundDouble, NotTaken, ProgrammePull, PullReport
from gateway.sources.tables import programme_cursors
from tests.connectors.simulated import Stage, served
from tests.gateway.registry.files import export_row, take
from tests.gateway.sources.populace import NIK, TODAY, Clock, settle

START, LATER = date(2026, 1, 1), date(2026, 7, 1)
GIVEN = ClientCredentials("latihan", "rahasia")
STAGE = Stage()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


@pytest.fixture
def simulator(database: Database) -> ProgrammesSimulator:
    settle(database, {number: NIK(90000 + number) for number in range(1, 10)})
    rows = [Row("PKH", NIK(90000 + number), START, segment="anak_sekolah") for number in range(1, 8)]
    simulator = ProgrammesSimulator(rows, GIVEN.client_id, GIVEN.client_secret, clock=Clock())
    STAGE.app = simulator.app
    return simulator


@pytest.fixture
async def pkh(address: str, simulator: ProgrammesSimulator) -> AsyncIterator[ProgrammeListSource]:
    del simulator
    async with Transport(SourceSettings(name="pkh-list", base_url=address, max_attempts=1)) as transport:
        yield ProgrammeListSource(
            name="pkh-list",
            programme="PKH",
            api=transport,
            path="/bansos/1.0/memberships",
            tokens=transport,
            token_path="/oauth2/token",
            credentials=GIVEN,
            clock=Clock(),
            page_size=3,
        )


async def pull(database: Database, source: ProgrammeListSource, **how: object) -> PullReport:
    return await ProgrammePull(database, source, **how)(asyncio.get_running_loop().time() + 30)  # type: ignore[arg-type]  # passed through


def held(database: Database) -> set[tuple[int, str, date, date | None, str]]:
    columns = (enrolments.c.person_id, enrolments.c.programme, enrolments.c.starts_on)
    rest = (enrolments.c.ends_on, enrolments.c.source)
    with database.reading() as connection:
        rows = connection.execute(select(*columns, *rest))
        return {(row[0].int, row[1], row[2], row[3], row[4]) for row in rows}


def enrol(database: Database, person: int, programme: str, since: date, source: str) -> None:
    row = {"person_id": UUID(int=person), "programme": programme, "starts_on": since}
    with database.unit_of_work() as connection:
        connection.execute(insert(enrolments), row | {"source": source, "as_of": LATER})


def cursor(database: Database) -> str | None:
    with database.reading() as connection:
        found: str | None = connection.execute(select(programme_cursors.c.cursor)).scalar()
        return found


async def test_a_list_becomes_enrolments_that_the_registry_answers_with(
    database: Database, pkh: ProgrammeListSource
) -> None:
    report = await pull(database, pkh)
    assert (report.pages, report.taken, report.unchanged, report.as_of) == (3, 7, 0, TODAY)
    assert held(database) == {(number, "PKH", START, None, "pkh-list") for number in range(1, 8)}
    registry = RegistryConnector(database)
    deadline = asyncio.get_running_loop().time() + 30
    fields = frozenset({"enrolments"})
    (member,) = await registry.fetch([Subject(nik=NIK(90001))], fields, TODAY, deadline)
    (before,) = await registry.fetch([Subject(nik=NIK(90001))], fields, date(2025, 12, 31), deadline)
    registry.close()
    assert isinstance(member, Record)
    assert isinstance(before, Record)
    assert (member.values, before.values) == ({"enrolments": ("PKH",)}, {"enrolments": ()})


async def test_the_next_pull_takes_what_changed_and_the_same_pages_change_nothing(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    await pull(database, pkh)
    assert (await pull(database, pkh)).taken == 0
    simulator.publish(Row("PKH", NIK(90001), START, LATER, "anak_sekolah"))
    changed = await pull(database, pkh)
    assert (changed.pages, changed.taken, changed.unchanged) == (1, 1, 0)
    assert (1, "PKH", START, LATER, "pkh-list") in held(database)
    before = held(database)
    simulator.next_answers.append("cursor_expired")
    anew = await pull(database, pkh)
    assert (anew.begun_anew, anew.taken, anew.unchanged) == (True, 0, 7)
    assert held(database) == before


async def test_a_pull_cut_short_keeps_its_pages_and_goes_on_behind_them(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    pages = pkh.pages(None, asyncio.get_running_loop().time() + 30)
    first = await anext(pages)
    await pages.aclose()
    asked_before = simulator.pages_asked

    class _CutShort:
        """The same list, gone after its first page."""

        name, programme = pkh.name, pkh.programme

        async def pages(self, _cursor: str | None, _deadline: float) -> AsyncIterator[object]:
            yield first
            raise SourceFailure("gone")

    with pytest.raises(SourceFailure):
        await pull(database, _CutShort())  # type: ignore[arg-type]  # as much of a list as a pull needs
    assert len(held(database)) == 3
    assert cursor(database) == first.cursor
    rest = await pull(database, pkh)
    assert (rest.pages, rest.taken) == (2, 4)
    assert simulator.pages_asked == asked_before + 2
    assert len(held(database)) == 7


async def test_rows_whose_person_is_unknown_or_not_one_are_told_by_position(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    settle(database, {20: NIK(90002)})  # a second holder of the second row's NIK
    simulator.publish(Row("PKH", NIK(99999), START))
    told: list[NotTaken] = []
    report = await pull(database, pkh, on_not_taken=told.append)
    assert told == [NotTaken(1, 2, "nik", "ambiguous"), NotTaken(3, 2, "nik", "unknown")]
    assert report.not_taken == {"ambiguous": 1, "unknown": 1}
    assert report.taken == 6


async def test_spoilt_rows_are_told_and_change_nothing(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    simulator.next_answers.append("spoilt_rows")
    told: list[NotTaken] = []
    report = await pull(database, pkh, on_not_taken=told.append)
    assert [(row.page, row.position, row.column, row.problem) for row in told] == [
        (1, 1, "nik", "digits"),
        (1, 2, "nik", "digits"),
        (1, 3, "nik", "digits"),
    ]
    assert report.taken == 4


async def test_the_list_replaces_what_an_export_only_flagged_and_leaves_other_programmes(
    database: Database, pkh: ProgrammeListSource
) -> None:
    enrol(database, 1, "PKH", LATER, "dtks-export")
    enrol(database, 1, "BPNT", LATER, "dtks-export")
    report = await pull(database, pkh, exclusive=frozenset())
    assert report.superseded == 1
    assert {row for row in held(database) if row[0] == 1} == {
        (1, "PKH", START, None, "pkh-list"),
        (1, "BPNT", LATER, None, "dtks-export"),
    }


async def test_a_registry_file_that_flags_otherwise_leaves_the_list_s_word(
    database: Database, pkh: ProgrammeListSource, tmp_path: Path
) -> None:
    flagged = export_row("A", NIK=NIK(90001), Bansos_PKH="Y", Bansos_BPNT="Y", periode="2026-Q3")
    take(database, tmp_path, flagged, as_of=date(2026, 8, 1))
    with database.reading() as connection:
        known = connection.execute(select(people.c.id).where(people.c.dtks_id == "A")).scalar_one().int
    # The first of the two who hold this NIK goes, so that the list finds one.
    with database.unit_of_work() as connection:
        connection.execute(people.delete().where(people.c.source_key == "test-1"))
    assert (await pull(database, pkh)).superseded == 1
    later = flagged | {"Bansos_PKH": "T", "Bansos_BPNT": "T", "periode": "2026-Q4"}
    take(database, tmp_path, later, as_of=date(2026, 11, 22), clock=lambda: datetime(2026, 12, 1, tzinfo=UTC))
    assert {row for row in held(database) if row[0] == known} == {
        (known, "PKH", START, None, "pkh-list"),
        (known, "BPNT", LATER, date(2026, 10, 1), "dtks"),
    }


async def test_double_memberships_are_reported_once_with_both_as_evidence(
    database: Database, pkh: ProgrammeListSource
) -> None:
    enrol(database, 1, "BST", LATER, "bst-list")
    enrol(database, 2, "PBI-JK", LATER, "dtks-export")
    found: list[FoundDouble] = []
    exclusive = frozenset({frozenset({"PKH", "BST"})})
    report = await pull(database, pkh, exclusive=exclusive, on_double=found.append)
    (double,) = found
    assert double.person_id == UUID(int=1)
    assert {double.evidence.first.programme, double.evidence.second.programme} == {"PKH", "BST"}
    assert {double.evidence.first.source, double.evidence.second.source} == {"pkh-list", "bst-list"}
    assert (double.evidence.since, double.evidence.until) == (LATER, None)
    assert report.doubles == {frozenset({"PKH", "BST"}): 1}


async def test_a_membership_taken_back_no_longer_counts(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    await pull(database, pkh)
    simulator.publish(Row("PKH", NIK(90001), START, START))
    await pull(database, pkh)
    registry = RegistryConnector(database)
    deadline = asyncio.get_running_loop().time() + 30
    (person,) = await registry.fetch([Subject(nik=NIK(90001))], frozenset({"enrolments"}), TODAY, deadline)
    registry.close()
    assert isinstance(person, Record)
    assert person.values == {"enrolments": ()}


async def test_of_two_pulls_at_once_one_gives_way_and_every_row_is_taken(
    database: Database, pkh: ProgrammeListSource
) -> None:
    both = await asyncio.gather(pull(database, pkh), pull(database, pkh), return_exceptions=True)
    assert all(isinstance(one, PullReport | Conflict) for one in both)
    assert any(isinstance(one, PullReport) for one in both)
    assert len(held(database)) == 7


async def test_a_pull_that_would_end_a_large_share_is_held_whole_until_somebody_accepts_it(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    await pull(database, pkh, most_ended_percent=20)
    before = held(database)
    for number in (1, 2):
        simulator.publish(Row("PKH", NIK(90000 + number), START, ends_on=LATER))
    simulator.publish(Row("PKH", NIK(90009), START))
    for _again in range(2):  # asking again does not wear the guard down
        with pytest.raises(Held, match=r"Of 7 memberships of PKH in the store 2 would go \(28.6%, and 20 %"):
            await pull(database, pkh, most_ended_percent=20)
        assert held(database) == before
    report = await pull(database, pkh, most_ended_percent=None)
    assert report.taken == 3
    assert sum(row[3] == LATER for row in held(database)) == 2


async def test_a_pull_within_the_share_and_the_first_one_are_taken_unasked(
    database: Database, pkh: ProgrammeListSource, simulator: ProgrammesSimulator
) -> None:
    simulator.publish(Row("PKH", NIK(90008), START, ends_on=LATER))
    assert (await pull(database, pkh, most_ended_percent=0)).taken == 8
    simulator.publish(Row("PKH", NIK(90001), START, ends_on=START))
    assert (await pull(database, pkh, most_ended_percent=15)).taken == 1
