"""The systemd units as systemd reads them, and a gateway that serves under the filters they set."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pyrage.x25519 import Identity

from gateway.api.examples import TOUR
from tests.deploy import confinement
from tests.living import LivingGateway, stocked_gateway

SHIPPED = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(SHIPPED.glob("*.service"))
MOST_EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing (apt-get install systemd)"
)
needs_name_spaces = pytest.mark.skipif(
    not confinement.is_possible(), reason="confining a process needs root, name spaces and libseccomp2"
)


@pytest.fixture(params=UNITS, ids=lambda unit: unit.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is shipped, but with a program that is on this machine."""
    program = Path(sys.executable).with_name("gapura")
    text = request.param.read_text(encoding="utf-8").replace("/opt/gapura/bin/gapura", str(program))
    copied = tmp_path / request.param.name
    copied.write_text(text, encoding="utf-8")
    return copied


@needs_systemd
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path) -> None:
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


@needs_systemd
def test_a_unit_is_hardly_exposed(unit: Path) -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    assert found, said.stdout
    assert float(found[1]) <= MOST_EXPOSURE


@needs_systemd
def test_the_account_is_one_that_systemd_can_make() -> None:
    said = subprocess.run(
        ["systemd-sysusers", "--dry-run", str(SHIPPED / "gapura.sysusers.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr


def test_all_units_are_hardened_alike() -> None:
    first, *others = (
        {line for line in unit.read_text(encoding="utf-8").splitlines() if _HARDENING.match(line)}
        for unit in UNITS
    )
    assert all(other == first for other in others)
    assert len(first) > 20


@needs_systemd
@pytest.mark.parametrize("timer", sorted(SHIPPED.glob("*.timer")), ids=lambda timer: timer.stem)
def test_systemd_finds_nothing_wrong_with_a_timer_and_what_it_starts(timer: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("gapura")
    for file in (timer, timer.with_suffix(".service")):
        text = file.read_text(encoding="utf-8").replace("/opt/gapura/bin/gapura", str(program))
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / timer.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")


_HARDENING = re.compile(
    r"(Protect|Private|Restrict|SystemCall|Capability|Ambient|NoNew|Lock|Memory?Deny|Umask|UMask)"
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingGateway]:
    """A gateway as gapura.service would have it run, as far as that goes without systemd."""
    home = tmp_path_factory.mktemp("home")
    with stocked_gateway(home, f"sqlite:///{home / 'gapura.db'}") as stocked:
        serve = (sys.executable, "-m", "gateway", "serve")
        with (home / "gateway.log").open("ab") as log:
            stocked.process = subprocess.Popen(
                confinement.confined(SHIPPED / "gapura.service", home, *serve),
                stdout=log,
                stderr=log,
                env={**os.environ, **stocked.settings.environment()},
            )
        _wait_until_ready(stocked)
        yield stocked


def _wait_until_ready(gateway: LivingGateway) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and gateway.process is not None and gateway.process.poll() is None:
        try:
            if gateway.http.get(f"{gateway.url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(gateway.log)


@needs_name_spaces
def test_a_confined_gateway_answers_and_keeps_its_evidence(gateway: LivingGateway) -> None:
    stop = TOUR[0]
    answer = gateway.post(stop.consumer, stop.path, stop.body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["decision"] == "eligible"
    assert "gapura_" in gateway.http.get(f"{gateway.url}/metrics").text


@needs_name_spaces
def test_a_confined_backup_is_made_beside_a_gateway_that_serves(gateway: LivingGateway) -> None:
    home = gateway.settings.home
    environment = {
        **gateway.settings.environment(),
        "GAPURA_BACKUP_FOLDER": str(home / "backups"),
        "GAPURA_BACKUP_RECIPIENTS": str(Identity.generate().to_public()),
    }
    command = (sys.executable, "-m", "gateway", "backup", "make")
    said = subprocess.run(
        confinement.confined(SHIPPED / "gapura-backup.service", home, *command),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "SHA-256 of its manifest" in said.stdout


_TRIED = """
import ctypes, json, mmap, os, socket
import duckdb, pyarrow
libc = ctypes.CDLL(None, use_errno=True)
def refused(act):
    try: act()
    except OSError: return True
    return False
print(json.dumps({
    "counted": duckdb.sql("SELECT count(*) FROM range(100000)").fetchall()[0][0],
    "raw socket": refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "memory to write and to run": refused(lambda: mmap.mmap(-1, 4096, prot=7)),
    "file elsewhere": refused(lambda: open("/var/tmp/gapura-was-here", "w")),
    "owner of a file": refused(lambda: os.chown(os.environ["CONFINED_HOME"], 1, 1)),
    "users of its own": libc.unshare(0x10000000) == -1 and ctypes.get_errno() == 1,
    "sight of other users": open("/proc/self/uid_map").read().split()[1:] == ["0", "1"],
    "devices that do something": set(os.listdir("/dev"))
        == {"null", "zero", "full", "random", "urandom", "tty", "shm"},
}))
"""


@needs_name_spaces
def test_what_reconciles_runs_confined_and_what_breaks_out_does_not(tmp_path: Path) -> None:
    command = confinement.confined(SHIPPED / "gapura.service", tmp_path, sys.executable, "-c", _TRIED)
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    outcomes = json.loads(said.stdout)
    assert outcomes.pop("counted") == 100_000
    assert set(outcomes.values()) == {True}, outcomes
