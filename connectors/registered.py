"""THE registry: every kind of source that is asked about people, one line each, sorted by name.

A line here gives a source its section in `sources.toml`, its place in `gapura sources` and `gapura simulate`,
and the contract suite of tests/connectors. Only `gateway/sources` and tests read it.
"""

from __future__ import annotations

from typing import Any

from connectors.bpjs.kind import BPJS
from connectors.dukcapil.kind import DUKCAPIL
from connectors.kind import SourceKind

KINDS: tuple[SourceKind[Any], ...] = (
    BPJS,
    DUKCAPIL,
)
