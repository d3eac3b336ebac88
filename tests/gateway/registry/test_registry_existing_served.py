"""A whole gateway that serves from an existing DTKS gives the decisions that it gives from its own tables."""

from __future__ import annotations

from pathlib import Path

from gateway.database import Database
from gateway.demo import stage
from gateway.registry.personas import PERSONAS
from gateway.settings import load_settings
from tests.gateway.registry.another_dtks import copy_registry, mapping_text, write_mapping
from tests.living import LivingGateway, free_port

_PBI_JK = {"purpose": "pbi-jk-eligibility", "programme": "PBI-JK"}


def _decisions(gateway: LivingGateway) -> list[dict[str, object]]:
    subjects = [{"ref": persona.key, "nik": persona.nik} for persona in PERSONAS]
    response = gateway.post("bpjs-kesehatan", "/v1/eligibility", {**_PBI_JK, "subjects": subjects})
    assert response.status_code == 200, response.text
    results: list[dict[str, object]] = response.json()["results"]
    return results


def _served(settings_file: Path | None, home: Path, url: str) -> LivingGateway:
    environment = {"GAPURA_HOME": str(home), "GAPURA_DATABASE_URL": url}
    if settings_file is not None:
        environment["GAPURA_REGISTRY_FILE"] = str(settings_file)
    return LivingGateway(load_settings(environment, port=free_port()))


def test_the_decisions_are_the_same_and_a_pseudonym_finds_its_person(tmp_path: Path) -> None:
    url, theirs = f"sqlite:///{tmp_path / 'gapura.db'}", f"sqlite:///{tmp_path / 'theirs.db'}"
    ours = _served(None, tmp_path, url)
    stage.prepare(ours.settings, 200, lambda _words: lambda _share: None, lambda _: None)
    ours.start()
    try:
        expected = _decisions(ours)
    finally:
        ours.stop()
        ours.http.close()
    database = Database(url)
    copy_registry(database, theirs)
    database.close()
    mapping = write_mapping(tmp_path, mapping_text(theirs, by_uuid=False))
    served = _served(mapping, tmp_path, url)
    served.start()
    try:
        got = _decisions(served)
        name = next(one["pseudonym"] for one in got if "pseudonym" in one)
        again = served.post(
            "bpjs-kesehatan", "/v1/eligibility", {**_PBI_JK, "subjects": [{"ref": "x", "pseudonym": name}]}
        ).json()["results"][0]
    finally:
        served.stop()
        served.http.close()
    assert [{**one, "pseudonym": ""} for one in got] == [{**one, "pseudonym": ""} for one in expected]
    assert again["pseudonym"] == name
    assert not {one["pseudonym"] for one in got if "pseudonym" in one} & {
        one.get("pseudonym") for one in expected
    }
