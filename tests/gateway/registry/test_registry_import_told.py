"""What an import says of a file that says little, and what it leaves to sources that know better."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from sqlalchemy import insert, select, update

from gateway.database import Database
from gateway.registry.columns import FILE_FORMATS
from gateway.registry.personas import EXPORT_COLUMNS
from gateway.registry.tables import enrolments
from tests.gateway.registry.files import enrolled, export_row, person, ranked, take

_JULY, _AUGUST, _NOVEMBER = date(2026, 7, 1), date(2026, 8, 1), date(2026, 11, 1)


def _list_tells(database: Database, since: date, until: date | None = None, source: str = "pkh-list") -> None:
    row = {"programme": "PKH", "starts_on": since, "ends_on": until, "source": source, "as_of": _AUGUST}
    with database.unit_of_work() as connection:
        connection.execute(insert(enrolments), {"person_id": person(database)["id"], **row})


def _sources(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.execute(select(enrolments.c.source)).scalars())


def test_a_flag_does_not_end_what_the_programme_s_own_list_told(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row())
    _list_tells(database, date(2026, 1, 1))
    take(database, tmp_path, export_row(Bansos_PKH="T", periode="2026-Q4"), as_of=_NOVEMBER)
    assert enrolled(database) == [("PKH", date(2026, 1, 1), None)]
    assert _sources(database) == {"pkh-list"}


def test_a_flag_still_ends_what_a_file_told_beside_it(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y", Bansos_BPNT="Y"))
    with database.unit_of_work() as connection:
        connection.execute(
            update(enrolments).where(enrolments.c.programme == "PKH").values(source="pkh-list")
        )
    take(
        database,
        tmp_path,
        export_row(Bansos_PKH="T", Bansos_BPNT="T", periode="2026-Q4"),
        as_of=_NOVEMBER,
    )
    assert enrolled(database) == [("BPNT", _JULY, date(2026, 10, 1)), ("PKH", _JULY, None)]


def test_a_flag_does_not_reopen_the_membership_that_the_list_has_closed(
    database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    _list_tells(database, _JULY, date(2026, 7, 20))
    take(database, tmp_path, export_row(Bansos_PKH="Y"), as_of=date(2026, 8, 2))
    assert enrolled(database) == [("PKH", _JULY, date(2026, 7, 20))]
    assert _sources(database) == {"pkh-list"}


def test_every_format_of_a_file_is_one_whose_word_a_file_may_take_back(
    database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y"))
    assert _sources(database) <= set(FILE_FORMATS)


def test_a_file_without_a_column_for_the_decile_is_told_from_undetermined_deciles(
    database: Database, tmp_path: Path
) -> None:
    undetermined = export_row("A", desil_nasional="BELUM DITENTUKAN")
    empty = export_row("B", desil_nasional="", NIK="3578085203849002", NoKK="3578080101189002")
    told = take(database, tmp_path, undetermined, empty)
    assert (told.warnings["decile:undetermined"], told.warnings["decile:empty"]) == (1, 1)
    assert told.unstated == {}
    before = ranked(database)
    columns = [name for name in EXPORT_COLUMNS if name not in {"desil_nasional", "Bansos_PKH"}]
    silent = take(database, tmp_path, undetermined, empty, columns=columns, as_of=date(2026, 8, 2))
    assert silent.unstated == {"decile": "desilnasional", "pkh": "bansospkh"}
    assert not [warning for warning in silent.warnings if warning.startswith("decile")]
    assert ranked(database) == before


def test_the_reject_file_numbers_rows_as_a_spreadsheet_does(database: Database, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    take(database, tmp_path, export_row("A"), export_row("B", Nama=""), rejects=rejects)
    with (tmp_path / "export.csv").open(encoding="utf-8") as file:
        shown = list(csv.reader(file))
    (line,) = csv.DictReader(rejects.read_text(encoding="utf-8").splitlines())
    faulty = shown[int(line["row (headings are row 1)"]) - 1]
    assert faulty[list(EXPORT_COLUMNS).index("Id_DTKS")] == "B"
