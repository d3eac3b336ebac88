"""JSON as a source of record has to write it: no name twice, and no deeper than it can mean anything.

Of two values for one name neither can be believed, and the usual reading silently takes the last.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any


def strict_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, without what stood there."""
    with suppress(ValueError, RecursionError):
        return json.loads(text, object_pairs_hook=_without_repeats)
    raise ValueError("not JSON, nested too deeply, or a name occurs twice in one object")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document
