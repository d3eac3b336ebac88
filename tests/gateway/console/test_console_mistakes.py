"""What is wrong with a policy's text is told in the visitor's language, however the text was spoilt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from markupsafe import escape

from gateway.console.language import speech
from gateway.console.policy_mistakes import mistake_told
from policies.agreement import AgreementBook, parse_agreement
from policies.cases import parse_cases
from policies.conditions import parse_programme
from policies.dictionary import parse_dictionary
from policies.errors import PolicyError
from policies.library import load_policies

SHIPPED = Path(__file__).parents[3] / "policies"
# What a value may be replaced by: each kind of YAML, and words that mean nothing.
_JUNK = ("", "[]", "{}", "junk", "'1'", "-1", "1.5", "[junk]", "{junk: 1}", "2026-02-30", "no", "[[1], [1]]")
# English that Indonesian has not: what is left of a part that nobody translated.
_ENGLISH = re.compile(r"\b(?:a|an|the|of|with|such|each|only|without|beside|expected|got|write)\b")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")

_LINES = 80

Parse = Callable[[bytes, str], object]


@cache
def _book() -> AgreementBook:
    return load_policies(SHIPPED)


def _read_cases(text: bytes, name: str) -> object:
    agreement = next(one for one in _book().agreements if name == f"{one.id}.cases.yaml")
    return parse_cases(text, name, agreement, _book().dictionary)


def _read_agreement(text: bytes, name: str) -> object:
    return parse_agreement(text, name, _book().dictionary, _book().programmes)


_KINDS: dict[str, tuple[Path, Parse]] = {
    "agreement": (SHIPPED / "agreements" / "dinsos-jatim-verification.yaml", _read_agreement),
    "cases": (SHIPPED / "agreements" / "bpjs-pbi-jk.cases.yaml", _read_cases),
    "programme": (
        SHIPPED / "programmes" / "pbi-jk.yaml",
        lambda text, name: parse_programme(text, name, _book().dictionary),
    ),
    "dictionary": (SHIPPED / "fields.yaml", parse_dictionary),
}


def _spoilt(text: bytes) -> Iterator[bytes]:
    """The text with the value at one of its lines replaced, its key misspelt, doubled or left out.

    Each key once: what follows of another of its name and depth is alike.
    """
    lines, seen = text.decode().splitlines()[:_LINES], set()
    for at, line in enumerate(lines):
        key, colon, _ = line.partition(":")
        if not colon or line.lstrip().startswith("#") or key in seen:
            continue
        seen.add(key)
        others = [[f"{key}: {junk}"] for junk in _JUNK]
        others += [[f"{key}x:{line.partition(':')[2]}"], [line, line], []]
        yield from ("\n".join([*lines[:at], *other, *lines[at + 1 :]]).encode() for other in others)


def _mistakes(kind: str) -> set[str]:
    file, parse = _KINDS[kind]
    found: set[str] = set()
    for text in _spoilt(file.read_bytes()):
        try:
            parse(text, file.name)
        except PolicyError as error:
            found.update(error.problems)
    return found


@pytest.mark.parametrize("kind", _KINDS)
def test_every_mistake_of_a_spoilt_text_is_told_in_indonesian(kind: str) -> None:
    mistakes = _mistakes(kind)
    assert len(mistakes) > 50
    told = {mistake: mistake_told(speech("id"), mistake) for mistake in mistakes}
    assert [one for one in told.values() if "lang=" in one] == []
    assert [one for one in told.values() if _ENGLISH.search(_QUOTED.sub("", one.unescape()))] == []
    assert all(mistake_told(speech("en"), mistake) == escape(mistake) for mistake in mistakes)


def test_a_part_that_nobody_translated_is_marked_as_english_and_what_is_quoted_is_not() -> None:
    rare = "line 7: expected plain YAML, got found <two> documents, write `a: b`"
    told = mistake_told(speech("id"), rare)
    assert told == (
        'line 7: diharapkan YAML biasa, diperoleh <span lang="en">found &lt;two&gt; documents</span>, '
        "tulis `a: b`"
    )
    # What the gateway says in the visitor's language comes in no such form, and is no English.
    assert mistake_told(speech("id"), "Kunci <kedua> sudah ada") == "Kunci &lt;kedua&gt; sudah ada"
