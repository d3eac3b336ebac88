"""The text of a programme rule: what it must say, and how a mistake is told with its line and the remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.conditions import Clause, Dated, load_rule, load_rules, parse_programme
from policies.dictionary import Text
from policies.errors import PolicyError
from tests.policies.builders import DICTIONARY

SOUND_RULE = """\
programme: PKH
version: 1
title: {id: judul, en: title}
parameters:
  limit:
    - {since: 2025-01-01, value: 4, source: decree}
    - {since: 2026-01-01, value: 5, source: decree}
clauses:
  - id: alive
    field: life_status
    equals: alive
    unknown_when: [unknown]
    reason: {id: hidup, en: alive}
    source: law
  - id: decile
    field: decile
    at_most: {parameter: limit}
    reason: {id: desil, en: decile}
    source: practice
"""

PARAMETERS = SOUND_RULE[SOUND_RULE.index("parameters:") : SOUND_RULE.index("clauses:")]
MISTAKES = [
    ("equals: alive", "equals: aliv", 11, "write `alive`"),
    ("equals: alive", "equal: alive", 11, "write `equals`"),
    ("equals: alive", "at_most: 4", 11, "expected an operator for word fields, got 'at_most'"),
    ("    equals: alive\n", "", 9, "expected exactly one operator, got none"),
    ("equals: alive", "equals: alive\n    one_of: [alive]", 9, "got equals, one_of"),
    ("equals: alive", "one_of: []", 11, "got an empty list"),
    ("  - id: alive\n", "  - id: Alive\n", 9, "expected a clause id, got the text 'Alive', write lower case"),
    (
        SOUND_RULE[SOUND_RULE.index("clauses:") :],
        "clauses: []\n",
        8,
        "expected a list of clauses, got an empty",
    ),
    ("equals: alive", "one_of: [alive, alive]", 11, "got 'alive' a second time"),
    ("[unknown]", "[unknwon]", 12, "write `unknown`"),
    ("[unknown]", "unknown", 12, "expected a list of words of life_status, got the text 'unknown'"),
    (
        "{parameter: limit}",
        "{parameter: limit}\n    unknown_when: [unknown]",
        18,
        "expected no unknown_when for number fields, got a list of 1, write the line away",
    ),
    ("field: life_status", "field: life_state", 10, "write `life_status`"),
    ("{parameter: limit}", "{parameter: limits}", 17, "write `limit`"),
    (
        PARAMETERS,
        "",
        13,
        "expected a parameter of this file, got the text 'limit', write it under `parameters`",
    ),
    (PARAMETERS, "parameters: {}\n", 4, "expected parameters by name, got an empty mapping"),
    (PARAMETERS, "parameters:\n  limit: 4\n", 5, "expected a list of dated values, got the number '4'"),
    ("  limit:\n", "  Limit:\n", 5, "expected a parameter's name, got the text 'Limit', write lower case"),
    ("value: 5, source: decree", "value: 5, source: ''", 7, "expected who set this value, and where, got"),
    ("{parameter: limit}", "4", 5, "expected parameters that a clause uses, got 'limit'"),
    ("value: 5", "value: five", 7, "expected a whole number"),
    ("since: 2026-01-01", "since: 2025-01-01", 7, "expected a later day than the entry before"),
    ("since: 2026-01-01", "since: 2024-01-01", 7, "expected a later day than the entry before"),
    ("since: 2026-01-01", "since: 2026-02-30", 7, "expected a day of the calendar"),
    ("id: decile\n", "id: alive\n", 15, "got 'alive' a second time"),
    ("source: practice", "source:", 19, "got nothing"),
    ("programme: PKH", "programme:", 1, "expected the programme's name, got nothing"),
    ("programme: PKH", "programme: BPNT", 1, "expected the programme that the file is named after, pkh"),
    ("version: 1", "version: 0", 2, "expected a whole number from 1 to 9999"),
    ("{id: hidup, en: alive}", "{id: hidup}", 13, "expected the key 'en'"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "told"), MISTAKES)
def test_a_mistake_in_a_rule_is_told_with_its_line_and_the_remedy(
    tmp_path: Path, right: str, wrong: str, line: int, told: str
) -> None:
    assert SOUND_RULE.count(right) == 1
    path = tmp_path / "pkh.yaml"
    path.write_text(SOUND_RULE.replace(right, wrong))
    with pytest.raises(PolicyError) as refused:
        load_rule(path, DICTIONARY)
    problem = next((problem for problem in refused.value.problems if told in problem), "")
    assert problem.startswith(f"{path}:{line}: "), refused.value.problems
    assert ", write " in problem


@pytest.mark.parametrize(
    ("right", "wrong", "lines"),
    [
        ("field: life_status", "field: life_state", [10]),
        ("field: decile", "field: decil", [16]),
        ("{parameter: limit}", "{parameter: limits}", [17]),
        ("limit", "Limit", [5]),
        ("- id: ", "- id: The", [9, 15]),
    ],
)
def test_what_follows_from_a_mistake_in_a_rule_is_not_told_again(
    right: str, wrong: str, lines: list[int]
) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_programme(SOUND_RULE.replace(right, wrong).encode(), "pkh.yaml", DICTIONARY)
    assert [int(problem.split(":")[1]) for problem in refused.value.problems] == lines


@pytest.mark.parametrize(
    ("years", "sound"), [(0, True), (150, True), (151, False), (-1, False), ("old", False)]
)
def test_an_age_is_asked_for_in_years_that_somebody_can_live(years: Any, sound: bool) -> None:
    text = SOUND_RULE.replace("life_status", "birth_date").replace("    unknown_when: [unknown]\n", "")
    rule = text.replace("equals: alive", f"age_at_most: {years}").encode()
    if sound:
        assert parse_programme(rule, "pkh.yaml", DICTIONARY).clauses[0].value == years
        return
    with pytest.raises(PolicyError, match="expected a whole number from 0 to 150, got"):
        parse_programme(rule, "pkh.yaml", DICTIONARY)


def test_a_sound_rule_loads_and_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "pkh.yaml"
    path.write_text(SOUND_RULE)
    rule = load_rule(path, DICTIONARY)
    assert (rule.programme, rule.version, rule.title) == ("PKH", 1, Text("judul", "title"))
    states, none = frozenset({"alive", "deceased", "unknown"}), frozenset[str]()
    living, poor = Text("hidup", "alive"), Text("desil", "decile")
    assert rule.clauses == (
        Clause(
            "alive", "life_status", "equals", "alive", None, frozenset({"unknown"}), states, living, "law"
        ),
        Clause("decile", "decile", "at_most", None, "limit", none, none, poor, "practice"),
    )
    assert rule.parameters == {
        "limit": (Dated(date(2025, 1, 1), 4, "decree"), Dated(date(2026, 1, 1), 5, "decree"))
    }
    assert len(rule.sha256) == 64


def test_all_problems_of_all_rules_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "pkh.yaml").write_text(
        SOUND_RULE.replace("version: 1", "version: x").replace("alive\n", "dead\n")
    )
    (tmp_path / "bpnt.yaml").write_text("programme: BPNT\n")
    with pytest.raises(PolicyError) as refused:
        load_rules(tmp_path, DICTIONARY)
    files = [problem.split(":")[0].rsplit("/", 1)[-1] for problem in refused.value.problems]
    assert files.count("pkh.yaml") >= 2
    assert files.count("bpnt.yaml") == 3
