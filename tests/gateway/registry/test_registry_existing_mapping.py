"""What a mapping file may say, what it is told when it is wrong, and the command that tries it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.database import Database
from gateway.errors import SettingsInvalid, StoreUnavailable
from gateway.provision import check_provided
from gateway.registry import existing
from gateway.registry.existing.connector import open_existing_registry, provided_by
from gateway.registry.existing.mapping import read_mapping
from gateway.settings import load_settings
from gateway.sources.unconfigured import unconfigured_sources
from policies.library import load_policies
from tests.conftest import empty_postgres_database
from tests.gateway.registry.another_dtks import copy_registry, mapping_text, run, write_mapping
from tests.gateway.registry.files import export_row, take

_CANARY = "KANARI"
_SMALL = """
[people]
table = "individu"
key = "id"
as_of = "diperbarui"
[people.fields]
nik = "nik"
"""


@pytest.fixture
def their_url(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[str]:
    if database.is_sqlite:
        yield f"sqlite:///{tmp_path / 'their dtks.db'}"
        return
    with empty_postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


def _problems(file: Path) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        open_existing_registry(file, bytes(32)).close()
    return [problem.removeprefix(f"{file}: ") for problem in caught.value.problems]


def test_the_documented_example_is_a_mapping(tmp_path: Path) -> None:
    example = (existing.__doc__ or "").split("check-mapping FILE`:\n")[1]
    (tmp_path / "dtks.password").write_text("rahasia")
    (tmp_path / "dtks.password").chmod(0o600)
    mapping = read_mapping(write_mapping(tmp_path, example))
    assert {"decile", "decile_period", "enrolments", "household_size", "life_status"} < provided_by(mapping)
    assert mapping.url.password == "rahasia"
    assert "rahasia" not in repr(mapping)


def test_every_problem_of_the_file_is_told_at_once(tmp_path: Path) -> None:
    text = """
url = "postgresql://reader:KANARI@host/dtks"
password_file = "nowhere"
[people]
table = "individu"
key = "no_nik"
[people.fields]
nik = { column = "no_nik", values = { 1 = "2" } }
sex = { column = "jk", values = { 1 = "KANARI" } }
shoe_size = "sepatu"
birth_date = { column = "lahir", as_of = "kapan" }
[deciles]
table = "peringkat"
household = "kel"
decile = "desil"
starts_on = "mulai"
ends_on = "a"
last_day = "b"
[enrolments]
table = "kepesertaan"
programme = "prog"
starts_on = "mulai"
"""
    told = _problems(write_mapping(tmp_path, text))
    for place in (
        *("url: holds a password", "password_file:", "people.key: expected a column that outlives"),
        *("people.fields.nik.values:", "people.fields.sex.values: the words", "people.fields.shoe_size:"),
        *("people.fields.birth_date.as_of:", "people: the day", "deciles: either ends_on"),
        *("deciles.household: people.household", "enrolments: whose a row is"),
    ):
        assert any(problem.startswith(place) for problem in told), place
    assert len(told) == 11
    assert _CANARY not in "\n".join(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("url = ", "cannot be read as TOML"),
        (f"url = 'sqlite:///x'\npasword = '{_CANARY}'\n{_SMALL}", "pasword: Extra inputs"),
        (f"url = 'sqlite://'\n{_SMALL}", "expected the path of an SQLite file"),
        (f"url = '{_CANARY}'\n{_SMALL}", "expected an SQLAlchemy URL"),
        (f"url = 'oracle+cx_oracle://host/dtks'\n{_SMALL}", "its driver is not installed"),
        (f"url = 'sqlite:///x'\n{_SMALL.replace('id', '')}", "people.key"),
        ("url = 'sqlite:///x'\n[people]\nfields = 3", "people.fields"),
    ],
)
def test_a_file_that_cannot_be_followed_refuses_the_start_and_repeats_nothing(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        open_existing_registry(write_mapping(tmp_path, text), bytes(32))
    assert told in str(caught.value)
    assert _CANARY not in str(caught.value)


def test_a_password_that_others_may_read_refuses_the_start(tmp_path: Path) -> None:
    file = write_mapping(tmp_path, f"url = 'postgresql://r@h/d'\npassword_file = 'open'\n{_SMALL}")
    (tmp_path / "open").write_text(_CANARY)
    (tmp_path / "open").chmod(0o644)
    (told,) = _problems(file)
    assert "chmod 0600" in told
    assert _CANARY not in told


def test_a_database_that_is_not_there_is_an_outage_and_is_not_made(tmp_path: Path) -> None:
    file = write_mapping(tmp_path, f"url = 'sqlite:///{tmp_path / 'none.db'}'\n{_SMALL}")
    with pytest.raises(StoreUnavailable):
        open_existing_registry(file, bytes(32))
    assert not (tmp_path / "none.db").exists()


def test_every_column_that_is_missing_or_cannot_be_read_is_told_at_once(
    their_url: str, tmp_path: Path
) -> None:
    run(
        their_url,
        "CREATE TABLE individu (id BIGINT PRIMARY KEY, nik DOUBLE PRECISION, kk INTEGER, nama VARCHAR(9),"
        " lahir VARCHAR(10), mati DATE, jk SMALLINT, kel BIGINT)",
        "CREATE TABLE peringkat (kel VARCHAR(9), desil DOUBLE PRECISION, mulai DATE)",
    )
    text = (
        mapping_text(their_url, by_uuid=False).split("[people]")[0]
        + """
[people]
table = "individu"
key = "id"
household = "kel"
as_of_day = 2026-08-01
[people.fields]
nik = "nik"
full_name = "nama_lengkap"
birth_date = "lahir"
sex = "jk"
birth_place = "jk"
region = "mati"
[deciles]
table = "peringkat"
household = "kel"
decile = "desil"
starts_on = { column = "mulai", format = "%Y" }
[enrolments]
table = "kepesertaan"
person = "orang"
programme = "prog"
starts_on = "mulai"
"""
    )
    file = write_mapping(tmp_path, text, their_url)
    told = "\n".join(_problems(file))
    for words in (
        "people.fields.nik: expected text, or a whole number that holds 16 digits",
        "people.fields.full_name: expected a column nama_lengkap in individu, which has: id, jk, kel,",
        "people.fields.birth_date: expected a format",
        "people.fields.sex: expected text (or codes with their values), got individu.jk of type SMALLINT",
        "people.fields.birth_place: expected text",
        "people.fields.region: expected text such as 35.78.08.1003",
        "deciles.decile: expected a whole number or text, got peringkat.desil of type ",
        "deciles.starts_on: expected no format",
        "enrolments.table: expected a table or view kepesertaan, got none there",
    ):
        assert words in told
    file.write_text(
        text[: text.index("[enrolments]")]
        .replace('nik = "nik"', 'nik = "nama"')
        .replace('"nama_lengkap"', '"nama"')
        .replace('birth_date = "lahir"\nsex = "jk"\nbirth_place = "jk"\nregion = "mati"', "")
        .replace('decile = "desil"', 'decile = "kel"')
        .replace('{ column = "mulai", format = "%Y" }', '"mulai"')
    )
    (keys,) = _problems(file)
    assert "deciles.household: expected the type of people.household, BIGINT, got VARCHAR" in keys


def test_a_number_too_short_for_a_national_id_refuses_the_start(
    database: Database, their_url: str, tmp_path: Path
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite's INTEGER holds 64 bits")
    run(their_url, "CREATE TABLE individu (id BIGINT PRIMARY KEY, nik INTEGER, diperbarui DATE)")
    text = mapping_text(their_url, by_uuid=False).split("[people]")[0] + _SMALL
    (told,) = _problems(write_mapping(tmp_path, text, their_url))
    assert told.startswith("people.fields.nik: expected text")


def test_check_mapping_shows_shares_and_no_value(database: Database, their_url: str, tmp_path: Path) -> None:
    rows = [export_row(str(n), NIK=f"357808520384{n:04d}", Nama=_CANARY) for n in range(9)]
    take(database, tmp_path, *rows, export_row("X", NIK="", Nama=_CANARY))
    copy_registry(database, their_url)
    run(
        their_url,
        "UPDATE individu SET jk = 9 WHERE no_nik = '3578085203840001'",
        "DROP INDEX ix_individu_no_nik",
    )
    mapping = mapping_text(their_url, by_uuid=False).replace('occupation = "t_occupation"', "")
    file = write_mapping(tmp_path, mapping, their_url)
    shown = CliRunner().invoke(app, ["registry", "check-mapping", str(file)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "people: individu, 10 rows, the first 10 of them read" in shown.output
    lines = {line.split()[0]: line.split()[1:] for line in shown.output.splitlines() if line.split()}
    assert [word for word in lines["sex"] if word[0].isdigit()] == ["90.0", "10.0"]
    assert [word for word in lines["nik"] if word[0].isdigit()] == ["90.0", "10.0"]
    assert "Not mapped, so not provided: occupation" in shown.output
    assert "nik: no index begins with no_nik" in shown.output
    assert _CANARY not in shown.output
    assert "3578085203840001" not in shown.output


def test_an_agreement_that_needs_what_is_not_mapped_refuses_the_start(
    database: Database, their_url: str, tmp_path: Path
) -> None:
    take(database, tmp_path, export_row())
    copy_registry(database, their_url)
    text = mapping_text(their_url, by_uuid=False)
    book = load_policies(load_settings({}).policies)
    elsewhere = {"x": frozenset(name for name, one in book.dictionary.items() if one.source != "dtks")}
    others = unconfigured_sources(elsewhere, frozenset(), datetime(2026, 8, 1, tzinfo=UTC))
    for mapped in (text, text[: text.index("[deciles]")] + text[text.index("[enrolments]") :]):
        registry = open_existing_registry(write_mapping(tmp_path, mapped, their_url), bytes(32))
        if mapped == text:
            check_provided(book, [registry, *others])
        else:
            with pytest.raises(SettingsInvalid, match="the field decile, which no connector provides"):
                check_provided(book, [registry, *others])
        registry.close()


def test_a_file_is_not_imported_where_the_registry_is_another_database(
    tmp_path: Path,
) -> None:
    environment = {"GAPURA_HOME": str(tmp_path), "GAPURA_REGISTRY_FILE": str(tmp_path / "registry.toml")}
    told = CliRunner().invoke(app, ["registry", "import", "x.csv"], env=environment)
    assert told.exit_code != 0
    assert "only read" in str(told.exception)
    assert not (tmp_path / "gapura.db").exists()


def test_the_example_names_every_part() -> None:
    example = (existing.__doc__ or "").split("check-mapping FILE`:\n")[1]
    assert {"people", "deciles", "enrolments"} < tomllib.loads(example).keys()
