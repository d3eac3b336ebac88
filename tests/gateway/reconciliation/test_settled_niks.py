"""An accepted NIK against later imports: what the source said before does not undo it, a correction does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update

from gateway.database import Database
from gateway.reconciliation.sealing import NikSeal
from gateway.reconciliation.settled_niks import SettledNiks, settled_niks
from gateway.reconciliation.tables import nik_changes
from gateway.registry.tables import people
from gateway.settings import load_settings
from tests.gateway.reconciliation.registry import now
from tests.gateway.registry.files import AS_OF, export_row, person, take
from tests.gateway.staff.office import Office

MISTYPED, ACCEPTED, CORRECTED = "3578085203849010", "3578085203849001", "3578085203849100"
LATER = AS_OF + timedelta(days=30)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


def _accept(office: Office, before: str | None) -> SettledNiks:
    """As `Acceptance` does it: the person has the new NIK, and the history the old one, sealed."""
    seal = NikSeal(office.keys)
    person_id: UUID = person(office.database)["id"]
    change = {
        **dict.fromkeys(("id", "run_id", "likely_person_id"), uuid4()),
        "person_id": person_id,
        "source": "dukcapil",
        "changed_at": now(),
        "changed_by": "ani",
        "sealed_before": None if before is None else seal.seal(person_id, None, before),
    }
    with office.database.unit_of_work() as connection:
        connection.execute(insert(nik_changes), change)
        connection.execute(update(people).where(people.c.id == person_id).values(nik=ACCEPTED))
    return SettledNiks(seal)


@pytest.mark.parametrize("before", [MISTYPED, None], ids=["mistyped", "none"])
def test_a_file_that_still_has_what_was_before_changes_nothing_of_it_and_that_is_told(
    office: Office, tmp_path: Path, before: str | None
) -> None:
    file = {"NIK": before or ""}
    take(office.database, tmp_path, export_row(**file), export_row("B", NIK="3578085203849055"))
    keep = _accept(office, before)
    report = take(
        office.database,
        tmp_path,
        *(export_row(**file, Nama="NAMA BARU"), export_row("B", NIK="3578085203849066")),
        as_of=LATER,
        keep_settled=keep,
    )
    assert report.niks_kept == 1
    known = person(office.database)
    assert (known["nik"], known["full_name"], known["as_of"]) == (ACCEPTED, "NAMA BARU", LATER)
    assert person(office.database, "B")["nik"] == "3578085203849066"


def test_a_correction_at_the_source_is_taken_also_of_an_accepted_nik(office: Office, tmp_path: Path) -> None:
    take(office.database, tmp_path, export_row(NIK=MISTYPED))
    keep = _accept(office, MISTYPED)
    for said in (ACCEPTED, CORRECTED):
        row = export_row(NIK=said)
        assert take(office.database, tmp_path, row, as_of=LATER, keep_settled=keep).niks_kept == 0
        assert person(office.database)["nik"] == said


def test_no_key_is_opened_where_nothing_was_accepted(office: Office, tmp_path: Path) -> None:
    unprepared = load_settings({"GAPURA_HOME": str(tmp_path / "elsewhere")})
    assert settled_niks(office.database, unprepared) is None
    assert not unprepared.home.exists()
    take(office.database, tmp_path, export_row(NIK=MISTYPED))
    _accept(office, MISTYPED)
    assert isinstance(settled_niks(office.database, office.settings), SettledNiks)
