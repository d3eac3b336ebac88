"""`gapura demo` as a newcomer runs it: a process, its output, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.registry.personas import persona
from gateway.settings import load_settings
from tests.living import free_port, without_gapura_variables


def _demo(port: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "gateway", "demo", "--port", str(port), "--people", "200", *options]


def _environment(home: Path) -> dict[str, str]:
    return {**without_gapura_variables(), "GAPURA_HOME": str(home), "COLUMNS": "200"}


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home after the demo's first start, and what that said; later starts go on in it."""
    home = tmp_path_factory.mktemp("demo") / "home"
    command = _demo(free_port(), "--once")
    ended = subprocess.run(command, capture_output=True, text=True, env=_environment(home), check=True)
    return home, ended.stdout


def _refuse_silence(said: str) -> None:
    """The tour has shown every kind of answer."""
    for expected in (
        '"decision": "eligible"',
        '"decision": "ineligible"',
        '"decision": "unknown"',
        '"reason": "duplicate_identity"',
        '"withheld": "above_ceiling"',
        '"code": "purpose_not_covered"',
        "v1.kesehatan.",
        "v1.statistik.",
        "is switched off",
        "asking until the gateway has found the source to be back",
    ):
        assert expected in said, expected


def test_the_tour_shows_every_kind_of_answer_and_ends(toured: tuple[Path, str]) -> None:
    home, said = toured
    _refuse_silence(said)
    assert "from an earlier start" not in said
    # Whoever goes on in this folder finds the demo's sources without naming them.
    assert load_settings({"GAPURA_HOME": str(home)}).sources_file == home / "sources.toml"


def test_keys_and_database_are_readable_by_their_owner_alone(toured: tuple[Path, str]) -> None:
    home, _ = toured
    secret = [path for name in ("keys", "demo-consumers") for path in (home / name).iterdir()]
    assert secret
    assert {path.stat().st_mode & 0o777 for path in secret if path.is_file()} == {0o600}
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_later_start_keeps_what_is_there_serves_until_it_is_told_to_stop_and_leaves_nothing_running(
    toured: tuple[Path, str], stop: int
) -> None:
    home, _ = toured
    port = free_port()
    demo = subprocess.Popen(_demo(port), stdout=subprocess.PIPE, text=True, env=_environment(home))
    assert demo.stdout is not None
    said = ""
    for line in demo.stdout:
        said += line
        if "Serving until" in line:
            break
    _refuse_silence(said)
    assert "from an earlier start" in said
    assert f"http://127.0.0.1:{port}/console" in said
    for file in (home / "demo-staff").iterdir():
        assert f"{file.stem:<10} {file.read_text()}" in said
    assert httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200
    os.kill(demo.pid, stop)
    assert demo.wait(timeout=60) == 0
    demo.stdout.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False)


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            _demo(taken.getsockname()[1], "--once"),
            capture_output=True,
            text=True,
            env=_environment(tmp_path / "home"),
            check=False,
        )
    assert done.returncode == 2
    assert "is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_does_not_touch_a_registry_of_real_people(tmp_path: Path) -> None:
    home = tmp_path / "home"
    export = tmp_path / "export.csv"
    row = persona("eligible").row() | {"Sintetis": ""}
    export.write_text(",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n")
    command = [sys.executable, "-m", "gateway", "registry", "import", str(export)]
    subprocess.run(command, capture_output=True, env=_environment(home), check=True)
    done = subprocess.run(
        _demo(free_port(), "--once"), capture_output=True, text=True, env=_environment(home), check=False
    )
    assert done.returncode == 2
    assert "not marked as synthetic" in done.stderr
    assert not (home / "demo-consumers").exists()
