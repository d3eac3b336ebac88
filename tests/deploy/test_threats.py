"""The threat model is kept by tests that there are, and says of every adversary what remains."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
THREATS = (TESTS.parent / "deploy" / "THREATS.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(test_\w+)`", THREATS)


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_keeps_something_is_there(path: str) -> None:
    assert {name for of, name in NAMED if of == path} <= _tests_of(TESTS / path)


def test_whatever_is_listed_as_a_test_is_read_as_one() -> None:
    assert len(NAMED) == sum(line.startswith("- ") for line in THREATS.splitlines()) > 40


def test_every_adversary_is_met_by_a_test_and_leaves_something() -> None:
    adversaries = re.split(r"^\*\*(?=[AT]\w* )", THREATS.partition("\n## ")[2], flags=re.MULTILINE)[1:]
    assert len(adversaries) == 10
    for adversary in adversaries:
        assert "*Stands:*" in adversary, adversary
        assert "\n- `" in adversary, adversary
        assert "*Remains:*" in adversary, adversary
