"""What the operators' guides say to type exists: each command of `gapura`, with each of its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from typer.main import get_command

from gateway.cli import app

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDES = sorted(DEPLOY.glob("*.md"))
_FENCED = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_ANY_FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
# After variables for this one command, and where it is installed.
_COMMAND = re.compile(r"^(?:env |[A-Z_]+=\S+ |\S*/bin/)*gapura (?=[a-z])")


def _typed(text: str) -> Iterator[str]:
    """Every line of a shell block, and every inline code, that begins with `gapura`; without that word."""
    blocks = [block.replace("\\\n", " ").splitlines() for block in _FENCED.findall(text)]
    spans = [span.replace("\n", " ") for span in _SPAN.findall(_ANY_FENCED.sub("", text))]
    for line in (*(line for lines in blocks for line in lines), *spans):
        for part in line.split("&&"):
            command, found = _COMMAND.subn("", part.strip())
            if found:
                yield command


def _unknown(typed: str) -> str | None:
    """The first word or option that the command line does not know; None when it knows all."""
    context = click.Context(get_command(app))
    words = shlex.split(typed, comments=True)
    while words and hasattr(context.command, "get_command") and not words[0].startswith("-"):
        word = words.pop(0)
        found = context.command.get_command(context, word)
        if found is None:
            return word
        context = click.Context(found, parent=context)
    known = {name for one in context.command.params for name in (*one.opts, *one.secondary_opts)}
    options = (word.partition("=")[0] for word in words if word.startswith("--"))
    return next((word for word in options if word not in known | {"--help"}), None)


TYPED = sorted(
    {(guide.name, typed) for guide in GUIDES for typed in _typed(guide.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize(("guide", "typed"), TYPED)
def test_a_command_of_a_guide_exists_with_its_options(guide: str, typed: str) -> None:
    assert _unknown(typed) is None, guide


@pytest.mark.parametrize(
    ("typed", "unknown"),
    [
        ("keys rotate-master --reason REF", "rotate-master"),
        ("keys rotate-log --overlap 30 --reason REF", "--overlap"),
        ("consumers keys add ID FILE --overlap-days 30", None),
        ("backup verify --identity FILE  # a word that is none", None),
    ],
)
def test_what_does_not_exist_is_noticed(typed: str, unknown: str | None) -> None:
    assert _unknown(typed) == unknown


def test_commands_are_read_from_blocks_and_from_lines() -> None:
    block = "```sh\nA=1 /opt/x/bin/gapura keys \\\nlist # x\n```\n"
    assert list(_typed(f"Run `gapura doctor`, not `systemctl start gapura nginx`.\n{block}")) == [
        "keys  list # x",
        "doctor",
    ]


def test_each_guide_that_gives_orders_was_read() -> None:
    assert {"README.md", "RUNBOOK.md", "KEYS.md"} <= {guide for guide, _ in TYPED}
    assert len(TYPED) > 80


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_a_file_that_a_guide_names_is_there(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (guide.parent / target).exists(), target
    for path in re.findall(r"`((?:gateway|policies|connectors|tests|deploy)/[\w/.-]*\.\w+)`", text):
        assert (DEPLOY.parent / path).exists(), path
