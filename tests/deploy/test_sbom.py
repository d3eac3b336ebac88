"""What the gateway is made of: listed as it is locked, readable to others, and nothing under the GPL."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx")

from cyclonedx.validation.json import JsonStrictValidator

from deploy import sbom

ROOT = Path(__file__).parents[2]
TEXT = sbom.OUTPUT.read_text(encoding="utf-8")
BILL: dict[str, Any] = json.loads(TEXT)
VENDOR = ROOT / "gateway" / "console" / "static" / "vendor"


def _components() -> dict[str, str]:
    return {one["purl"]: one["version"] for one in BILL["components"]}


def _with(licence: str) -> dict[str, Any]:
    return {"components": [{"name": "newcomer", "licenses": [{"expression": licence}]}]}


def test_it_is_valid_cyclonedx() -> None:
    assert JsonStrictValidator(sbom.SCHEMA).validate_str(TEXT) is None


def test_it_is_what_the_locks_say_now_and_the_same_each_time() -> None:
    assert sbom.from_the_locks() == TEXT, "The locks have changed: sh deploy/sbom.sh"


def test_every_locked_package_and_every_browser_library_is_listed_with_its_version() -> None:
    lock = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8")
    pinned = [line.split()[0].partition("==") for line in lock.splitlines() if re.match(r"\S+==", line)]
    scripts = json.loads((VENDOR / "vendored.json").read_text(encoding="utf-8"))["packages"]
    assert len(pinned) > 50
    assert _components() == {
        **{f"pkg:pypi/{name.partition('[')[0]}@{version}": version for name, _, version in pinned},
        **{f"pkg:npm/{one['name']}@{one['version']}": one["version"] for one in scripts},
    }


def test_every_file_of_a_browser_library_is_listed_with_its_hash() -> None:
    hashes = {
        file["name"]: file["hashes"][0]["content"]
        for component in BILL["components"]
        for file in component.get("components", ())
    }
    assert set(hashes) == {file.name for file in VENDOR.iterdir()} - {"vendored.json"}
    assert all(len(one) == 64 for one in hashes.values())


def test_everything_that_is_listed_is_needed_by_something() -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in BILL["dependencies"]}
    reached: set[str] = set()
    waiting = ["gapura"]
    while waiting:
        reached.add(one := waiting.pop())
        waiting += [needed for needed in needs[one] if needed not in reached]
    assert {one["bom-ref"] for one in BILL["components"]} == reached - {"gapura"}


def test_nothing_that_is_served_has_a_licence_that_is_not_allowed() -> None:
    assert sbom.refused(BILL) == []


@pytest.mark.parametrize(
    "licence",
    [
        *("GPL-3.0-or-later", "AGPL-3.0-only", "MIT AND GPL-2.0-only", "SSPL-1.0", "unknown", ""),
        *("GPL-2.0-only OR GPL-3.0-only", "Apache-2.0 AND (MIT AND AGPL-3.0-only)", "MIT, I think"),
    ],
)
def test_a_package_under_the_gpl_or_an_unknown_licence_is_refused(licence: str) -> None:
    assert sbom.refused(_with(licence)) == [f"newcomer: {licence}"]


@pytest.mark.parametrize("licence", ["MIT", "MIT OR GPL-3.0-only", "(MIT OR GPL-2.0-only) AND BSD-3-Clause"])
def test_a_choice_that_has_an_allowed_side_passes(licence: str) -> None:
    assert sbom.refused(_with(licence)) == []


def test_a_real_package_under_the_gpl_is_known_as_such() -> None:
    """pymerkle is here for tests alone."""
    assert not sbom.may_be_served(sbom.licence_of("pymerkle"))
    assert not any("pymerkle" in purl for purl in _components())


def test_it_names_no_place_from_which_packages_come() -> None:
    assert set(re.findall(r"\w+://[^\"]+", TEXT)) == {"http://cyclonedx.org/schema/bom-1.6.schema.json"}
