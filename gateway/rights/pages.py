"""Documents about rights as people get them: one HTML file that needs nothing else and prints, and JSON.

Everything that is filled in is escaped: a name in the registry may hold what a browser would run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from connectors.base import Value
from gateway.rights.access import both, listed
from gateway.rights.desk import Copy
from gateway.rights.wording import HEAD, field_label, moment, operation_words, outcome_words
from policies.dictionary import Field

_TEMPLATES = Path(__file__).parent / "templates"


def copy_as_json(copy: Copy, dictionary: Mapping[str, Field]) -> dict[str, Any]:
    """A person's copy as plain values."""
    return {
        "gapura_copy": 1,
        "reference": str(copy.reference),
        "made_at": copy.made_at.isoformat(timespec="seconds"),
        "held": [
            {
                "field": one.field,
                "label": both(field_label(one.field, dictionary)),
                "value": _plain(one.value),
                "source": one.source,
                "as_of": one.as_of.isoformat() if one.as_of else None,
            }
            for one in copy.held
        ],
        "words": both(HEAD),
        "accesses": listed(copy.accesses, dictionary),
    }


def copy_as_html(copy: Copy, dictionary: Mapping[str, Field]) -> str:
    """A person's copy as a page in Indonesian."""
    return _pages(dictionary).get_template("copy.html").render(copy=copy, head=HEAD.id)


def record_as_html(record: Mapping[str, Any]) -> str:
    """A record of processing as a page in Indonesian."""
    return _pages({}).get_template("processing.html").render(record=record)


def _pages(dictionary: Mapping[str, Field]) -> Environment:
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.filters |= {
        "moment": moment,
        "label": lambda name: field_label(name, dictionary).id,
        "value": _shown,
        "did": lambda access: operation_words(access.operation).id,
        "outcome": lambda word: outcome_words(word).id,
    }
    return pages


def _plain(value: Value) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Value) -> str:
    plain = _plain(value)
    if plain is None or plain == []:
        return "tidak ada"
    return ", ".join(plain) if isinstance(plain, list) else str(plain)
