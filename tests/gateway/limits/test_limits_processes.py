"""Four processes, thousands of requests: what fits is counted exactly, whoever sends it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gateway.database import Database
from tests.gateway.limits.world import World

ROOT = Path(__file__).parents[3]
PROCESSES, EACH = 4, 2_500
FEWER = 500  # each, where it takes no more for them to meet
TODAY = date(2026, 11, 21)


def _spend_at_once(database: Database, limits: dict[str, int], each: int) -> Counter[str]:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.gateway.limits.spender", url, str(PROCESSES), str(each)]
    said = subprocess.run(
        [*command, json.dumps(limits)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    assert len(said) == PROCESSES
    return sum((Counter(json.loads(codes)) for codes in said), Counter())


@pytest.mark.parametrize(
    ("limits", "refusal", "spent"),
    [
        ({"requests_per_minute": 6_001}, "requests_per_minute_exceeded", 6_001),
        ({"subjects_per_day": 7_003}, "subjects_per_day_exceeded", 3_501),
    ],
    ids=["requests", "subjects"],
)
def test_four_processes_with_ten_thousand_requests_spend_exactly_the_limit(
    world: World, limits: dict[str, int], refusal: str, spent: int
) -> None:
    codes = _spend_at_once(world.database, limits, EACH)
    assert codes == {"spent": spent, refusal: PROCESSES * EACH - spent}
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    assert (use.requests, use.refused, use.subjects) == (10_000, 10_000 - spent, 2 * spent)


def test_people_whom_four_processes_ask_about_at_once_are_new_exactly_once(world: World) -> None:
    assert _spend_at_once(world.database, {}, FEWER) == {"spent": PROCESSES * FEWER}
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    assert (use.requests, use.subjects, use.new_people) == (2_000, 4_000, (1 + PROCESSES) * FEWER)


def test_the_budget_of_new_people_is_spent_to_the_last_and_not_beyond(world: World) -> None:
    codes = _spend_at_once(world.database, {"new_people_per_day": 801}, FEWER)
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    # A request whose shared person is known by then still finds room for its own.
    assert use.new_people == 801
    assert codes["spent"] + codes["new_people_per_day_exceeded"] == use.requests == 2_000
    assert use.subjects == 2 * codes["spent"]
