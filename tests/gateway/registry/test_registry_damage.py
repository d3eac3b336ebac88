"""Damage that looks like data: refused as a whole, with what to do, and nothing imported."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway.database import Database
from gateway.errors import BadInput, FileUnusable
from tests.gateway.registry.files import export_row, person, take


def test_niks_that_a_spreadsheet_rounded_to_15_digits_do_not_overwrite_good_ones(
    database: Database, tmp_path: Path
) -> None:
    good = [export_row(f"P{n}", NIK=f"35780852038{9001 + n * 7:05d}") for n in range(40)]
    take(database, tmp_path, *good)
    with pytest.raises(FileUnusable, match="NIK as text"):
        take(database, tmp_path, *(row | {"NIK": row["NIK"][:15] + "0"} for row in good))
    assert person(database, "P3")["nik"] == good[3]["NIK"]


def test_a_handful_of_niks_may_end_in_0(database: Database, tmp_path: Path) -> None:
    rows = [export_row(f"P{n}", NIK=f"357808520384{9000 + n * 10:04d}") for n in range(8)]
    assert take(database, tmp_path, *rows).imported == 8


def test_a_file_cannot_speak_of_a_day_to_come(database: Database, tmp_path: Path) -> None:
    clock = datetime(2026, 8, 2, tzinfo=UTC)
    with pytest.raises(BadInput, match="to come"):
        take(database, tmp_path, export_row(), as_of=date(2062, 8, 2), clock=lambda: clock)
