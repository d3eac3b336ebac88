"""The text with which a draft begins: an earlier version, a copy of another agreement, or an outline. Pure.

An outline releases nothing, to nobody, nowhere: what an author does not fill in stays refused by the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.agreements.facts import as_written
from gateway.agreements.rewriting import REMOVED, Place, rewritten
from policies.agreement import DOCUMENT_KINDS

_OUTLINE = b"""\
id: ""
version: 1
consumer: ""
title:
  id: ""
  en: ""
purpose: ""
legal_basis: []
documents:
  pks: ""
valid_from: ""
valid_until: ""

operations: [records]
scope:
  regions: []
  enrolled_in: anyone
subjects_per_request: 1
limits:
  requests_per_minute: 60
  subjects_per_day: 1000
  new_people_per_day: 100

pseudonym_sector: none
reasons: false
on_source_failure: refuse

fields: none
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """How a new agreement is headed; None keeps what a copied text says."""

    title_id: str | None = None
    title_en: str | None = None
    consumer: str | None = None
    purpose: str | None = None
    pks: str | None = None


def restored(text: bytes, number: int) -> bytes:
    """An earlier text of the same policy under the number of the new version; unreadable, as it is."""
    return text if as_written(text) is None else rewritten(text, {("version",): number})


def copied(text: bytes, name: str, heading: Heading) -> bytes:
    """The text of another agreement as a new one. Its papers are not this one's: they are left out."""
    papers: dict[Place, Any] = {("documents", kind): REMOVED for kind in DOCUMENT_KINDS if kind != "pks"}
    return _headed(text, name, heading, papers)


def outlined(name: str, heading: Heading) -> bytes:
    """A new agreement that says nothing yet."""
    return _headed(_OUTLINE, name, heading, {})


def _headed(text: bytes, name: str, heading: Heading, more: Mapping[Place, Any]) -> bytes:
    said: dict[Place, Any] = {
        ("id",): name,
        ("version",): 1,
        ("consumer",): heading.consumer,
        ("title", "id"): heading.title_id,
        ("title", "en"): heading.title_en,
        ("purpose",): heading.purpose,
        ("documents", "pks"): heading.pks or "",
    }
    return rewritten(text, {**{place: one for place, one in said.items() if one is not None}, **more})
