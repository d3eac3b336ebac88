# ruff: noqa: INP001 - a script beside the locks, no package
"""What the gateway is made of, as CycloneDX: the locked Python packages, the console's browser libraries.

`sh deploy/sbom.sh` writes it to sbom.cdx.json beside this file, and refuses a licence that is not in ALLOWED.
It says what the lock says, with the licences and needs that each package states of itself, for Python 3.11 on
Linux. It MUST NOT name where packages are fetched from, nor hold anything that differs from one run to the
next: the same locks give the same bytes. What a wheel brings along inside (libpq, GEOS, OpenSSL) it does not
list.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import is_expression
from license_expression import get_spdx_licensing  # type: ignore[import-untyped]
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "deploy" / "sbom.cdx.json"
SCHEMA = SchemaVersion.V1_6
_LOCK = ROOT / "deploy" / "requirements.txt"
_SPDX = get_spdx_licensing()
_VENDORED = ROOT / "gateway" / "console" / "static" / "vendor" / "vendored.json"

# What may be served. The LGPL asks that a library can be exchanged, which a Python package can; the GPL would
# ask for all that it is served with. Whatever is not here is refused, an unknown licence too.
ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "LGPL-3.0-only", "MIT", "MIT-0"}
    | {"MPL-2.0", "PSF-2.0", "Zlib"}
)
# How packages say it that do not say it by SPDX.
_WORDS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# Read in the package's own licence file, where its metadata leave open which.
_READ = {"jinja2": "BSD-3-Clause", "pyrage": "MIT", "uvloop": "MIT OR Apache-2.0"}
# One machine for everybody, so that the list does not depend on whose it was made on.
_MACHINE = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"} | {
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


_Needed = tuple[str, frozenset[str]]


def locked(lock: str) -> dict[str, str]:
    """Each package of a hash-pinned lock with its version."""
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock, re.MULTILINE))


def licence_of(package: str) -> str:
    """The SPDX expression of an installed package's licence; "unknown" where it states none that is clear."""
    if package in _READ:
        return _READ[package]
    said: Any = distribution(package).metadata
    classifiers = [
        line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [] if "License ::" in line
    ]
    for text in (said.get("License-Expression"), said.get("License"), *classifiers[:1]):
        spdx = _WORDS.get(text, text) if text else ""
        if spdx and is_expression(spdx):
            return spdx
    return "unknown"


def may_be_served(licence: str) -> bool:
    """Whether ALLOWED has this licence, or of an alternative one side, or of several all."""
    return is_expression(licence) and _holds(_SPDX.parse(licence))


def _holds(parsed: Any) -> bool:
    if isinstance(parsed, _SPDX.AND | _SPDX.OR):
        return (any if isinstance(parsed, _SPDX.OR) else all)(map(_holds, parsed.args))
    return str(parsed) in ALLOWED


def needs(lines: Iterable[str], extras: frozenset[str], among: Mapping[str, str]) -> Iterator[_Needed]:
    """The packages `among` those locked that these requirements ask for with these extras."""
    for line in lines:
        one = Requirement(line)
        machines = [_MACHINE | {"extra": extra} for extra in ("", *extras)]
        asked = one.marker is None or any(map(one.marker.evaluate, machines))
        if asked and (name := canonicalize_name(one.name)) in among:
            yield name, frozenset(one.extras)


def bill(lock: str, vendored: Mapping[str, Any], project: Mapping[str, Any]) -> Bom:
    """The whole bill; `project` has the members name, version, license and dependencies of pyproject.toml."""
    own = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    versions = locked(lock)
    packages = {name: _python(name, version) for name, version in versions.items()}
    scripts = [_browser(package) for package in vendored["packages"]]
    bom = Bom(
        components=[*packages.values(), *scripts],
        metadata=BomMetaData(component=own),
        serial_number=uuid5(NAMESPACE_OID, json.dumps([lock, vendored, project], sort_keys=True)),
    )
    bom.register_dependency(own, scripts)
    for name, needed in _graph(project["dependencies"], versions):
        bom.register_dependency(packages[name] if name else own, [packages[needed]])
    return bom


def _graph(of_the_root: Iterable[str], among: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Who needs whom, from the root, which has no name here; an extra counts only where it was asked for."""
    todo: list[_Needed] = [("", frozenset())]
    seen = set(todo)
    while todo:
        name, extras = todo.pop()
        lines = distribution(name).requires or () if name else of_the_root
        for needed in needs(lines, extras, among):
            yield name, needed[0]
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)


def _python(name: str, version: str) -> Component:
    return Component(
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("pypi", name=name, version=version),
        licenses=[LicenseFactory().make_from_string(licence_of(name))],
    )


def _browser(package: Mapping[str, Any]) -> Component:
    files = [
        Component(
            name=name,
            type=ComponentType.FILE,
            bom_ref=f"{package['name']}/{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        )
        for name, sha256 in package["files"].items()
    ]
    return Component(
        name=package["name"],
        version=package["version"],
        bom_ref=f"{package['name']}@{package['version']}",
        purl=PackageURL("npm", name=package["name"], version=package["version"]),
        licenses=[LicenseFactory().make_from_string(package["licence"])],
        components=files,
    )


def written(bom: Bom) -> str:
    """The bill as JSON. Without the moment at which it was written: that would be all that differs."""
    said = json.loads(make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string())
    del said["metadata"]["timestamp"]
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def refused(bom: Mapping[str, Any]) -> list[str]:
    """Each component of a written bill that may not be served, with the licence that it has."""
    licences = {one["name"]: " AND ".join(map(_said, one["licenses"])) for one in bom["components"]}
    return [f"{name}: {licence}" for name, licence in licences.items() if not may_be_served(licence)]


def _said(licence: Mapping[str, Any]) -> str:
    """An SPDX expression, the id of one licence, or a name that SPDX does not know."""
    if "expression" in licence:
        return str(licence["expression"])
    return str(licence["license"].get("id") or licence["license"]["name"])


def from_the_locks() -> str:
    """The bill of this source tree. The locked packages must be installed: their licences are read there."""
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = described["project"]
    # What builds the package is installed beside it.
    asked_for = [*project["dependencies"], *described["dependency-groups"]["build"]]
    named = {name: project[name] for name in ("name", "version", "license")} | {"dependencies": asked_for}
    vendored = json.loads(_VENDORED.read_text(encoding="utf-8"))
    return written(bill(_LOCK.read_text(encoding="utf-8"), vendored, named))


def main() -> int:
    """Write the bill, unless something in it may not be served."""
    text = from_the_locks()
    if not_allowed := refused(json.loads(text)):
        sys.stderr.write(
            "These may not be served (ALLOWED in deploy/sbom.py):\n" + "\n".join(not_allowed) + "\n"
        )
        return 1
    OUTPUT.write_text(text, encoding="utf-8")
    sys.stdout.write(f"Written: {OUTPUT.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
