"""Four processes, ten thousand requests: what fits is counted exactly, whoever sends it."""

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

SPENDER = Path(__file__).with_name("spender.py")
ROOT = SPENDER.parents[3]
PROCESSES, EACH = 4, 2_500
TODAY = date(2026, 11, 21)


def _spend_at_once(database: Database, limits: dict[str, int]) -> Counter[str]:
    url = database.engine.url.render_as_string(hide_password=False)
    arguments = [str(EACH), json.dumps(limits)]
    processes = [
        subprocess.Popen(
            # Each process's own people begin where those of the one before it end.
            [sys.executable, "-m", "tests.gateway.limits.spender", url, str((1 + n) * EACH), *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all are waiting: let them spend at once
        assert process.stdin is not None
        process.stdin.write("spend\n")
        process.stdin.flush()
    codes: Counter[str] = Counter()
    for process in processes:
        codes.update(json.loads(process.communicate()[0]))
        assert process.returncode == 0
    return codes


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
    codes = _spend_at_once(world.database, limits)
    assert codes == {"spent": spent, refusal: PROCESSES * EACH - spent}
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    assert (use.requests, use.refused, use.subjects) == (10_000, 10_000 - spent, 2 * spent)


def test_people_whom_four_processes_ask_about_at_once_are_new_exactly_once(world: World) -> None:
    assert _spend_at_once(world.database, {}) == {"spent": PROCESSES * EACH}
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    assert (use.requests, use.subjects, use.new_people) == (10_000, 20_000, (1 + PROCESSES) * EACH)


def test_the_budget_of_new_people_is_spent_to_the_last_and_not_beyond(world: World) -> None:
    codes = _spend_at_once(world.database, {"new_people_per_day": 4_001})
    use = world.ledger().use(["bpjs-pbi-jk"], TODAY)["bpjs-pbi-jk"]
    # A request whose shared person is known by then still finds room for its own.
    assert use.new_people == 4_001
    assert codes["spent"] + codes["new_people_per_day_exceeded"] == use.requests == 10_000
    assert use.subjects == 2 * codes["spent"]
