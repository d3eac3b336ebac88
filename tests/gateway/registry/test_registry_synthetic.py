from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest
from lokal import parse_nik
from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands.people import generate
from gateway.errors import BadInput, FileUnusable
from gateway.registry.personas import EXPORT_COLUMNS, PERSONAS, persona
from gateway.registry.regions import RegionNames, known_regions
from gateway.registry.synthetic import RATES, generate_people

_COUNT = 20_000
Row = Mapping[str, str]


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Row]:
    path = tmp_path_factory.mktemp("synthetic") / "people.csv"
    assert generate_people(path, _COUNT, 5) == _COUNT
    return _rows(path)


@pytest.fixture(scope="module")
def families(rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    by_card: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_card[row["NoKK"]].append(row)
    return list(by_card.values())[:-1]  # the last may be cut short


def _born(row: Row) -> date:
    """The true birth date: of the century that fits, and with day and month as the NIK has them."""
    said = date.fromisoformat(row["Tanggal_Lahir"])
    if said.year < 1927:
        return said.replace(year=said.year + 100)
    return said


def test_every_row_is_marked_as_synthetic(rows: Sequence[Row]) -> None:
    assert len(rows) == _COUNT
    assert tuple(rows[0]) == EXPORT_COLUMNS
    for row in rows:
        assert row["Sintetis"] == "Y"
        assert row["Id_DTKS"].startswith("SINTETIS-5-")
        assert row["NoKK"][12] == "9"
        assert len(row["NIK"]) != 16 or row["NIK"][12] == "9"
    assert len({row["Id_DTKS"] for row in rows}) == _COUNT


def test_a_nik_is_built_as_an_independent_reader_expects(rows: Sequence[Row]) -> None:
    names = dict(known_regions())
    checked = 0
    for row in rows:
        # Who matches Dukcapil has no fault in number or date, except that of another holder's number.
        if row["Keterangan_Padan"] != "Y" or row["Tanggal_Lahir"][:2] not in {"19", "20"}:
            continue
        parsed = parse_nik(row["NIK"], reference_date=date(2026, 7, 1), lookup_wilayah=names.get)
        assert parsed.valid, row["Id_DTKS"]
        checked += 1
    assert checked > 0.8 * _COUNT


def test_the_number_agrees_with_sex_and_birth_date_save_for_the_stated_faults(rows: Sequence[Row]) -> None:
    disagreeing = 0
    for row in rows:
        if len(row["NIK"]) != 16:
            continue
        born = _born(row)
        day = born.day + (40 if row["Jenis_Kelamin"] == "P" else 0)
        disagreeing += row["NIK"][6:12] != f"{day:02d}{born.month:02d}{born.year % 100:02d}"
    stated = RATES["duplicate_nik"] + RATES["missing_plus_40"] / 2 + RATES["swapped_day_month"] * 12 / 31
    assert 0.5 * stated < disagreeing / _COUNT < 1.5 * stated


def test_the_stated_faults_occur_at_their_rates(rows: Sequence[Row]) -> None:
    niks = Counter(row["NIK"] for row in rows if len(row["NIK"]) == 16)
    prefixes = {code.replace(".", "") for code, _ in known_regions() if len(code) == 8}
    seen = {
        "missing_nik": sum(not row["NIK"] for row in rows),
        "malformed_nik": sum(len(row["NIK"]) == 15 for row in rows),
        "duplicate_nik": sum(count - 1 for count in niks.values()),
        "stale_prefix": sum(bool(row["NIK"]) and row["NIK"][:6] not in prefixes for row in rows),
        "single_word_name": sum(" " not in row["Nama"] for row in rows),
        "deceased": sum(row["Keberadaan"] == "Meninggal" for row in rows),
        "moved": sum(row["Keberadaan"] == "Pindah" for row in rows),
        "not_checked": sum(not row["Keterangan_Padan"] for row in rows),
    }
    for fault, count in seen.items():
        assert 0.6 * RATES[fault] < count / _COUNT < 1.4 * RATES[fault], fault
    matched = sum(row["Keterangan_Padan"] == "Y" for row in rows) / _COUNT
    assert 0.87 < matched < 0.94  # 90.3 % in 2021


def test_families_are_of_one_house_with_one_head(families: Sequence[Sequence[Row]]) -> None:
    shared = ("Provinsi", "Kabupaten_Kota", "Kecamatan", "Desa_Kelurahan", "Alamat", "Dusun", "RT", "RW")
    shared += ("desil_nasional", "Bansos_PKH", "Bansos_BPNT", "PBI_JKN")
    for family in families:
        assert len({tuple(row[name] for name in shared) for row in family}) == 1
        relations = Counter(row["Hub_Keluarga"] for row in family)
        assert relations["Kepala Keluarga"] == 1
        assert relations["Istri"] <= 1
        assert relations["Orang Tua"] <= 2
        assert set(relations) <= {"Kepala Keluarga", "Istri", "Anak", "Orang Tua"}
    sizes = [len(family) for family in families]
    assert 2.5 < sum(sizes) / len(sizes) < 4.5
    assert max(sizes) <= 8


def test_ages_and_mothers_fit_the_relations(families: Sequence[Sequence[Row]]) -> None:
    year = 365
    for family in families:
        head = next(row for row in family if row["Hub_Keluarga"] == "Kepala Keluarga")
        wife = next((row for row in family if row["Hub_Keluarga"] == "Istri"), None)
        mother = wife or head
        assert date(2026, 7, 1).year - _born(head).year >= 21
        for row in family:
            # Within a month or so: a swapped day and month moves a birth date by up to eleven months.
            if row["Hub_Keluarga"] == "Anak":
                assert (_born(row) - _born(mother)).days > 18 * year
                assert mother["Jenis_Kelamin"] == "P"
                assert abs(len(row["Nama_Ibu_Kandung"]) - len(mother["Nama"])) <= 1
            if row["Hub_Keluarga"] == "Orang Tua":
                assert (_born(head) - _born(row)).days > 18 * year
            assert date.fromisoformat(row["Tanggal_Lahir"]) <= date(2026, 7, 1)


def test_places_exist_and_provinces_weigh_as_their_people(rows: Sequence[Row]) -> None:
    names = RegionNames(known_regions())
    located = Counter(
        names.locate([row["Provinsi"], row["Kabupaten_Kota"], row["Kecamatan"], row["Desa_Kelurahan"]])
        for row in rows
    )
    assert None not in located
    in_village = sum(count for code, count in located.items() if code and len(code) == 13)
    assert in_village > 0.995 * _COUNT
    by_province = Counter[str]()
    for code, count in located.items():
        by_province[str(code)[:2]] += count
    # West Java holds 18.0 % of all people, East Java 14.7 %, Papua Barat 0.2 %.
    assert 0.15 < by_province["32"] / _COUNT < 0.21
    assert 0.12 < by_province["35"] / _COUNT < 0.18
    assert by_province["92"] / _COUNT < 0.01


def test_a_row_is_the_same_whatever_the_count(rows: Sequence[Row], tmp_path: Path) -> None:
    generate_people(tmp_path / "fewer.csv", 1234, 5)
    assert _rows(tmp_path / "fewer.csv") == list(rows[:1234])


def test_another_seed_gives_other_people(rows: Sequence[Row], tmp_path: Path) -> None:
    generate_people(tmp_path / "others.csv", 500, 6)
    others = {row["NIK"] for row in _rows(tmp_path / "others.csv") if row["NIK"]}
    assert len(others & {row["NIK"] for row in rows}) < 5


def test_parquet_holds_what_csv_holds(rows: Sequence[Row], tmp_path: Path) -> None:
    generate_people(tmp_path / "people.parquet", 700, 5)
    read = duckdb.execute(f"FROM '{tmp_path / 'people.parquet'}'").fetchall()
    assert read == [tuple(row.values()) for row in rows[:700]]


def test_a_population_file_says_where_people_live(tmp_path: Path) -> None:
    population = tmp_path / "population.csv"
    population.write_text(
        "code,name,population_male,population_female\n35,Jawa Timur,9,9\n35.78,Kota Surabaya,300,100\n"
        "35.06,Kabupaten Kediri,50,50\n"
    )
    generate_people(tmp_path / "people.csv", 4000, 5, population=population)
    places = Counter(row["Kabupaten_Kota"] for row in _rows(tmp_path / "people.csv"))
    assert set(places) == {"KOTA SURABAYA", "KABUPATEN KEDIRI"}
    assert 0.72 < places["KOTA SURABAYA"] / 4000 < 0.88


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "code,population_male,population_female\n99.99,1,1\n"])
def test_a_population_file_without_known_regencies_is_refused(tmp_path: Path, content: str) -> None:
    population = tmp_path / "population.csv"
    population.write_text(content)
    with pytest.raises(FileUnusable, match=r"population\.csv"):
        generate_people(tmp_path / "people.csv", 10, 5, population=population)
    assert not (tmp_path / "people.csv").exists()


@pytest.mark.parametrize(
    ("name", "count", "seed"),
    [("people.json", 1, 1), ("people.csv", 0, 1), ("people.csv", 1, -1), ("none/people.csv", 1, 1)],
)
def test_what_cannot_be_generated_is_refused(tmp_path: Path, name: str, count: int, seed: int) -> None:
    with pytest.raises(BadInput):
        generate_people(tmp_path / name, count, seed)


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    shares: list[float] = []
    generate_people(tmp_path / "people.parquet", 100, 5, progress=shares.append)
    assert shares[-1] == 1.0
    assert all(0 <= share <= 1 for share in shares)


def test_personas_come_first_and_are_like_nobody_else(rows: Sequence[Row], tmp_path: Path) -> None:
    assert generate_people(tmp_path / "people.csv", 50, 5, with_personas=True) == 50 + len(PERSONAS)
    written = _rows(tmp_path / "people.csv")
    assert [row["NIK"] for row in written[: len(PERSONAS)]] == [each.nik for each in PERSONAS]
    assert written[len(PERSONAS) :] == list(rows[:50])
    assert len({each.key for each in PERSONAS}) == len(PERSONAS)
    for each in PERSONAS:
        assert each.nik[12:15] == "999"
        assert set(each.row()) <= set(EXPORT_COLUMNS)
        assert persona(each.key) is each
        assert parse_nik(each.nik, reference_date=date(2026, 7, 1)).valid
    with pytest.raises(KeyError, match="eligible"):
        persona("nobody")


def test_the_commands_generate_and_import(tmp_path: Path) -> None:
    file, run = tmp_path / "people.csv", CliRunner(env={"GAPURA_HOME": str(tmp_path / "home")})
    made = run.invoke(app, ["people", "generate", "--count", "40", "--seed", "1", "--personas", str(file)])
    assert made.exit_code == 0, made.output
    assert f"50 synthetic people are in {file}." in made.output
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[1]]))
    first = run.invoke(app, ["registry", "import", str(file), "--as-of", "2026-08-01"])
    assert first.exit_code == 0, first.output
    assert "51 rows read as of 2026-08-01: 50 imported, 0 unchanged, 1 rejected." in first.output
    assert f"{file}.rejects.csv" in first.output
    assert "Columns without meaning here: Bansos_BPNT_PPKM" in first.output
    again = run.invoke(app, ["registry", "import", str(file)])
    assert "51 rows read as of 2026-08-01: 0 imported, 50 unchanged, 1 rejected." in again.output
    assert "is there already" in run.invoke(app, ["registry", "regions"]).output


def test_a_file_that_cannot_be_written_is_named() -> None:
    with pytest.raises(FileUnusable, match=r"people\.csv cannot be written"):
        generate(Path("/proc/people.csv"), 1, 5)  # not even root makes files there
