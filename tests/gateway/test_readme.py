"""The README is true: its links lead somewhere, its commands exist, its example is what really comes back."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.living import LivingGateway

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What differs from one run to the next, or with any edit of a policy file.
VOLATILE = {"exchange_id", "as_of", "on_date", "sha256", "pseudonym"}


def _stable(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: "..." if key in VOLATILE else _stable(value) for key, value in part.items()}
    return [_stable(item) for item in part] if isinstance(part, list) else part


def test_the_example_is_what_comes_back(gateway: LivingGateway) -> None:
    request, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL))
    response = gateway.post("bpjs-kesehatan", "/v1/eligibility", request)
    assert _stable(response.json()) == _stable(answer)


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_a_python_client_of_others_gets_its_answer(gateway: LivingGateway, program: str) -> None:
    for demos, ours in (
        ("http://127.0.0.1:8080", gateway.url),
        (".gapura/demo-consumers", str(gateway.settings.home / "demo-consumers")),
    ):
        assert demos in program
        program = program.replace(demos, ours)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "A-17 eligible\n"), done.stderr


def test_the_command_that_asks_shows_the_answer_and_with_i_its_header_fields(gateway: LivingGateway) -> None:
    (line,) = re.findall(r"^\.venv/bin/gapura (ask .*)$", README, re.MULTILINE)
    settings = gateway.settings
    environment = {"GAPURA_HOME": str(settings.home), "GAPURA_PORT": str(settings.port)}
    plain, with_head = (
        CliRunner().invoke(app, [*shlex.split(line), *more], env=environment) for more in ((), ("-i",))
    )
    assert json.loads(plain.stdout)["results"][0]["decision"] == "eligible"
    head, _, body = with_head.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 200 OK\n")
    assert {"gapura-receipt", "ratelimit"} <= {field.split(":")[0] for field in head.splitlines()[1:]}
    assert json.loads(body)["results"][0]["decision"] == "eligible"


def test_every_link_and_path_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.removeprefix("#") in anchors if target.startswith("#") else (ROOT / target).exists(), (
            target
        )
    for path in re.findall(r"`((?:gateway|policies|connectors|tests|deploy)/[\w/.-]*)`", README):
        place = (ROOT / path).parent if Path(path).stem.isupper() else ROOT / path  # ID.yaml stands for any
        assert place.exists(), path


GROUPS = frozenset(
    {"agreements", "areas", "audit", "consumers", "keys"}
    | {"people", "registry", "rights", "sources", "staff"}
)
COMMANDS = sorted(set(re.findall(r"^(?:\.venv/bin/)?gapura ((?:[a-z-]+ ?){1,2})", README, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists_and_explains_itself(command: str) -> None:
    words = command.split()
    words = words if words[0] in GROUPS else words[:1]
    done = CliRunner().invoke(app, [*words, "--help"])
    assert (done.exit_code, "Usage" in done.stdout) == (0, True)
