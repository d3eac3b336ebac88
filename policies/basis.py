"""On which of its legal bases an agreement releases a field, where not all of them carry it.

UU 27/2022 art. 20 asks for a basis of each processing. An agreement names its bases once, and for a field
that rests on one of them alone, which: words that the agreement's own list has, so that no field rests on
what nobody signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policies.strict_yaml import Part, advice


def read_field_basis(part: Part, parts: Mapping[str, Part]) -> Mapping[str, str]:
    """The clause `field_basis`: fields of the clause `fields`, each with an entry of `legal_basis`."""
    fields = {key.raw for key, _ in parts["fields"].entries()} if parts["fields"].is_mapping() else set()
    named = parts["legal_basis"]
    bases = [item.raw for item in named.items("a list of legal bases")] if named.is_list() else []
    found: dict[str, str] = {}
    for key, value in part.entries("one line per field"):
        if key.raw not in fields:
            key.refuse("a field of the clause `fields`", advice(key.raw, sorted(fields)), got=repr(key.raw))
        elif value.raw not in bases:
            value.refuse("one of the legal bases of this agreement, word for word", "it as in `legal_basis`")
        else:
            found[key.raw] = value.raw
    return MappingProxyType(found)
