from __future__ import annotations

import csv
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.database import Database
from gateway.errors import BadInput, FileUnusable
from gateway.registry.imports import import_registry
from gateway.registry.personas import EXPORT_COLUMNS
from gateway.registry.synthetic import generate_people
from gateway.registry.tables import enrolments, household_deciles, households, imports, people
from tests.gateway.registry.files import (
    AS_OF,
    as_parquet,
    enrolled,
    everything,
    export_row,
    person,
    ranked,
    take,
    write_csv,
)

_CANARY = "KANARI"
_ROW = "row (headings are row 1)"


def test_a_row_is_kept_as_the_file_says_it(database: Database, tmp_path: Path) -> None:
    report = take(
        database, tmp_path, export_row(RT="3", Jenis_Kelamin="Perempuan", Tanggal_Lahir="12/03/1984")
    )
    assert (report.read, report.imported, report.unchanged, report.rejected) == (1, 1, 0, 0)
    kept = person(database)
    assert kept["nik"] == "3578085203849001"
    assert kept["birth_date"] == date(1984, 3, 12)
    assert (kept["sex"], kept["rt"], kept["rw"], kept["region_code"]) == ("P", "003", "002", "35.78.08.1003")
    assert (kept["identity_status"], kept["identity_status_source"]) == ("matched", "dtks")
    assert kept["identity_status_as_of"] == kept["as_of"] == AS_OF
    assert kept["synthetic"] is True


def test_the_same_file_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    generate_people(file, 1500, 11, with_personas=True)
    first = import_registry(database, file, as_of=AS_OF)
    before = everything(database)
    second = import_registry(database, file, as_of=AS_OF)
    assert (first.imported, first.unchanged) == (first.read, 0)
    assert (second.imported, second.unchanged) == (0, first.read)
    assert everything(database) == before


def test_chunks_and_formats_make_no_difference(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    generate_people(file, 1000, 12)
    import_registry(database, file, as_of=AS_OF, chunk_rows=70)
    before = everything(database)
    again = import_registry(database, as_parquet(file), as_of=AS_OF)
    assert again.unchanged == again.read == 1000
    assert everything(database) == before


def test_the_day_of_an_earlier_import_holds_for_the_same_bytes(database: Database, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "export.csv", [export_row()])
    # 22:00 UTC is the next day in Jakarta.
    first = import_registry(database, file, clock=lambda: datetime(2026, 8, 1, 22, tzinfo=UTC))
    second = import_registry(database, file, clock=lambda: datetime(2026, 8, 9, 22, tzinfo=UTC))
    assert first.as_of == second.as_of == date(2026, 8, 2)
    assert second.unchanged == 1


def test_every_import_is_on_record_with_counts_that_add_up(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row("A"), export_row("B", NIK=""), export_row("C", Nama=""))
    with database.reading() as connection:
        row = connection.execute(select(imports)).mappings().one()
    assert row["rows_read"] == 3 == row["rows_imported"] + row["rows_unchanged"] + row["rows_rejected"]
    assert row["finished_at"] is not None
    assert row["as_of"] == AS_OF


_FAULTS = (
    ("Id_DTKS", "", "empty, and it is needed"),
    ("Nama", "", "empty, and it is needed"),
    ("Nama", "X" * 201, "longer than 200 letters"),
    ("NIK", "3,57808E+15", "a spreadsheet spoilt the number"),
    ("NIK", "3578085203849001.0", "a spreadsheet spoilt the number"),
    ("NoKK", "3.578080101189E15", "a spreadsheet spoilt the number"),
    ("Tanggal_Lahir", "30755", "a spreadsheet's serial number"),
    ("Tanggal_Lahir", "1984-13-12", "the form is not known"),
    ("Tanggal_Lahir", "31-02-1984", "the form is not known"),
    ("Tanggal_Lahir", "2027-01-01", "a date before 1880 or after the day of the file"),
    ("Tanggal_Lahir", "1799-01-01", "a date before 1880 or after the day of the file"),
    ("Jenis_Kelamin", "X", "neither L nor P"),
    ("desil_nasional", "11", "not a decile from 1 to 10"),
    ("desil_nasional", "0.5", "not a decile from 1 to 10"),
    ("periode", "2026-Q5", "a period like 2026-Q3"),
    ("periode", "", "there is a decile but no quarter"),
    ("Bansos_PKH", "mungkin", "neither Y nor T"),
    ("PBI_JKN", "2", "neither Y nor T"),
    ("Keterangan_Padan", "?", "not one that this column knows"),
    ("status_dtsen", "HAPUS", "not one that this column knows"),
    ("Keberadaan", "9", "not one that this column knows"),
    ("Kelayakan", "RAGU", "not one that this column knows"),
)


def test_faulty_rows_are_rejected_with_their_reasons_and_without_their_values(
    database: Database, tmp_path: Path
) -> None:
    faulty = [
        export_row(f"X{at}", Nama_Ibu_Kandung=_CANARY) | {column: value}
        for at, (column, value, _) in enumerate(_FAULTS)
    ]
    rejects = tmp_path / "rejects.csv"
    report = take(database, tmp_path, export_row("A"), *faulty, rejects=rejects)
    written = rejects.read_text(encoding="utf-8")
    told = list(csv.DictReader(written.splitlines()))
    assert (report.read, report.imported, report.rejected) == (len(_FAULTS) + 1, 1, len(_FAULTS))
    assert [(int(line[_ROW]), line["column"]) for line in told] == [
        (row, column) for row, (column, _, _) in enumerate(_FAULTS, 3)
    ]
    for line, (_, value, reason) in zip(told, _FAULTS, strict=True):
        assert reason in line["reason"]
        assert line["alasan"] != line["reason"]
        assert len(value) < 4 or value not in line["reason"] + line["alasan"]
    assert _CANARY not in written
    assert "3578085203849001" not in written
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_all_faults_of_a_row_are_told_at_once(database: Database, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    report = take(database, tmp_path, export_row("A", Nama="", periode="Q3", PBI_JKN="x"), rejects=rejects)
    told = list(csv.DictReader(rejects.read_text(encoding="utf-8").splitlines()))
    assert report.rejected == 1
    assert {line["column"] for line in told} == {"Nama", "periode", "PBI_JKN"}


def test_without_faults_there_is_no_reject_file(database: Database, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    rejects.write_text("of an earlier run")
    take(database, tmp_path, export_row(), rejects=rejects)
    assert not rejects.exists()


def test_rows_that_do_not_fit_their_headings_are_told_by_their_number(
    database: Database, tmp_path: Path
) -> None:
    misfits = {
        "B,JAWA TIMUR": "fewer columns",
        ",".join(["C"] * (len(EXPORT_COLUMNS) + 2)): "more columns",
        ",".join(["", *export_row("D").values()][:-1]): "shifted",
    }
    file = write_csv(tmp_path / "export.csv", [export_row(f"A{n}") for n in range(5)])
    first, second, *others = file.read_text().splitlines()
    file.write_text("\n".join([first, second, *misfits, *others]))
    report = import_registry(database, file, as_of=AS_OF, rejects=tmp_path / "rejects.csv")
    told = list(csv.DictReader((tmp_path / "rejects.csv").read_text().splitlines()))
    assert (report.read, report.imported, report.rejected) == (8, 5, 3)
    assert [line[_ROW] for line in told] == ["3", "4", "5"]
    for line, reason in zip(told, misfits.values(), strict=True):
        assert reason in line["reason"]


_LACKING: tuple[tuple[dict[str, str], str, str, str | None], ...] = (
    ({"NIK": ""}, "nik:missing", "nik", None),
    ({"NIK": "357808520384900"}, "nik:malformed", "nik", None),
    ({"NIK": "TIDAK ADA"}, "nik:malformed", "nik", None),
    ({"NoKK": "123"}, "family_card_number:none", "household_id", None),
    ({"Desa_Kelurahan": "ENTAH"}, "region_code:partial", "region_code", "35.78.08"),
    ({"Provinsi": "ENTAH"}, "region_code:none", "region_code", None),
    ({"Hub_Keluarga": "SEPUPU"}, "family_relation:unknown", "family_relation", None),
)


def test_a_person_is_not_lost_for_what_is_missing_or_malformed(database: Database, tmp_path: Path) -> None:
    rows = [export_row(f"A{at}", **said) for at, (said, _, _, _) in enumerate(_LACKING)]
    report = take(database, tmp_path, *rows)
    assert (report.imported, report.rejected) == (len(rows), 0)
    assert report.warnings == Counter(warning for _, warning, _, _ in _LACKING)
    for at, (_, _, column, kept) in enumerate(_LACKING):
        assert person(database, f"A{at}")[column] == kept


def test_numbers_written_with_separators_are_read(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(NIK="'3578.0852.0384.9001", NoKK="3578 0801 0118 9001"))
    assert person(database)["nik"] == "3578085203849001"


def test_the_first_of_several_rows_with_one_id_is_taken(database: Database, tmp_path: Path) -> None:
    rows = [
        export_row("A", Nama="SATU"),
        *(export_row(f"B{n}") for n in range(60)),
        export_row("A", Nama="DUA"),
    ]
    report = take(database, tmp_path, *rows, chunk_rows=7, rejects=tmp_path / "rejects.csv")
    assert (report.imported, report.rejected) == (61, 1)
    assert person(database)["full_name"] == "SATU"
    assert "63,Id_DTKS" in (tmp_path / "rejects.csv").read_text()


def test_a_family_with_two_deciles_is_undetermined(database: Database, tmp_path: Path) -> None:
    rows = [export_row(str(n), desil_nasional="2" if n else "3") for n in range(9)]
    report = take(database, tmp_path, *rows, chunk_rows=4)
    assert ranked(database) == [(date(2026, 7, 1), None, None)]
    assert report.warnings["decile:disputed"] == 9


def test_a_new_quarter_closes_the_one_before_and_an_older_one_fills_in(
    database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(periode="2026-Q1", desil_nasional="4"), as_of=date(2026, 2, 1))
    take(database, tmp_path, export_row(periode="2026-Q3", desil_nasional="3"), as_of=date(2026, 8, 1))
    first, second, third = date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1)
    assert ranked(database) == [(first, third, 4), (third, None, 3)]
    take(database, tmp_path, export_row(periode="2026 TW2", desil_nasional="9"), as_of=date(2026, 5, 1))
    assert ranked(database) == [(first, second, 4), (second, third, 9), (third, None, 3)]


def test_a_decile_is_corrected_by_a_later_word_on_its_quarter_and_not_by_an_earlier(
    database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(desil_nasional="4"), as_of=date(2026, 8, 1))
    take(database, tmp_path, export_row(desil_nasional="BELUM DITENTUKAN"), as_of=date(2026, 8, 5))
    take(database, tmp_path, export_row(desil_nasional="6"), as_of=date(2026, 8, 2))
    assert ranked(database) == [(date(2026, 7, 1), None, None)]


def test_the_period_can_be_given_where_no_column_says_it(database: Database, tmp_path: Path) -> None:
    columns = [name for name in EXPORT_COLUMNS if name != "periode"]
    with pytest.raises(FileUnusable, match="--period"):
        take(database, tmp_path, export_row(), columns=columns)
    take(database, tmp_path, export_row(), columns=columns, period="2026-Q2")
    assert ranked(database) == [(date(2026, 4, 1), None, 2)]
    with pytest.raises(BadInput, match="2026-Q3"):
        take(database, tmp_path, export_row(), period="Q2 2026")


def test_a_status_stays_until_something_younger_is_said(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(Keterangan_Padan="Y"), as_of=date(2026, 7, 1))
    take(database, tmp_path, export_row(Keterangan_Padan="", Keberadaan="Pindah"), as_of=date(2026, 8, 1))
    now = person(database)
    assert (now["identity_status"], now["identity_status_as_of"]) == ("matched", date(2026, 7, 1))
    assert (now["residence_status"], now["residence_status_as_of"]) == ("moved", date(2026, 8, 1))
    with database.unit_of_work() as connection:
        connection.execute(
            people.update().values(
                life_status="deceased", life_status_source="dukcapil", life_status_as_of=date(2026, 9, 1)
            )
        )
    take(database, tmp_path, export_row(Keberadaan="Tinggal"), as_of=date(2026, 8, 20))
    assert person(database)["life_status"] == "deceased"
    assert person(database)["residence_status"] == "resident"


_WORDS = (
    ({"status_dtsen": "DTSEN AKTIF"}, "registry_status", "active"),
    ({"status_dtsen": "DTSEN NONAKTIF"}, "registry_status", "inactive"),
    ({"status_dtsen": ""}, "registry_status", "active"),
    ({"status_dtsen": "DTSEN AKTIF - ASESMEN MENINGGAL", "Keberadaan": ""}, "life_status", "unknown"),
    ({"Keberadaan": "2"}, "life_status", "deceased"),
    ({"Keberadaan": "Meninggal Dunia"}, "life_status", "deceased"),
    ({"Keberadaan": ""}, "life_status", "unknown"),
    ({"Keberadaan": "4"}, "residence_status", "moved"),
    ({"Keberadaan": "Tidak Ditemukan"}, "residence_status", "unknown"),
    ({"Keterangan_Padan": "T"}, "identity_status", "unmatched"),
    ({"Keterangan_Padan": "Ganda"}, "identity_status", "duplicate"),
    ({"Keterangan_Padan": ""}, "identity_status", "not_checked"),
    ({"Kelayakan": "Tidak Layak"}, "welfare_status", "not_eligible"),
    ({"Kelayakan": ""}, "welfare_status", "unknown"),
)


def test_the_words_of_the_file_become_the_registrys(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, *(export_row(f"A{at}", **said) for at, (said, _, _) in enumerate(_WORDS)))
    for at, (said, status, kept) in enumerate(_WORDS):
        assert person(database, f"A{at}")[status] == kept, said


def test_a_missing_column_keeps_what_is_known_and_an_empty_value_does_not(
    database: Database, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row(), as_of=date(2026, 7, 1))
    columns = [name for name in EXPORT_COLUMNS if name != "Pekerjaan"]
    take(database, tmp_path, export_row(Alamat=""), columns=columns)
    now = person(database)
    assert now["occupation"] == "BURUH HARIAN LEPAS"
    assert now["address"] is None


def test_an_older_file_changes_nothing_but_history(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(Bansos_PKH="Y"), as_of=date(2026, 8, 1))
    before = person(database)
    older = export_row(Nama="LAMA", Bansos_PKH="T", periode="2026-Q2", desil_nasional="7")
    report = take(database, tmp_path, older, as_of=date(2026, 5, 1))
    assert (report.imported, report.unchanged) == (0, 1)
    assert person(database) == before
    assert enrolled(database) == [("PKH", date(2026, 7, 1), None)]
    assert ranked(database)[0] == (date(2026, 4, 1), date(2026, 7, 1), 7)


def test_an_enrolment_lasts_until_a_later_file_no_longer_lists_it(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(PBI_JKN="Y", Bansos_PKH="Ya"), as_of=date(2026, 8, 1))
    listed = export_row(PBI_JKN="1", Bansos_PKH="", periode="2026-Q4")
    take(database, tmp_path, listed, as_of=date(2026, 11, 1))
    third, fourth = date(2026, 7, 1), date(2026, 10, 1)
    assert enrolled(database) == [("PBI-JK", third, None), ("PKH", third, fourth)]
    take(
        database,
        tmp_path,
        export_row(PBI_JKN="T", Bansos_PKH="T", periode="2026-Q4"),
        as_of=date(2026, 11, 2),
    )
    take(
        database,
        tmp_path,
        export_row(PBI_JKN="Y", Bansos_PKH="Y", periode="2026-Q4"),
        as_of=date(2026, 11, 3),
    )
    assert enrolled(database) == [
        ("PBI-JK", third, fourth),
        ("PBI-JK", fourth, None),
        ("PKH", third, fourth),
        ("PKH", fourth, None),
    ]


def test_struck_off_and_listed_again_within_a_quarter_is_one_membership(
    database: Database, tmp_path: Path
) -> None:
    for day, flag in ((1, "Y"), (2, "T"), (3, "Y")):
        take(database, tmp_path, export_row(Bansos_PKH=flag), as_of=date(2026, 8, day))
    assert enrolled(database) == [("PKH", date(2026, 7, 1), None)]


def test_without_quarters_an_enrolment_begins_on_the_day_of_the_file(
    database: Database, tmp_path: Path
) -> None:
    columns = [name for name in EXPORT_COLUMNS if name not in {"periode", "desil_nasional"}]
    take(database, tmp_path, export_row(Bansos_BPNT="Y"), columns=columns)
    assert enrolled(database) == [("BPNT", AS_OF, None)]


_EXTRACT = {
    "nomor_induk_kependudukan": "3578085203849001",
    "nomor_kartu_keluarga": "3578080101189001",
    "nama": "SULASTRI CONTOH",
    "desil_nasional": "5",
    "pkh_flag": "1",
}


def _take_extract(database: Database, folder: Path, *rows: dict[str, str], day: int = 20) -> object:
    file = write_csv(folder / "dtsen.csv", rows, columns=list(_EXTRACT))
    return import_registry(
        database, file, period="2026-Q3", as_of=date(2026, 8, day), rejects=folder / "dtsen-rejects.csv"
    )


def test_an_extract_without_ids_finds_people_by_their_nik(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(desil_nasional="2"))
    before = person(database)
    _take_extract(database, tmp_path, _EXTRACT)
    now = person(database)
    assert now["id"] == before["id"]
    assert now["mother_name"] == before["mother_name"]
    assert (now["source"], now["as_of"]) == ("dtsen", date(2026, 8, 20))
    assert ranked(database) == [(date(2026, 7, 1), None, 5)]
    assert enrolled(database) == [("PKH", date(2026, 7, 1), None)]


def test_an_extract_cannot_say_which_of_two_people_it_means(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row("A"), export_row("B"))
    stranger = _EXTRACT | {"nomor_induk_kependudukan": "3578085203849002"}
    nobody = _EXTRACT | {"nomor_induk_kependudukan": ""}
    report = _take_extract(database, tmp_path, _EXTRACT, stranger, nobody)
    assert (report.imported, report.rejected) == (1, 2)  # type: ignore[attr-defined]
    rejects = (tmp_path / "dtsen-rejects.csv").read_text()
    assert "several people of the registry hold this NIK" in rejects
    assert "a NIK of 16 digits is needed" in rejects


def test_a_person_first_known_by_nik_keeps_their_id_when_the_registrys_key_comes(
    database: Database, tmp_path: Path
) -> None:
    _take_extract(database, tmp_path, _EXTRACT, day=1)
    with database.reading() as connection:
        before = connection.execute(select(people.c.id)).scalar_one()
    take(database, tmp_path, export_row("A"), as_of=date(2026, 8, 20))
    assert person(database, "A")["id"] == before
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(people)).scalar_one() == 1


def test_headings_may_be_spelled_in_many_ways(database: Database, tmp_path: Path) -> None:
    spelled = {"Id_DTKS": "ID DTKS", "NIK": " nik ", "Nama": "NAMA_LENGKAP", "Tanggal_Lahir": "Tgl. Lahir"}
    row = export_row()
    renamed = {spelled.get(name, name.upper().replace("_", " ")): value for name, value in row.items()}
    file = write_csv(tmp_path / "spelled.csv", [renamed], columns=list(renamed), delimiter=";")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    report = import_registry(database, file, as_of=AS_OF)
    assert report.imported == 1
    assert report.ignored == ("BANSOS BPNT PPKM",)
    assert person(database)["birth_date"] == date(1984, 3, 12)


def test_awkward_text_arrives_as_it_is(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path, export_row(Nama='SI "X", \\N\\t\\', Alamat="JL. A\nBLOK\tB\\", Dusun="\\."))
    now = person(database)
    assert now["full_name"] == 'SI "X", \\N\\t\\'
    assert now["address"] == "JL. A BLOK B\\"
    assert now["hamlet"] == "\\."


def _truncated(folder: Path) -> Path:
    whole = as_parquet(write_csv(folder / "whole.csv", [export_row()]))
    cut = folder / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-100])
    return cut


def _file(folder: Path, content: bytes, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


_HEADINGS = ",".join(EXPORT_COLUMNS).encode()
_LINE = ",".join(export_row(Nama=_CANARY).values()).encode()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "none.csv", "no such file"),
        (lambda folder: _file(folder, b""), "the file is empty"),
        (lambda folder: _file(folder, _HEADINGS + b"\n"), "no rows"),
        (lambda folder: _file(folder, _LINE, "export.xlsx"), r"expected \.csv or \.parquet"),
        (lambda folder: _file(folder, b"PK\x03\x04rest"), "a spreadsheet or Parquet file"),
        (lambda folder: _file(folder, "NIK,Nama".encode("utf-16")), "UTF-16"),
        (lambda folder: _file(folder, b"NIK,Nama,Tempat\xe9"), "headings are not UTF-8"),
        (
            lambda folder: _file(
                folder, _HEADINGS + b"\n" + _LINE + b"\n" + _LINE.replace(b"KANARI", b"KANARI\xe9")
            ),
            "not UTF-8 at line 3",
        ),
        (
            lambda folder: _file(folder, b"Id_DTKS,Nama\nA," + _CANARY.encode()),
            r"no column for NIK\. Found: Id_DTKS, Nama",
        ),
        (
            lambda folder: _file(folder, b"nik,NIK,nama\n1,2," + _CANARY.encode()),
            "'nik' and 'NIK' mean the same",
        ),
        (
            lambda folder: _file(
                folder, _HEADINGS + b"\n" + _LINE + b"," + b",".join([_CANARY.encode()] * 40)
            ),
            "far more values than the 29 headings",
        ),
        (
            lambda folder: _file(
                folder, _HEADINGS + b"\n" + b"\n".join([b"x," + _LINE.rpartition(b",")[0]] * 3)
            ),
            "the columns are shifted: in 3 of 3 rows",
        ),
        (_truncated, "not a whole Parquet file"),
    ],
)
def test_an_unusable_file_is_named_and_nothing_of_it_is_imported(
    embedded: Database, tmp_path: Path, make: object, told: str
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(FileUnusable, match=told) as caught:
        import_registry(embedded, path, as_of=AS_OF)
    assert _CANARY not in str(caught.value)
    assert str(path.name) in str(caught.value)
    assert everything(embedded) == []


def test_two_imports_at_once_take_turns(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    generate_people(file, 600, 14, with_personas=True)
    with ThreadPoolExecutor(max_workers=2) as threads:
        running = [
            threads.submit(import_registry, database, file, as_of=AS_OF, chunk_rows=40) for _ in range(2)
        ]
        reports = [each.result() for each in running]
    assert sum(report.imported for report in reports) == 610
    assert sum(report.unchanged for report in reports) == 610
    before = everything(database)
    assert import_registry(database, file, as_of=AS_OF).unchanged == 610
    assert everything(database) == before


def test_numbers_that_a_spreadsheet_rounded_are_noticed_over_the_whole_file(
    embedded: Database, tmp_path: Path
) -> None:
    rounded = [export_row(f"A{n}", NIK=f"3578085203849{n:02d}0") for n in range(30)]
    with pytest.raises(FileUnusable, match="30 of 30 NIKs end in 0"):
        take(embedded, tmp_path, *rounded)
    assert everything(embedded) == []


_KILLED = """
import sys
from datetime import date
from pathlib import Path
from gateway.database import Database
from gateway.registry.imports import import_registry

def told(done, total):
    print(done, flush=True)

database, file = Database(sys.argv[1]), Path(sys.argv[2])
import_registry(database, file, as_of=date(2026, 8, 1), chunk_rows=100, progress=told)
"""


@pytest.mark.parametrize("chunks", [1, 9])
def test_an_import_that_is_killed_and_run_again_ends_in_the_same_state(
    database: Database, database_url: str, tmp_path: Path, chunks: int
) -> None:
    file = tmp_path / "people.csv"
    generate_people(file, 2000, 13, with_personas=True)
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, database_url, str(file)], stdout=subprocess.PIPE, text=True
    ) as importing:
        assert importing.stdout is not None
        for _ in range(chunks):
            assert importing.stdout.readline()
        importing.kill()
    with database.reading() as connection:
        halfway = connection.execute(select(func.count()).select_from(people)).scalar_one()
        ids = set(connection.execute(select(people.c.id)).scalars())
    assert 100 * chunks <= halfway < 2010
    report = import_registry(database, file, as_of=AS_OF)
    assert report.read == 2010 == report.imported + report.unchanged
    assert report.unchanged == halfway
    with database.reading() as connection:
        assert ids <= set(connection.execute(select(people.c.id)).scalars())
    disturbed = everything(database, with_ids=False)
    with database.unit_of_work() as connection:
        for table in (enrolments, household_deciles, people, households):
            connection.execute(table.delete())
    import_registry(database, file, as_of=AS_OF)
    assert everything(database, with_ids=False) == disturbed
