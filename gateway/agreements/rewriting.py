"""Writing values into a policy's text as a lawyer would: the rest stays, comments and order too. Pure.

`ruamel.yaml` keeps what it does not change. Two habits are ours: a word that YAML 1.1 would take for
something else (`no`, `35.10`) is quoted, because the strict reader refuses it bare; and a value that is what
it was is not touched, so that it keeps the spelling that it had.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from gateway.agreements.facts import as_written
from gateway.errors import BadInput
from policies.dictionary import Text

# Where a value stands: keys from the top, and of a list the position from 0.
Place = tuple[str | int, ...]
# What is given for a clause that is to go.
REMOVED = object()

_UNINDENTED_LIST = re.compile(rb"^- ", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _./()+-]*[A-Za-z0-9_./()+-])?")
_RESOLVER = yaml.resolver.Resolver()
_TEXT_TAG = "tag:yaml.org,2002:str"
_UNBROKEN = 100_000
_UNREADABLE = Text(
    "text: diharapkan YAML yang dapat dibaca, agar isian dapat ditulis ke dalamnya: perbaiki dahulu teksnya.",
    "text: expected YAML that can be read, so that what was filled in can be written into it: mend the text "
    "first.",
)


def rewritten(text: bytes, values: Mapping[Place, Any]) -> bytes:
    """The text with each value at its place; REMOVED takes a clause out. What is equal stays as it stands.

    A mapping that lies on the way and is missing, or is one word such as `none`, is made. Raises BadInput
    for a text that is no YAML mapping.
    """
    present = as_written(text)
    if present is None:
        raise BadInput(_UNREADABLE)
    round_trip = _round_trip(text)
    try:
        root = round_trip.load(text)
    except YAMLError:
        raise BadInput(_UNREADABLE) from None
    for place, value in values.items():
        if value is REMOVED:
            _remove(root, place)
        elif _plain(value) != _at(present, place):
            _put(root, place, value)
    written = io.BytesIO()
    round_trip.dump(root, written)
    return written.getvalue()


def _round_trip(text: bytes) -> YAML:
    reader = YAML()
    reader.preserve_quotes = True
    reader.width = _UNBROKEN
    if _UNINDENTED_LIST.search(text):
        reader.indent(mapping=2, sequence=2, offset=0)
    else:
        reader.indent(mapping=2, sequence=4, offset=2)
    return reader


def _at(said: Any, place: Place) -> Any:
    for key in place:
        said = _below(said, key)
    return said


def _below(said: Any, key: str | int) -> Any:
    """What stands under a key of a mapping or at a position of a list; None where there is nothing."""
    if isinstance(key, int):
        return said[key] if isinstance(said, list) and key < len(said) else None
    return said.get(key) if isinstance(said, Mapping) else None


def _plain(value: Any) -> Any:
    """A value as `as_written` would read it: every scalar a text."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _remove(root: Any, place: Place) -> None:
    parent = root
    for key in place[:-1]:
        parent = _below(parent, key)
        if parent is None:
            return
    if not isinstance(parent, CommentedMap):
        return
    if place[-1] in parent:
        tail = _tail_of(parent) if _last_key(parent) == place[-1] else ""
        del parent[place[-1]]
        if tail and parent:
            _add_tail(parent, tail)


def _put(root: Any, place: Place, value: Any) -> None:
    parent, tail = root, ""
    for key in place[:-1]:
        below = _below(parent, key)
        if isinstance(key, str) and not isinstance(below, CommentedMap | CommentedSeq):
            tail = _tail_of(parent, key) if key in parent else ""
            _assign(parent, key, CommentedMap())
        parent = parent[key]
    _assign(parent, str(place[-1]), _node(value, in_line=len(place) > 1))
    if tail:
        _add_tail(parent, tail)


def _assign(parent: CommentedMap, key: str, node: Any) -> None:
    """Set a key; a new one goes to the end, and what stood below the mapping stays below it."""
    if key in parent:
        tail = _tail_of(parent, key) if isinstance(parent[key], CommentedMap | CommentedSeq) else ""
        parent[key] = _kept_style(parent[key], node)
        if tail:
            _add_tail(parent, tail, key)
        return
    tail = _tail_of(parent) if parent else ""
    parent[key] = node
    if tail:
        _add_tail(parent, tail)


def _kept_style(present: Any, node: Any) -> Any:
    """A list goes on as it was written, below one another or in one line, and a text in its quotes."""
    if isinstance(present, CommentedSeq) and isinstance(node, CommentedSeq) and not present.fa.flow_style():
        node.fa.set_block_style()
    if isinstance(present, DoubleQuotedScalarString) and isinstance(node, str):
        return DoubleQuotedScalarString(node)
    return node


def _last_key(mapping: CommentedMap) -> Any:
    return next(reversed(mapping), None)


def _tail_of(mapping: CommentedMap, key: Any = None) -> str:
    """Take the blank lines and comments that follow a mapping's last line off its last key.

    They stand at the innermost key, where that one's value has lines of its own.
    """
    key = _last_key(mapping) if key is None else key
    within = mapping[key]
    if isinstance(within, CommentedMap) and within and not within.fa.flow_style():
        return _tail_of(within)
    tokens = mapping.ca.items.get(key)
    token = tokens[2] if tokens and len(tokens) > 2 else None  # noqa: PLR2004 - where ruamel keeps it
    if token is None:
        return ""
    first, newline, rest = token.value.partition("\n")
    if not rest:
        return ""
    token.value = first + newline
    return str(rest)


def _add_tail(mapping: CommentedMap, tail: str, key: Any = None) -> None:
    key = _last_key(mapping) if key is None else key
    within = mapping[key]
    if isinstance(within, CommentedMap) and within and not within.fa.flow_style():
        _add_tail(within, tail)
        return
    tokens = mapping.ca.items.setdefault(key, [None, None, None, None])
    if tokens[2] is None:
        tokens[2] = CommentToken("\n" + tail, start_mark=_Column(), end_mark=None)
    else:
        tokens[2].value += tail


class _Column:
    """Where a comment of ours begins: nowhere, as it begins with the end of a line."""

    column = 0


def _node(value: Any, *, in_line: bool) -> Any:
    """A value as ruamel writes it; `in_line` for what stands beside its key, such as a transformation."""
    if isinstance(value, Mapping):
        node = CommentedMap((key, _node(one, in_line=in_line)) for key, one in value.items())
        if in_line:
            node.fa.set_flow_style()
        return node
    if isinstance(value, Sequence) and not isinstance(value, str):
        listed = CommentedSeq(_node(one, in_line=in_line) for one in value)
        if all(isinstance(one, str) and " " not in one for one in value):
            listed.fa.set_flow_style()
        return listed
    if isinstance(value, bool | int | date):
        return value
    text = str(value)
    # Bare only what no edition of YAML reads as anything but a text.
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return text if _BARE.fullmatch(text) and tag == _TEXT_TAG else DoubleQuotedScalarString(text)
