"""The text of the dictionary: how a mistake in a field is told with its line and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.dictionary import load_dictionary
from policies.errors import PolicyError

SOUND_FIELD = """\
decile:
  label: {id: desil, en: decile}
  type: number
  unit: decile
  sensitivity: specific
  source: dtks
  ceiling: full
"""


FIELD_MISTAKES = [
    ("ceiling: full", "ceiling: fulll", 7, "write `full`"),
    ("  ceiling: full\n", "", 2, "expected the key 'ceiling'"),
    ("type: number", "type: integer", 3, "expected one of text, word"),
    ("type: number", "type: word", 2, "expected the closed list `words` beside this type"),
    ("type: number", "type: number\n  words: [a]", 4, "expected no words for the type number"),
    ("type: number", "type: words\n  words: []", 4, "got an empty list"),
    ("type: number", "type: word\n  words: ['']", 4, "words[1]: expected a word, got the text ''"),
    ("sensitivity: specific", "sensitivity: secret", 5, "expected one of public, personal, specific"),
    ("decile:\n", "Decile:\n", 1, "expected a field name"),
    ("source: dtks", "source: DTKS", 6, "expected the name of a connector"),
    ("source: dtks", "source: DTKS", 6, "write lower case letters, digits and _"),
    (SOUND_FIELD, "[]\n", 1, "expected one key per field, got an empty list"),
    ("unit: decile", "unit: 1", 4, 'write "1" in quotes'),
    ("unit: decile", "unit: decile\n  note: x", 5, "got 'note'"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "told"), FIELD_MISTAKES)
def test_a_mistake_in_the_dictionary_is_told_with_its_line(
    tmp_path: Path, right: str, wrong: str, line: int, told: str
) -> None:
    assert SOUND_FIELD.count(right) == 1
    path = tmp_path / "fields.yaml"
    path.write_text(SOUND_FIELD.replace(right, wrong))
    with pytest.raises(PolicyError) as refused:
        load_dictionary(path)
    problem = next((problem for problem in refused.value.problems if told in problem), "")
    assert problem.startswith(f"{path}:{line}: "), refused.value.problems
