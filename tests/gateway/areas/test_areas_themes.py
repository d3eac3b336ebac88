"""Values of regions enter the store as a table for one theme, level and day, and replace only that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from gateway.areas.rejects import REASONS
from gateway.areas.tables import area_values
from gateway.areas.themes import Table, ValuesReport, import_values
from gateway.database import Database
from gateway.errors import BadInput, FileUnusable
from gateway.migrations import migrate

DAY, EARLIER = date(2026, 1, 1), date(2025, 1, 1)
RISK = Table("disaster_risk", "regency", DAY, "tests")


def held(database: Database, day: date = DAY) -> dict[str, str]:
    with database.reading() as connection:
        rows = connection.execute(select(area_values).where(area_values.c.as_of == day))
        return {row.code: row.value for row in rows}


def table(folder: Path, text: str) -> Path:
    path = folder / "risk.csv"
    path.write_text(text, encoding="utf-8")
    return path


def counts(report: ValuesReport) -> tuple[int, ...]:
    return report.new, report.changed, report.unchanged, report.gone, report.kept


def test_a_table_replaces_the_one_before_and_writes_only_what_differs(
    database: Database, tmp_path: Path
) -> None:
    first = table(tmp_path, "code,value\n35.78,high\n35.25,low\n35.06,medium\n")
    assert counts(import_values(database, first, RISK)) == (3, 0, 0, 0, 0)
    assert counts(import_values(database, first, RISK)) == (0, 0, 3, 0, 0)
    second = table(tmp_path, "code,value\n35.78,high\n35.25,medium\n51.03,low\n")
    assert counts(import_values(database, second, RISK)) == (1, 1, 1, 1, 0)
    assert held(database) == {"35.78": "high", "35.25": "medium", "51.03": "low"}


def test_other_days_and_levels_stay(database: Database, tmp_path: Path) -> None:
    path = table(tmp_path, "code,value\n35.78,high\n")
    import_values(database, path, Table("disaster_risk", "regency", EARLIER, "tests"))
    province = table(tmp_path, "code,value\n35,low\n")
    import_values(database, province, Table("disaster_risk", "province", DAY, "tests"))
    import_values(database, table(tmp_path, "code,value\n51.03,low\n"), RISK)
    assert held(database, EARLIER) == {"35.78": "high"}
    assert held(database) == {"35": "low", "51.03": "low"}


def test_a_spreadsheet_s_own_habits_are_read(database: Database, tmp_path: Path) -> None:
    text = "\N{ZERO WIDTH NO-BREAK SPACE}Kabupaten;VALUE ; Code\nSurabaya; Tinggi ;35.78\n;SEDANG;35.25\n"
    import_values(database, table(tmp_path, text), RISK)
    assert held(database) == {"35.78": "high", "35.25": "medium"}


def test_rows_that_cannot_be_believed_are_told_and_what_stood_there_stays(
    database: Database, tmp_path: Path
) -> None:
    import_values(database, table(tmp_path, "code,value\n35.78,high\n35.25,low\n35.06,low\n"), RISK)
    heard: list[tuple[int, str | None, str]] = []
    text = "code,value\n35.78,enormous\n3525,low\n35.06,low\n35.06,high\n,low\n35,low\n51.03\n51.04,low\n"
    report = import_values(
        database, table(tmp_path, text), RISK, on_rejected=lambda *told: heard.append(told)
    )
    assert heard == [
        (1, "35.78", "unknown_value"),
        (2, None, "bad_code"),
        (4, "35.06", "repeated"),
        (5, None, "short_row"),
        (6, None, "bad_code"),
        (7, "51.03", "short_row"),
    ]
    assert report.rejected == {"unknown_value": 1, "bad_code": 2, "repeated": 1, "short_row": 2}
    assert {reason for _, _, reason in heard} <= REASONS.keys()
    assert held(database) == {"35.78": "high", "35.06": "low", "51.04": "low"}
    assert counts(report) == (1, 0, 0, 1, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column code and no column value"),
        (b"kode,nilai\n35.78,low\n", "no column code and no column value"),
        (b"code;risk\n35.78;low\n", "no column value"),
        (b"code,value\n35.78,l\xffw\n", "cannot be read as CSV"),
        (b"code,value\n" + b"x" * 200_000, "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    tmp_path: Path, database: Database, content: bytes, told: str
) -> None:
    path = tmp_path / "risk.csv"
    path.write_bytes(content)
    with pytest.raises(FileUnusable, match=told):
        import_values(database, path, RISK)
    with pytest.raises(FileUnusable, match="FileNotFoundError"):
        import_values(database, tmp_path / "none.csv", RISK)


def test_a_table_of_which_nothing_is_believed_replaces_nothing(database: Database, tmp_path: Path) -> None:
    import_values(database, table(tmp_path, "code,value\n35.78,high\n"), RISK)
    for text in ("code,value\n", "code,value\n35.78,?\n", "code,value\n35.78,low\n35.78,high\n"):
        with pytest.raises(BadInput, match="no row can be believed"):
            import_values(database, table(tmp_path, text), RISK)
    assert held(database) == {"35.78": "high"}


def test_an_unknown_theme_is_told_with_those_that_exist(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Themes: disaster_risk"):
        import_values(database, tmp_path / "any.csv", Table("decile", "regency", DAY, "tests"))


_CODES = st.sampled_from(["35.06", "35.25", "35.78", "51.03", "3578", "35"])
_ROWS = st.lists(st.tuples(_CODES, st.sampled_from(["low", "Tinggi", "sedang", "?"])), max_size=12)
_WORDS: Mapping[str, str] = {"low": "low", "Tinggi": "high", "sedang": "medium"}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Database:
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('themes') / 'gapura.db'}")
    migrate(opened)
    return opened


@given(stored=st.dictionaries(st.sampled_from(["35.06", "35.25", "51.03"]), st.just("low")), rows=_ROWS)
def test_the_store_holds_what_a_reader_of_the_file_would_write_down(
    embedded: Database,
    tmp_path_factory: pytest.TempPathFactory,
    stored: dict[str, str],
    rows: list[tuple[str, str]],
) -> None:
    """Oracle: a code counts if every row that names it says the same known word; else its old value stays."""
    with embedded.unit_of_work() as connection:
        connection.execute(area_values.delete())
        said = {"theme": "disaster_risk", "level": "regency", "as_of": DAY, "source": "tests"}
        if stored:
            connection.execute(
                insert(area_values), [{**said, "code": c, "value": v} for c, v in stored.items()]
            )
    expected: dict[str, str] = {}
    for code in {code for code, _ in rows if len(code) == 5}:
        words = {_WORDS.get(value) for named, value in rows if named == code}
        if len(words) == 1 and (word := words.pop()):
            expected[code] = word
        elif code in stored:
            expected[code] = stored[code]
    text = "code,value\n" + "".join(f"{code},{value}\n" for code, value in rows)
    path = table(tmp_path_factory.getbasetemp(), text)
    try:
        import_values(embedded, path, RISK)
    except BadInput:
        expected = stored
    assert held(embedded) == expected
