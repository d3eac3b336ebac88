"""What watches the gateway: rules by promtool, dashboards against a real scrape, a runbook for each alert."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import empty_postgres_database
from tests.deploy.alerting import ILLNESSES, scenarios
from tests.living import LivingGateway, living_gateway

DEPLOY = Path(__file__).parents[2] / "deploy"
MONITORING = DEPLOY / "monitoring"
RULES_FILE = MONITORING / "alerts.yml"
RULES: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
_NAME = re.compile(r"\b(gapura_[a-z_]+|up)\b(?=[{\[ )]|$)", re.MULTILINE)

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing (apt-get install prometheus)"
)


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def _expressions(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def _named(expression: str) -> set[str]:
    """The metrics of an expression; of a label's text, or of a function, nothing."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', '""', expression)))


@pytest.fixture(scope="module")
def scraped(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """Every name of a series that a gateway on PostgreSQL has, with all types that it declares."""
    home = tmp_path_factory.mktemp("home")
    with empty_postgres_database(postgres_server) as url, living_gateway(home, url) as gateway:
        yield _names_in(gateway)


def _names_in(gateway: LivingGateway) -> set[str]:
    text = gateway.http.get(f"{gateway.url}/metrics").text
    names = {"up"}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


@needs_promtool
def test_prometheus_finds_nothing_wrong_with_the_rules_and_its_configuration() -> None:
    for command, file in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        said = _promtool("check", command, str(MONITORING / file))
        assert said.returncode == 0, said.stdout + said.stderr


@needs_promtool
def test_each_illness_rings_its_own_alert_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "tests.yml"
    tests = {"rule_files": [str(RULES_FILE)], "evaluation_interval": "5m", "tests": list(scenarios())}
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")
    said = _promtool("test", "rules", str(file))
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_alert_has_an_illness_to_be_tried_on() -> None:
    assert {alert for alerts in ILLNESSES for alert in alerts} == {rule["alert"] for rule in RULES}


def test_every_alert_has_one_entry_in_the_runbook_and_every_entry_an_alert() -> None:
    entries = re.findall(r"^### (Gapura\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(entries) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_in_two_languages_what_it_means_for_people(rule: dict[str, Any]) -> None:
    told = rule["annotations"]
    assert all(told[name] for name in ("summary", "summary_en", "description", "description_en"))
    assert told["summary"] != told["summary_en"]
    assert told["runbook"] == f"RUNBOOK.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_entry_says_what_to_look_at_what_to_do_and_what_not(rule: dict[str, Any]) -> None:
    entry = RUNBOOK.partition(f"\n### {rule['alert']}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    for word in ("**Artinya.**", "**Means.**", "**Look.**", "**Do.**", "**Do not.**", "**Tell.**"):
        assert entry.count(word) == 1, word


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_what_a_gateway_really_tells(rule: dict[str, Any], scraped: set[str]) -> None:
    assert _named(rule["expr"])
    assert _named(rule["expr"]) <= scraped


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_a_dashboard_names_what_a_gateway_really_tells(file: Path, scraped: set[str]) -> None:
    board = json.loads(file.read_text(encoding="utf-8"))
    assert board["uid"] == file.stem
    for expression in _expressions(board):
        assert _named(expression), expression
        assert _named(expression) <= scraped, expression


def test_every_metric_of_a_gateway_is_on_a_dashboard_or_in_an_alert(scraped: set[str]) -> None:
    boards = [json.loads(file.read_text(encoding="utf-8")) for file in BOARDS]
    named = {name for board in boards for one in _expressions(board) for name in _named(one)}
    named |= {name for rule in RULES for name in _named(rule["expr"])}
    unseen = {name for name in scraped - named if not name.endswith(("_sum", "_count", "_created"))}
    assert unseen == set()


@needs_promtool
def test_prometheus_reads_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    boards = [json.loads(file.read_text(encoding="utf-8")) for file in BOARDS]
    records = [
        {"record": f"board:expression:{number}", "expr": expression}
        for number, expression in enumerate(one for board in boards for one in _expressions(board))
    ]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": records}]}), encoding="utf-8")
    said = _promtool("check", "rules", str(file))
    assert said.returncode == 0, said.stdout + said.stderr


def test_panels_stand_beside_each_other_and_never_upon() -> None:
    for file in BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, (file.name, panel["title"])
            taken |= cells
