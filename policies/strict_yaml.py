"""YAML read strictly: every value knows its line, and all mistakes of a file are told at once.

A policy that is read differently from how its author meant it releases data to the wrong people, so this
reader refuses what other readers forgive: duplicate keys, unknown keys, empty lists, anchors, aliases,
merge keys, tags, and the scalars that YAML 1.1 turns into something else (`no`, `35.10`, `0171`).
A mistake reads `file:line: place: expected ..., got ..., write ...`.

It MUST NOT construct Python objects from YAML tags: nodes are composed, never constructed.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from policies.errors import PolicyError

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
NAME_ADVICE = "lower case letters, digits and _, starting with a letter"

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LONGEST_QUOTE = 60
_MOST_LEVELS = 50
# libyaml reads a policy in an eighth of the time; without it the same is read in Python.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"

Scalar = str | int | bool | date


@dataclass(slots=True)
class SourceFile:
    """One file being read: what it is called in messages, its hash, and the problems found so far."""

    name: str
    sha256: str
    found: list[tuple[int, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Every problem, in the order of the file's lines."""
        return [text for _, text in sorted(self.found, key=lambda item: item[0])]

    def finish(self) -> None:
        """Return if the file is sound, else raise PolicyError with all its problems."""
        if self.found:
            raise PolicyError(self.problems)


class Part:
    """One value of a file, to which expectations are put.

    An expectation that fails is noted in the file and answered by a neutral value, so that reading goes on
    and finds the remaining mistakes; whatever was built meanwhile is discarded by `SourceFile.finish`.
    A part is refused once: what follows from a known mistake is not told again.
    """

    __slots__ = ("_node", "file", "line", "place", "refused")

    def __init__(self, file: SourceFile, node: yaml.Node | None, place: str, line: int) -> None:
        self.file = file
        self._node = node
        self.place = place
        self.line = line
        self.refused = node is None

    @property
    def raw(self) -> str:
        """The characters of a scalar as they stand in the file; empty for a list or mapping."""
        return str(self._node.value) if isinstance(self._node, yaml.ScalarNode) else ""

    @property
    def got(self) -> str:
        """What stands there, for the `got` of a message."""
        node = self._node
        if isinstance(node, yaml.MappingNode):
            return "a mapping" if node.value else "an empty mapping"
        if isinstance(node, yaml.SequenceNode):
            return f"a list of {len(node.value)}" if node.value else "an empty list"
        if node is None or node.tag == _TAG + "null":
            return "nothing"
        kind = {"str": "the text", "int": "the number", "float": "the number", "timestamp": "the date"}
        shown = self.raw if len(self.raw) <= _LONGEST_QUOTE else self.raw[:_LONGEST_QUOTE] + "..."
        return f"{kind.get(node.tag.removeprefix(_TAG), 'the yes-or-no value')} {shown!r}"

    def refuse(self, expected: str, write: str, *, got: str | None = None) -> None:
        """Note that this part is not what was expected, and what to write instead."""
        self.complain(f"expected {expected}, got {got or self.got}, write {write}")

    def complain(self, sentence: str) -> None:
        """Note a problem whose sentence says expected, got and remedy itself."""
        if self.refused:
            return
        self.refused = True
        place = f"{self.place}: " if self.place else ""
        self.file.found.append((self.line, f"{self.file.name}:{self.line}: {place}{sentence}"))

    def lack(self, key: str, write: str) -> None:
        """Note that a key is missing below this part, of which the rest may be sound."""
        part = Part(self.file, self._node, self.place, self.line)
        part.refuse(f"the key {key!r}", write, got="no such key")

    def silent(self, key: str) -> Part:
        """A stand-in for a part of which the problem has been told: whatever is asked of it is quiet."""
        return Part(self.file, None, self._under(key), self.line)

    def is_word(self, word: str) -> bool:
        """Whether exactly this word stands here."""
        return self.raw == word

    def is_list(self) -> bool:
        """Whether a list stands here, empty or not."""
        return isinstance(self._node, yaml.SequenceNode)

    def is_mapping(self) -> bool:
        """Whether a mapping stands here, empty or not."""
        return isinstance(self._node, yaml.MappingNode)

    def mapping(
        self,
        required: Collection[str],
        optional: Collection[str] = (),
        retired: Mapping[str, str] = MappingProxyType({}),
    ) -> Mapping[str, Part]:
        """The parts under known keys. All required ones are present in what is returned.

        `retired` are keys that earlier texts had, each with what to do instead.
        """
        allowed = [*required, *optional]
        parts: dict[str, Part] = {}
        for key, value in self.entries(f"a mapping with {', '.join(required) or ', '.join(optional)}"):
            if key.raw in allowed:
                parts[key.raw] = value
            else:
                write = retired.get(key.raw) or advice(key.raw, allowed)
                key.refuse(f"one of the keys {', '.join(allowed)}", write, got=repr(key.raw))
        for name in required:
            if name not in parts:
                if not self.refused:
                    self.lack(name, f"`{name}: ...`")
                parts[name] = self.silent(name)
        return parts

    def entries(self, expected: str = "a mapping") -> list[tuple[Part, Part]]:
        """Keys and values of a mapping that is not empty, where the keys are for the caller to judge."""
        node = self._node
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.refuse(expected, "`key: value` lines below this key")
            return []
        found: dict[str, tuple[Part, Part]] = {}
        for key_node, value_node in node.value:
            key = Part(self.file, key_node, self.place, _line(key_node))
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _TAG + "merge":
                key.refuse("a plain key", "every key out in full: merge keys and nested keys are not read")
            elif key.raw in found:
                first = found[key.raw][0].line
                key.refuse(
                    "each key once",
                    f"only one of lines {first} and {key.line}",
                    got=f"{key.raw!r} a second time",
                )
            else:
                found[key.raw] = key, Part(self.file, value_node, self._under(key.raw), _line(value_node))
        return list(found.values())

    def items(self, expected: str, write: str = "") -> list[Part]:
        """The parts of a list that is not empty."""
        node = self._node
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.refuse(expected, write or "a list with at least one entry, such as `[a, b]`")
            return []
        return [
            Part(self.file, item, f"{self.place}[{position}]", _line(item))
            for position, item in enumerate(node.value, start=1)
        ]

    def text(self, expected: str = "a text", pattern: re.Pattern[str] | None = None, write: str = "") -> str:
        """A text that is not empty and, if a pattern is given, matches it in full."""
        node = self._node
        if not isinstance(node, yaml.ScalarNode) or node.tag == _TAG + "null":
            self.refuse(expected, write or "a text")
        elif node.tag != _TAG + "str":
            self.refuse(expected, f'"{self.raw}" in quotes, if the text is meant')
        elif not self.raw.strip() or (pattern is not None and not pattern.fullmatch(self.raw)):
            self.refuse(expected, write or "a text that is not empty")
        return "" if self.refused else self.raw

    def word(self, allowed: Iterable[str], expected: str = "") -> str:
        """One word of a closed list. Compared as it stands in the file, so that `no` is the word no."""
        words = list(allowed)
        if not isinstance(self._node, yaml.ScalarNode) or self.raw not in words:
            self.refuse(expected or f"one of {', '.join(words)}", advice(self.raw, words))
        return "" if self.refused else self.raw

    def words(self, allowed: Iterable[str], expected: str, write: str = "") -> tuple[str, ...]:
        """A list of words of a closed list, not empty, none of them twice."""
        known = list(allowed)
        found: list[str] = []
        for item in self.items(expected, write):
            word = item.word(known)
            if word and word in found:
                item.refuse("each entry once", "the list without this entry", got=f"{word!r} a second time")
            self.refused = self.refused or item.refused
            found.append(word)
        return tuple(found)

    def whole_number(self, lowest: int, highest: int) -> int:
        """A whole number between two bounds, both allowed."""
        expected = f"a whole number from {lowest} to {highest}"
        value = self.scalar(expected, f"a whole number without quotes, such as {lowest}")
        if type(value) is not int:
            self.refuse(expected, f"a whole number without quotes, such as {lowest}")
        elif not lowest <= value <= highest:
            self.refuse(expected, f"{lowest if value < lowest else highest}, or a number between")
        else:
            return value
        return lowest

    def truth(self) -> bool:
        """The word true or the word false; YAML's other spellings are refused."""
        return self.word(("true", "false")) == "true"

    def day(self) -> date:
        """A date, spelt YYYY-MM-DD."""
        value = self.scalar("a date", "it as YYYY-MM-DD, without quotes")
        if type(value) is not date:
            self.refuse("a date", "it as YYYY-MM-DD, without quotes")
            return date.min
        return value

    def scalar(self, expected: str, write: str = "") -> Scalar:
        """A text, whole number, date, true or false, in the one spelling allowed for each."""
        node, raw = self._node, self.raw
        if not isinstance(node, yaml.ScalarNode) or node.tag == _TAG + "null":
            self.refuse(expected, write or "a value")
        elif node.tag == _TAG + "str" and raw.strip():
            return raw
        elif node.tag == _TAG + "int" and _DECIMAL.fullmatch(raw):
            return int(raw)
        elif node.tag == _TAG + "bool" and raw in {"true", "false"}:
            return raw == "true"
        elif node.tag == _TAG + "timestamp" and _ISO_DAY.fullmatch(raw):
            try:
                return date.fromisoformat(raw)
            except ValueError:
                self.refuse("a day of the calendar", "an existing date, as YYYY-MM-DD")
        else:
            self.refuse(
                expected,
                write or f'"{raw}" in quotes if the text is meant, else 12, true, false or YYYY-MM-DD',
            )
        return ""

    def _under(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises PolicyError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(
            [f"{path}:1: expected a readable file, got {error.strerror}, write the file"]
        ) from error


def parse_yaml(content: bytes, name: str) -> Part:
    """The root of a YAML text, which messages call `name`. Raises PolicyError unless it is one document."""
    file = SourceFile(name, hashlib.sha256(content).hexdigest())
    try:
        node = _composed(content, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PolicyError(
            [f"{name}:{line}: expected plain YAML, got {error.problem}, write it out"]
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError([f"{name}:1: expected UTF-8 text, got other bytes, write UTF-8"]) from error
    if node is None:
        raise PolicyError([f"{name}:1: expected a mapping, got an empty file, write its keys"])
    return Part(file, node, "", _line(node))


def advice(word: str, allowed: Collection[str]) -> str:
    """What to write instead of a word that is not allowed: the nearest one, or the whole list."""
    near = difflib.get_close_matches(word, allowed, n=1)
    return f"`{near[0]}`" if near else f"one of {', '.join(allowed)}"


def _composed(content: bytes, name: str) -> yaml.Node | None:
    """The nodes of one document, unless it has what makes one place of a file mean another."""
    level = 0
    for event in yaml.parse(content, Loader=_Loader):
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="an anchor or alias", problem_mark=mark)
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(problem="a tag", problem_mark=mark)
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise PolicyError(
                [f"{name}:{mark.line + 1}: expected a few levels, got very many, write it flatter"]
            )
    return yaml.compose(content, Loader=_Loader)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
