"""What the maps say of people's regions, in an answer to a consumer whose agreement releases it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Services, build_services
from gateway.areas.themes import Table, import_values
from gateway.demo import stage
from gateway.exchange import AskedSubject, Question
from gateway.oauth.consumers import Consumer
from gateway.registry.personas import persona
from gateway.settings import load_settings
from policies.library import load_policies
from tests.gateway.areas.maps import NEW, area, imported

pytestmark = pytest.mark.anyio

POLICIES = Path(__file__).parents[3] / "policies"
DINSOS = Consumer("dinsos-jatim", "Dinas Sosial", "dinsos-35", ())
FIELDS = ("region", "region_name", "disaster_risk")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(POLICIES, home / "policies", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    agreement = home / "policies" / "agreements" / "dinsos-jatim-verification.yaml"
    text = agreement.read_text(encoding="utf-8")
    released = "fields:\n  region_name: keep\n  disaster_risk: keep\n"
    agreement.write_text(text.replace("fields:\n", released, 1), encoding="utf-8")
    settings = load_settings({"GAPURA_HOME": str(home), "GAPURA_POLICIES": str(home / "policies")})
    stage.prepare(settings, 10, lambda _words: lambda _share: None, lambda _: None)
    built = build_services(settings)
    yield built
    built.close()


async def asked(services: Services) -> dict[str, Any]:
    subject = AskedSubject("x", persona("eligible").nik, None, {})
    question = Question("records", "regional-verification", None, (subject,), FIELDS, None, b"{}")
    book = load_policies(services.settings.policies)
    said: dict[str, Any] = json.loads((await services.exchange(DINSOS, question, book)).body)
    return said


async def test_maps_answer_as_absent_until_they_are_imported_and_dated_from_then_on(
    services: Services, tmp_path: Path
) -> None:
    (before,) = (said := await asked(services))["results"]
    assert {name: before["exceptions"][name]["state"] for name in FIELDS[1:]} == {
        "region_name": "absent",
        "disaster_risk": "absent",
    }
    assert said["fields"]["region_name"]["source"] == "big"
    code = before["values"]["region"]
    regency = code[:5]
    await imported(services.database, area(code[:2], "Jawa Timur"), level="province")
    await imported(services.database, area(regency, "Kota Contoh"))
    risk = tmp_path / "risk.csv"
    risk.write_text(f"code,value\n{regency},Sedang\n", encoding="utf-8")
    import_values(services.database, risk, Table("disaster_risk", "regency", NEW.valid_from, "tests"))
    (after,) = (said := await asked(services))["results"]
    assert after["values"] == {
        "region": code,
        "region_name": "Jawa Timur, Kota Contoh",
        "disaster_risk": "medium",
    }
    assert {said["fields"][name]["as_of"] for name in FIELDS[1:]} == {"2025-04-25"}
    assert "exceptions" not in after
