"""The drawn people themselves: that the truth is true, and the defects are there."""

from __future__ import annotations

import ibis
import pytest

from tests.benchmarks.field_people import draw_field_people
from tests.gateway.reconciliation.linking.conftest import IBIS_WARNINGS, SEED, Linked

pytestmark = IBIS_WARNINGS

_DEFECTS = {
    *("missing_nik", "malformed_nik", "mistyped_nik", "missing_plus_40", "relatives_nik", "other_prefix"),
    *(
        "invented_serial",
        "muhammad",
        "old_spelling",
        "swapped_parts",
        "dropped_part",
        "nickname",
        "clan_name",
    ),
    *(
        "title",
        "mistyped_name",
        "placeholder_mother",
        "swapped_day_month",
        "first_of_january",
        "mistyped_date",
    ),
    *("moved_wife", "twin", "father_and_son", "namesake", "absent"),
}
# What must hold of registry row r and extract row e of one person when the defect is named.
_HOLDS = {
    "exact": "r.nik = e.nik",
    "missing_nik": "r.nik IS NULL",
    "malformed_nik": "length(r.nik) < 16",
    "missing_plus_40": "r.nik[7:8]::INT + 40 = e.nik[7:8]::INT AND e.sex = 'P'",
    "relatives_nik": "r.nik <> e.nik",
    "other_prefix": "r.nik[7:] = e.nik[7:]",
    "invented_serial": "r.nik[:12] = e.nik[:12]",
    "first_of_january": "strftime(r.birth_date, '%m%d') = '0101'",
    "swapped_day_month": "strftime(r.birth_date, '%m%d') = strftime(e.birth_date, '%d%m')",
    "placeholder_mother": "r.mother_name <> e.mother_name",
    "moved_wife": "r.family_card_number <> e.family_card_number",
    "twin": "true",
}


def test_every_defect_that_the_field_knows_is_drawn(linked: Linked) -> None:
    drawn = {defect for (defect,) in linked.rows("SELECT DISTINCT unnest(defects) FROM truth")}
    assert drawn == _DEFECTS | {"exact"}


@pytest.mark.parametrize("defect", _HOLDS)
def test_a_defect_is_named_only_where_it_is(linked: Linked, defect: str) -> None:
    right, rows = linked.rows(
        f"""SELECT count(*) FILTER ({_HOLDS[defect]}), count(*) FROM truth t
        JOIN field_registry r USING (person_id) JOIN field_extract e ON e.nik = t.nik
        WHERE list_contains(defects, '{defect}')"""  # noqa: S608 - our own words
    )[0]
    assert rows > 10
    assert right == rows


def test_the_absent_are_not_in_the_extract(linked: Linked) -> None:
    (wrong,) = linked.rows(
        "SELECT count(*) FROM truth WHERE (nik IS NULL) <> list_contains(defects, 'absent')"
    )
    assert wrong == (0,)


def test_everybody_is_marked_as_invented(linked: Linked) -> None:
    assert linked.rows(
        "SELECT count(*) FROM field_extract WHERE nik[13:]::INT NOT BETWEEN 9000 AND 9989"
    ) == [(0,)]
    assert linked.rows("SELECT bool_and(synthetic) FROM field_registry") == [(True,)]
    assert linked.rows("SELECT count(*) - count(DISTINCT nik) FROM field_extract") == [(0,)]


def test_the_same_seed_draws_the_same_people_and_another_draws_others() -> None:
    other = ibis.duckdb.connect(threads=1)
    digest = "SELECT bit_xor(hash(r)) FROM field_registry AS r"
    draw_field_people(2_000, SEED, other)
    once = other.con.execute(digest).fetchall()
    draw_field_people(2_000, SEED, other)
    assert other.con.execute(digest).fetchall() == once
    draw_field_people(2_000, SEED + 1, other)
    assert other.con.execute(digest).fetchall() != once
    other.disconnect()
