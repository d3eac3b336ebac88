"""The clause that delays what a person may learn: spelt out, with its law, and wider the longer it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.change import compare
from policies.disclosure import DisclosureDelay
from tests.policies.builders import DICTIONARY, an_agreement
from tests.policies.test_agreement import RULES, SOUND, loaded, problems

CLAUSE = "disclosure_delay:\n  days: 30\n  legal_basis: UU 0/2026 art. 1\n"


def test_without_the_clause_nothing_is_delayed(tmp_path: Path) -> None:
    assert loaded(tmp_path, SOUND).disclosure_delay is None


def test_the_clause_names_days_and_the_law_that_allows_them(tmp_path: Path) -> None:
    assert loaded(tmp_path, SOUND + CLAUSE).disclosure_delay == DisclosureDelay(30, "UU 0/2026 art. 1")


@pytest.mark.parametrize(
    ("clause", "told"),
    [
        ("disclosure_delay: 30\n", "disclosure_delay: expected a mapping"),
        ("disclosure_delay: {days: 30}\n", "legal_basis"),
        ("disclosure_delay: {legal_basis: UU 0/2026}\n", "days"),
        (CLAUSE.replace("30", "0"), "from 1 to 3650"),
        (CLAUSE.replace("30", "3651"), "from 1 to 3650"),
        (CLAUSE.replace("UU 0/2026 art. 1", "''"), "legal_basis"),
    ],
)
def test_a_delay_that_is_not_spelt_out_is_refused(tmp_path: Path, clause: str, told: str) -> None:
    (problem,) = problems(tmp_path, SOUND + clause)
    assert told in problem


@pytest.mark.parametrize(
    ("before", "after", "ways"),
    [
        (None, 30, {"disclosure_delay.days": "wider"}),
        (30, 31, {"disclosure_delay.days": "wider"}),
        (30, 29, {"disclosure_delay.days": "narrower"}),
        (30, None, {"disclosure_delay.days": "narrower"}),
        (30, 30, {}),
    ],
)
def test_hiding_longer_is_wider_and_telling_earlier_is_narrower(
    before: int | None, after: int | None, ways: dict[str, str]
) -> None:
    old, new = (
        an_agreement(disclosure_delay=days and DisclosureDelay(days, "UU 0/2026")) for days in (before, after)
    )
    change = compare(old, new, DICTIONARY, RULES, "BPJS")
    assert {item.path: item.way for item in change.items} == ways


def test_another_law_for_the_same_delay_needs_a_second_person() -> None:
    old, new = (an_agreement(disclosure_delay=DisclosureDelay(30, law)) for law in ("UU 0/2026", "UU 1/2026"))
    change = compare(old, new, DICTIONARY, RULES, "BPJS")
    assert change.direction == "widening"


def test_a_first_version_that_delays_says_so_to_its_approver() -> None:
    new = an_agreement(disclosure_delay=DisclosureDelay(30, "UU 0/2026"))
    told = [item.words.en for item in compare(None, new, DICTIONARY, RULES, "BPJS").items]
    assert "BPJS: the delay before the person can know of it, in days becomes 30 (was 0)." in told
