"""Consumers by what somebody typed of them: there may be thousands, so no page lists them all to choose from.

A page has the first few that fit; a browser with scripts asks for the page again while somebody types, and
one without shows on the next page which ones it could be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.console.asking import ApiProblem
from gateway.console.visit import Visit

_API = "/admin/v1/consumers"
_MOST = 20
_LONGEST = 100
# As consumers are registered: whatever else is typed is a part of a name.
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class NamedConsumer:
    """Which consumer was meant: `id` once it is known, empty where nothing was typed.

    `unsure` when what was typed fits none or several; `could_be` are the first few that it fits.
    """

    id: str
    unsure: bool
    could_be: Sequence[Any]


async def suggested(visit: Visit, typed: str) -> Sequence[Any]:
    """The first few consumers with this in their id, name or sector; of all of them for nothing typed."""
    found = await visit.get(_API, search=typed[:_LONGEST] or None, limit=_MOST)
    consumers: Sequence[Any] = found["consumers"]
    return consumers


async def meant(visit: Visit, typed: str) -> NamedConsumer:
    """The consumer of this id; or the only one that has what was typed in its id, name or sector."""
    typed = typed.strip()
    if _ID.fullmatch(typed):
        try:
            return NamedConsumer(typed, unsure=False, could_be=[await visit.get(f"{_API}/{typed}")])
        except ApiProblem as problem:
            if problem.status != 404:  # noqa: PLR2004 - there is none of this id
                raise
    could_be = await suggested(visit, typed)
    if typed and len(could_be) == 1:
        return NamedConsumer(could_be[0]["id"], unsure=False, could_be=could_be)
    return NamedConsumer("", unsure=bool(typed), could_be=could_be)
