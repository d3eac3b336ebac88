"""compose.yaml: by the specification's schema, and by what this project asks of every service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FILE = DEPLOY / "compose.yaml"
COMPOSED: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]


def test_it_is_what_the_specification_says() -> None:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs Debian's docker-compose")
def test_compose_itself_makes_sense_of_it(tmp_path: Path) -> None:
    """Which needs no engine. Debian's knows everything of the file but its name."""
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("*.txt", "chart"))
    file = tmp_path / "deploy" / "compose.yaml"
    file.write_text(yaml.safe_dump({key: part for key, part in COMPOSED.items() if key != "name"}))
    wanted = dict.fromkeys(re.findall(r"\$\{([A-Z]+_IMAGE)", FILE.read_text()), "example.org/image")
    said = subprocess.run(
        ["docker-compose", "-f", str(file), "config"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "SITE_NAME": "gapura.example.go.id", **wanted},
    )
    assert said.returncode == 0, said.stderr
    assert yaml.safe_load(said.stdout)["services"].keys() == SERVICES.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_watched_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    limits = service["deploy"]["resources"]["limits"]
    assert limits["cpus"]
    assert limits["memory"]
    # The gateway's image says for itself how it is.
    assert "healthcheck" in service or name.startswith("gateway-")
    assert not service.get("privileged")
    assert "network_mode" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_the_sites_to_name(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE(:\?|:-set-).+\}", image), image


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|DATABASE_URL", name):
                assert name.endswith("_FILE"), name
                assert value.startswith("/run/secrets/")
    for secret in COMPOSED["secrets"].values():
        assert secret["file"].startswith("${SITE:-./site}/")
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == COMPOSED["secrets"].keys()


def test_nginx_alone_is_open_to_the_world() -> None:
    open_to = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert open_to.pop("nginx") == ["443:443"]
    assert all(port.startswith("127.0.0.1:") for ports in open_to.values() for port in ports)
    assert COMPOSED["networks"]["back"]["internal"] is True
    assert SERVICES["postgresql"]["networks"] == ["back"]


def test_what_is_named_is_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            there = (DEPLOY / source).is_file() if source.startswith("./") else source in COMPOSED["volumes"]
            assert there, (name, source)
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
        assert set(service.get("networks", [])) <= COMPOSED["networks"].keys()
    believed = SERVICES["gateway-1"]["environment"]["GAPURA_TRUSTED_PROXIES"]
    assert believed == f"{SERVICES['nginx']['networks']['front']['ipv4_address']}/32"


def test_nginx_is_told_everything_that_its_configuration_asks() -> None:
    asked = re.findall(r"\$\{([A-Z_]+)\}", (DEPLOY / "nginx" / "gapura.conf.template").read_text("utf-8"))
    assert set(asked) == SERVICES["nginx"]["environment"].keys()
