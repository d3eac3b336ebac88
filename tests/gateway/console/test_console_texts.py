"""Every sentence of the console exists in both languages, and its vendored files are what their list says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

from gateway.console.language import catalogue_files
from gateway.console.pages import STATIC, TEMPLATES

CONSOLE = TEMPLATES.parent
_PLACEHOLDER = re.compile(r"%\((\w+)\)")
# What looks like a text in a template and is none: entities, and names that are the same in every language.
_SAME_EVERYWHERE = {"Gapura", "WIB", "NIK", "DTKS", "JSON", "YAML", "CSV", "API", "ID", "SHA-256"}
_READ_OUT = re.compile(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"')


def _msgids() -> dict[str, str]:
    """Every sentence of templates and code, with a place where it stands."""
    found = extract_from_dir(
        CONSOLE,
        method_map=[("**/templates/**.html", "jinja2"), ("**.py", "python")],
        options_map={"**/templates/**.html": {"extensions": "jinja2.ext.do", "silent": "false"}},
        keywords={"_": None, "gettext": None, "ngettext": (1, 2), "N_": None, "say": None},
    )
    return {
        sentence: f"{file}:{line}"
        for file, line, message, _comments, _context in found
        for sentence in ([message] if isinstance(message, str) else message)
    }


def _translations() -> Iterator[tuple[Path, Message]]:
    for path in catalogue_files("id"):
        with path.open("rb") as file:
            catalogue = read_po(file, locale="id", abort_invalid=True)
        yield from ((path, message) for message in catalogue if message.id)


def test_every_sentence_has_its_indonesian() -> None:
    translated = {message.id for _, message in _translations() if message.string and not message.fuzzy}
    missing = [f"{place}: {sentence}" for sentence, place in _msgids().items() if sentence not in translated]
    assert missing == []


def test_no_translation_is_left_of_a_sentence_that_is_gone() -> None:
    wanted = _msgids()
    assert [f"{path.name}: {one.id}" for path, one in _translations() if one.id not in wanted] == []


def test_translations_put_in_the_same_values_and_agree_with_each_other() -> None:
    known: dict[object, object] = {}
    for path, one in _translations():
        assert isinstance(one.id, str), f"{path.name}: plural forms are not used"
        assert set(_PLACEHOLDER.findall(one.id)) == set(_PLACEHOLDER.findall(str(one.string))), one.id
        assert known.setdefault(one.id, one.string) == one.string, f"{path.name}: {one.id}"


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES))
)
def test_no_template_says_anything_outside_of_the_catalogues(template: Path) -> None:
    markup = _without_expressions(template.read_text(encoding="utf-8"))
    read_out = [text for text in _READ_OUT.findall(markup) if _is_text(text)]
    bare = [text.strip() for text in re.split(r"<[^>]*>", markup) if _is_text(text)]
    assert read_out + bare == []


def _without_expressions(source: str) -> str:
    """The template's own markup: no comments, no expressions, no statements, no translated blocks."""
    kept: list[str] = []
    depth = translating = 0
    for _, token, value in Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"]).lex(source):  # noqa: S701
        if token.endswith("_begin"):
            depth += 1
        elif token.endswith("_end"):
            depth -= 1
        elif token == "name" and value in {"trans", "endtrans"}:
            translating = value == "trans"
        elif token == "data" and not depth and not translating:
            kept.append(value)
    return "".join(kept)


def _is_text(markup: str) -> bool:
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"&\w+;", " ", markup))
    return any(word not in _SAME_EVERYWHERE for word in words)


def test_no_page_has_anything_inline_that_its_policy_would_forbid() -> None:
    for template in TEMPLATES.rglob("*.html"):
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|\shx-on|<style|javascript:", source), template.name
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", source), template.name


def test_vendored_files_are_what_their_list_says_and_bring_their_licences() -> None:
    folder = STATIC / "vendor"
    listed = json.loads((folder / "vendored.json").read_text(encoding="utf-8"))
    files = {name: mark for package in listed["packages"] for name, mark in package["files"].items()}
    present = {path.name for path in folder.iterdir()} - {"vendored.json"}
    assert present == set(files)
    for name, mark in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == mark, name
    assert all(any("LICENSE" in name for name in package["files"]) for package in listed["packages"])
