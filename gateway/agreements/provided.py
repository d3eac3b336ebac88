"""Would every policy still find its sources, if a version counted? Asked before, not at the next start.

Pure. It MUST agree with `gateway.provision.check_provided`, by which a process refuses to start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from gateway.agreements.lifecycle import Version
from gateway.provision import needed_fields
from policies.agreement import AgreementBook
from policies.conditions import ON_DATE
from policies.dictionary import Ceiling, Field

# The fields that each source of this gateway provides, by its name.
Provided = Mapping[str, frozenset[str]]
AskProvided = Callable[[], Provided | None]


def not_known() -> None:
    """For a store over whose gateway nothing is known: then nothing is said."""


def unprovided(
    version: Version, before: Mapping[str, Field], after: AgreementBook, provided: Provided
) -> Iterator[str]:
    """A problem for each field that is asked for, or new to the dictionary, and that nobody provides.

    `before` is the dictionary in force. What may never leave can be named without a source.
    """
    everywhere = frozenset({ON_DATE}).union(*provided.values())
    lacking = {
        field: "a source of this gateway" for _, field in needed_fields(after) if field not in everywhere
    }
    if version.kind == "dictionary":
        for name, field in after.dictionary.items():
            moved = name not in before or before[name].source != field.source
            there = name in provided.get(field.source, frozenset())
            if moved and not there and field.ceiling is not Ceiling.NEVER:
                lacking[name] = f"the source {field.source}"
    for name, source in sorted(lacking.items()):
        yield (
            f"{version.name}.yaml:{_line_of(name, version.text)}: {name}: expected a field that {source} "
            "provides, got one that it does not, write another field or source, or configure the source and "
            "restart first (`gapura sources`)"
        )


def _line_of(field: str, text: bytes) -> int:
    """The line, from 1, on which a text has the field as a key; 1 where it only stands on one that has."""
    found = re.search(rb"^ *" + field.encode() + rb" *:", text, re.MULTILINE)
    return text.count(b"\n", 0, found.start()) + 1 if found else 1
