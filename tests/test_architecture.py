"""The import directions, and the other promises of structure that a reader relies on."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("policies", "connectors", "gateway")
FORBIDDEN_WORDS = {"manager", "helper", "helpers", "utils", "util", "handler", "processor", "common", "misc"}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, absolute, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _offenders(paths: list[Path], *, allowed: set[str]) -> list[str]:
    permitted = allowed | set(sys.stdlib_module_names)
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in _imports(path)
        if name.split(".")[0] not in permitted
    ]


def _importers_of(module: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in _modules(package)
        if any(name == module or name.startswith(f"{module}.") for name in _imports(path))
    }


def test_policies_import_the_standard_library_yaml_and_cryptography_only() -> None:
    assert _offenders(_modules("policies"), allowed={"policies", "yaml", "cryptography"}) == []


def test_connectors_import_neither_policies_nor_gateway() -> None:
    assert not [
        offender
        for path in _modules("connectors")
        for offender in _imports(path)
        if offender.split(".")[0] in {"policies", "gateway"}
    ]


@pytest.mark.parametrize(
    "module",
    [
        *("gateway/audit/entry.py", "gateway/audit/evidence.py", "gateway/answer.py", "gateway/subjects.py"),
        *(
            f"gateway/agreements/{name}.py"
            for name in ("sides", "case_writing", "explanation", "impact_words")
        ),
        *(
            f"gateway/reconciliation/{name}.py"
            for name in (
                *("compare", "elements", "normal", "duplicates", "statuses"),
                *("linking/names", "linking/traits"),
            )
        ),
    ],
)
def test_pure_modules_of_the_shell_touch_no_database_network_or_clock(module: str) -> None:
    path = ROOT / module
    forbidden = {"sqlalchemy", "httpx", "fastapi", "starlette", "time", "random", "secrets", "os", "asyncio"}
    forbidden |= {"duckdb", "pyspark", "pyarrow"}  # of the engines, expressions know none
    assert not {name.split(".")[0] for name in _imports(path)} & forbidden
    assert ".now(" not in path.read_text(encoding="utf-8")


def test_only_the_composition_root_knows_which_connectors_exist() -> None:
    assert _importers_of("gateway.registry.connector") == {"gateway/app.py"}


def test_the_console_knows_nothing_but_what_the_admin_api_tells_it() -> None:
    assert not [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _modules("gateway/console")
        for name in _imports(path)
        if name.split(".")[0] in PACKAGES and not name.startswith("gateway.console")
    ]


def test_only_the_sources_of_the_gateway_know_which_kinds_of_source_exist() -> None:
    readers = _importers_of("connectors.registered")
    assert readers
    assert all(path.startswith("gateway/sources/") for path in readers)


def test_serving_loads_no_engine_of_reconciliation() -> None:
    engines = "{'duckdb', 'pyarrow', 'ibis', 'splink', 'pyspark'}"
    command = [sys.executable, "-c", f"import sys, gateway.app; print({engines} & sys.modules.keys())"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout == "set()\n"


def test_only_the_database_and_its_lanes_commit() -> None:
    committing = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in _modules(package)
        if any(_commits(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }
    # DBOS commits the step of a job together with what the step wrote.
    assert committing == {"gateway/database.py", "gateway/lanes.py", "gateway/reconciliation/jobs.py"}


def _commits(node: ast.AST) -> bool:
    """Whether a node is a call that begins or ends a transaction, or the command itself."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"commit", "begin", "begin_nested"}
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        said = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        return said.split(" ")[0] in {"BEGIN", "COMMIT"}
    return False


def test_only_one_module_logs() -> None:
    assert _importers_of("logging") | _importers_of("structlog") == {"gateway/telemetry/log.py"}


def test_only_one_module_gives_errors_their_http_status() -> None:
    """OAuth endpoints keep the shape of RFC 6749 and are the documented exception."""
    raising = {
        path
        for path in _importers_of("starlette.exceptions") | _importers_of("fastapi.exceptions")
        if not path.startswith("gateway/oauth/")
    }
    assert raising <= {"gateway/api/problems.py", "gateway/api/exchanges.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_why_it_exists(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _modules(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_files_stay_readable_in_one_sitting(package: str) -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in _modules(package)
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    ]
    assert long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_or_class_has_a_name_that_says_nothing(package: str) -> None:
    names = {path.stem for path in _modules(package)} | {
        node.name
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    assert not [name for name in names if any(name.lower().endswith(word) for word in FORBIDDEN_WORDS)]


def test_the_top_level_holds_what_the_layout_names_and_nothing_else() -> None:
    import subprocess  # noqa: PLC0415 - only this test asks git

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible <= {*PACKAGES, "tests", "deploy", "pyproject.toml", "README.md", "LICENSE"}
