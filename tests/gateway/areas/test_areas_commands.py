"""`gapura areas` as an operator types it, against BIG's simulator and files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from shapely.geometry import box, mapping
from typer.testing import CliRunner

from connectors.big.areas import BIG_ATTRIBUTES, PLAIN_ATTRIBUTES
from connectors.big.codes import LEVELS
from connectors.simulators.big import BigSimulator, Feature, village
from gateway.commands.areas import app
from gateway.errors import BadInput, Conflict, FileUnusable, NotFound
from gateway.shrinking import Held
from tests.connectors.simulated import Stage, served
from tests.gateway.areas.maps import write_geojson

STAGE = Stage()
EDITION = ("--edition", "contoh-2025", "--valid-from", "2025-04-25")
LAYER = "BATASWILAYAH/BATAS_DESAKEL_AR"


def desa(code: str, name: str, west: float, **changed: object) -> Feature:
    return village(code, name, mapping(box(west, -8, west + 1, -7)), **changed)  # type: ignore[arg-type]  # attributes


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(STAGE) as url:
        yield url


@pytest.fixture
def big(address: str, tmp_path: Path) -> BigSimulator:
    rows = [desa(f"35.78.08.10{n:02d}", f"Desa {n}", 100 + n) for n in range(1, 10)]
    rows.append(desa("51.03.01.2001", "Desa Bali", 115))
    rows.append(desa("35.78.08.1099", "Tanpa kode", 120, KDEPUM=None))
    simulator = BigSimulator({LAYER: rows}, max_records=4)
    STAGE.app = simulator.app
    settings = f'[big]\nbase_url = "{address}/rbi/rest/services"\n'
    layers = f'max_attempts = 1\n[big.layers]\nvillage = "/{LAYER}/MapServer/0"\n'
    (tmp_path / "sources.toml").write_text(settings + layers, encoding="utf-8")
    return simulator


def gapura(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, words, env={"GAPURA_HOME": str(home), "COLUMNS": "200"})


def pull(home: Path, *words: str) -> Result:
    return gapura(
        home, "import", "big", "--level", "village", *EDITION, "--file", str(home / "sources.toml"), *words
    )


def test_a_pull_from_the_map_server_page_by_page_then_again(big: BigSimulator, tmp_path: Path) -> None:
    first = pull(tmp_path)
    assert first.exit_code == 0, first.output
    assert "11 features read; 10 areas new, 0 changed, 0 unchanged, 0 gone" in first.output
    assert "1 rejected: without a region code" in first.output
    assert len([one for one in big.asked if "resultOffset" in one]) > 2, "paging was forced"
    again = pull(tmp_path)
    assert "0 areas new, 0 changed, 10 unchanged, 0 gone" in again.output


def test_what_was_rejected_is_listed_for_its_owner_alone_and_without_geometry(
    big: BigSimulator, tmp_path: Path
) -> None:
    del big
    result = pull(tmp_path)
    path = tmp_path / "areas-rejected.csv"
    assert str(path) in result.output
    assert path.stat().st_mode & 0o777 == 0o600
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert (row["code"], row["alasan"], row["reason"]) == ("", "tanpa kode wilayah", "without a region code")
    assert "coordinates" not in path.read_text(encoding="utf-8")


def test_only_a_part_is_asked_for_and_only_that_part_changes(big: BigSimulator, tmp_path: Path) -> None:
    pull(tmp_path)
    big.layers = {LAYER: [desa("51.03.01.2001", "Desa Baru", 115)]}
    result = pull(tmp_path, "--within", "51")
    assert "1 features read; 0 areas new, 1 changed, 0 unchanged, 0 gone" in result.output
    assert "KDPPUM = '51'" in {one.get("where") for one in big.asked}
    assert "village (contoh-2025): 35.78.08.1001 Desa 1" in gapura(tmp_path, "locate", "101.5", "-7.5").output


def test_a_pull_that_fails_changes_nothing_and_says_why(big: BigSimulator, tmp_path: Path) -> None:
    pull(tmp_path)
    big.layers = {LAYER: [desa("35.78.08.1001", "Lain", 101)] * 9}
    big.next_answers.extend(["http_503"])
    result = pull(tmp_path)
    assert result.exit_code == 1
    assert "gave no complete layer, nothing changed" in result.output
    assert "503" in result.output
    assert "35.78.08.1001 Desa 1" in gapura(tmp_path, "locate", "101.5", "-7.5").output


def test_a_level_that_no_layer_holds_is_told(big: BigSimulator, tmp_path: Path) -> None:
    del big
    file = str(tmp_path / "sources.toml")
    result = gapura(tmp_path, "import", "big", "--level", "regency", *EDITION, "--file", file)
    assert isinstance(result.exception, NotFound)
    assert "configured levels: village" in str(result.exception)


def test_a_file_is_imported_listed_and_located(tmp_path: Path) -> None:
    assert "No map has been imported" in gapura(tmp_path, "list").output
    squares = {"35.78": ("Kota Surabaya", (112.0, -8.0)), "35.25": ("Gresik", (111.0, -8.0))}
    path = write_geojson(tmp_path / "kab.geojson", squares)
    result = gapura(tmp_path, "import", str(path), "--level", "regency", *EDITION)
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "areas-rejected.csv").exists()
    listed = gapura(tmp_path, "list").output.splitlines()
    assert listed[-1].split()[:6] == ["contoh-2025", "2025-04-25", "-", "regency", "2", "kab.geojson"]
    where = {
        ("112.75", "-7.25"): "regency (contoh-2025): 35.78 Kota Surabaya",
        ("112", "-7.5"): "on the border of 35.25 Gresik and 35.78 Kota Surabaya: nobody can tell",
        ("120", "-5"): "none; the point is at sea, or outside what was imported",
    }
    for point, told in where.items():
        assert told in gapura(tmp_path, "locate", *point).output
    past = gapura(tmp_path, "locate", "112.75", "-7.25", "--on", "2024-01-01")
    assert isinstance(past.exception, BadInput)
    assert "No edition in the store is in force on 2024-01-01" in str(past.exception)


def test_an_import_that_believes_nothing_says_where_the_reasons_are(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "kab.geojson", {"3578": ("Surabaya", (112.0, -8.0))})
    rejects = tmp_path / "why.csv"
    result = gapura(tmp_path, "import", str(path), "--level", "regency", *EDITION, "--rejects", str(rejects))
    assert isinstance(result.exception, BadInput)
    assert f"one by one: {rejects}" in result.output
    assert "bukan kode Kemendagri" in rejects.read_text(encoding="utf-8")


def test_mistakes_reach_the_operator_as_errors_with_a_remedy(tmp_path: Path) -> None:
    path = str(write_geojson(tmp_path / "kab.geojson", {"35.78": ("Surabaya", (112.0, -8.0))}))
    gapura(tmp_path, "import", path, "--level", "regency", *EDITION)
    other_day = (*EDITION[:3], "2024-01-01")
    assert isinstance(gapura(tmp_path, "import", path, "--level", "regency", *other_day).exception, Conflict)
    missing = gapura(tmp_path, "import", str(tmp_path / "no.geojson"), "--level", "regency", *EDITION)
    assert isinstance(missing.exception, FileUnusable)
    assert gapura(tmp_path, "import", path, "--level", "kabupaten", *EDITION).exit_code == 2


def test_values_are_imported_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "risiko.csv"
    path.write_text("code,value\n35.78,tinggi\n35.25,?\n", encoding="utf-8")
    words = ("values", str(path), "--theme", "disaster_risk", "--level", "regency", "--as-of", "2026-01-01")
    result = gapura(tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert "disaster_risk as of 2026-01-01: 1 values new, 0 changed, 0 unchanged, 0 gone." in result.output
    assert "1 rejected: the theme knows no such value" in result.output
    rejects = tmp_path / "risiko.csv.rejects.csv"
    assert rejects.stat().st_mode & 0o777 == 0o600
    assert "?" not in rejects.read_text(encoding="utf-8")
    assert "0 values new, 0 changed, 1 unchanged" in gapura(tmp_path, *words).output


def test_the_help_names_every_property_that_is_read_of_a_file(tmp_path: Path) -> None:
    told = gapura(tmp_path, "import", "--help").output
    rows = {line.split()[0]: set(line.split()[1:]) - {"or"} for line in told.splitlines() if "KD" in line}
    assert rows == {
        level: {
            *(name for attributes in (BIG_ATTRIBUTES, PLAIN_ATTRIBUTES) for name in attributes.codes[level]),
            *(name for attributes in (BIG_ATTRIBUTES, PLAIN_ATTRIBUTES) for name in attributes.names[level]),
        }
        for level in LEVELS
    }


def test_a_file_that_lost_its_half_is_held_and_taken_when_that_is_accepted(tmp_path: Path) -> None:
    both = {"35.78": ("Surabaya", (112.0, -8.0)), "35.25": ("Gresik", (111.0, -8.0))}
    path = write_geojson(tmp_path / "kab.geojson", both)
    words = ("import", str(path), "--level", "regency", *EDITION)
    gapura(tmp_path, *words)
    write_geojson(path, {"35.78": ("Surabaya", (112.0, -8.0))})
    held = gapura(tmp_path, *words)
    assert isinstance(held.exception, Held)
    assert "--accept-shrink" in str(held.exception)
    assert "2" in gapura(tmp_path, "list").output.splitlines()[-1].split()
    assert "1 unchanged, 1 gone" in gapura(tmp_path, *words, "--accept-shrink").output
    table = tmp_path / "risiko.csv"
    values = ("values", str(table), "--theme", "disaster_risk", "--level", "regency", "--as-of", "2026-01-01")
    table.write_text("code,value\n35.78,tinggi\n35.25,tinggi\n", encoding="utf-8")
    gapura(tmp_path, *values)
    table.write_text("code,value\n35.78,tinggi\n", encoding="utf-8")
    assert isinstance(gapura(tmp_path, *values).exception, Held)
    assert "1 gone" in gapura(tmp_path, *values, "--accept-shrink").output
