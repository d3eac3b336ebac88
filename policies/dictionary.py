"""The data dictionary: what each field is, where it comes from, and the most that may ever be released.

The ceiling of a field stands above every agreement. It is set by law or by the source's own terms, so it is
changed here, in `fields.yaml`, with the reason beside it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from pathlib import Path

from policies.strict_yaml import NAME, NAME_ADVICE, Part, content_of, parse_yaml

# What a source may say of a field; the same as `connectors.base.Value`, which this package may not import.
Value = str | int | bool | date | tuple[str, ...] | None

# text: free words. word, words: of a closed list. identifier: 16 digits. street: address below the village.
# region: dotted Kemendagri code. image: anything biometric; it has no value in the gateway at all.
TYPES = ("text", "word", "words", "identifier", "number", "date", "region", "street", "verdict", "image")
SENSITIVITIES = ("public", "personal", "specific")


class Ceiling(IntEnum):
    """How much of a value leaves: each step contains the ones below it."""

    NEVER = 0
    VERDICT = 1
    REDUCED = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in Indonesian and in English."""

    id: str
    en: str


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of the dictionary.

    `sensitivity` follows UU 27/2022 art. 4 (personal, specific). `source` names the connector that provides
    the field. `words` is the closed list of what a word or words field may say; empty for other types.
    """

    name: str
    label: Text
    type: str
    unit: str | None
    sensitivity: str
    source: str
    ceiling: Ceiling
    words: tuple[str, ...] = ()


def load_dictionary(path: Path) -> Mapping[str, Field]:
    """Every field by its name, in the order of the file. Raises PolicyError with all problems at once."""
    return parse_dictionary(content_of(path), str(path))


def parse_dictionary(text: bytes, name: str) -> Mapping[str, Field]:
    """The dictionary that a text is; `name` is what messages call it. Raises PolicyError as load does."""
    root = parse_yaml(text, name)
    fields: dict[str, Field] = {}
    for key, part in root.entries("one key per field"):
        field = key.text("a field name", NAME, NAME_ADVICE)
        fields[field] = _field(field, part)
    root.file.finish()
    return fields


def read_text(part: Part) -> Text:
    """A sentence in both languages: neither may be left out."""
    parts = part.mapping(("id", "en"))
    return Text(id=parts["id"].text("a text in Indonesian"), en=parts["en"].text("a text in English"))


def _field(name: str, part: Part) -> Field:
    parts = part.mapping(("label", "type", "sensitivity", "source", "ceiling"), ("unit", "words"))
    kind = parts["type"].word(TYPES)
    closed = kind in {"word", "words"}
    if closed and "words" not in parts:
        part.refuse("the closed list `words` beside this type", "`words: [first, second]`", got="none")
    if not closed and kind and "words" in parts:
        parts["words"].refuse(f"no words for the type {kind}", "`type: word`, or leave `words` out")
    return Field(
        name=name,
        label=read_text(parts["label"]),
        type=kind,
        unit=parts["unit"].text() if "unit" in parts else None,
        sensitivity=parts["sensitivity"].word(SENSITIVITIES),
        source=parts["source"].text("the name of a connector", NAME, NAME_ADVICE),
        ceiling=_ceiling(parts["ceiling"]),
        words=_closed_list(parts["words"]) if closed and "words" in parts else (),
    )


def _ceiling(part: Part) -> Ceiling:
    word = part.word([level.name.lower() for level in Ceiling])
    return Ceiling[word.upper()] if word else Ceiling.NEVER


def _closed_list(part: Part) -> tuple[str, ...]:
    return tuple(item.text("a word") for item in part.items("the list of allowed words"))
