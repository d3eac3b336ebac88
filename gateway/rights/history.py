"""The access history of a person: who was told what of them, when, for which purpose, on which legal basis.

It is read from the log, which knows people by keyed hashes only, so whoever asks must bring the person. What
an agreement lets stay undisclosed for a while is left out without a trace. It MUST NOT decide who may read a
history, and MUST NOT name a staff member to a person: an office acted, not a clerk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from gateway.audit.subject_index import Mention, SubjectIndex
from gateway.database import Database
from gateway.oauth.tables import consumers
from gateway.replica import Reports

MOST_ENTRIES = 200
_AT_ONCE = 1_000
# Of an exchange that was refused for want of a source, or never ended: nothing was told of the person.
TOLD_NOTHING = frozenset({"not_found", "invalid_identifier", "duplicate_identity", "unusable_name"})


@dataclass(frozen=True, slots=True)
class Access:
    """One moment at which somebody asked about the person, or an office acted on their data.

    `by` is a consumer's id, None for an act of Pusdatin; `fields` are those told, with the form of each;
    `outcome` is the word of `gateway.rights.wording`; `asked` are outside sources that were asked as well.
    """

    reference: UUID
    at: datetime
    by: str | None
    name: str
    operation: str
    purpose: str | None
    programme: str | None
    agreement: str | None
    legal_basis: tuple[str, ...]
    fields: Mapping[str, str]
    outcome: str
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """A page of accesses, the newest first. `before` leads to the older ones, None when there are none.

    Every access that was committed at `as_of` (UTC) is in the history.
    """

    accesses: Sequence[Access]
    before: UUID | None
    as_of: datetime


class Histories:
    """Reads access histories. Blocks; thread-safe."""

    def __init__(
        self,
        database: Database,
        index: SubjectIndex,
        clock: Callable[[], datetime],
        reports: Reports | None = None,
    ) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._reports = reports or Reports(database, clock=clock)

    def read(
        self, hashes: Sequence[str], *, limit: int = MOST_ENTRIES, before: UUID | None = None
    ) -> History:
        """A page of the history of whom the log knows by these hashes; `before` is the last page's.

        Raises NotFound for a reference that is none, Retryable while the index is being made.
        """

        def page(database: Database) -> History:
            is_primary = database is self._database
            index = self._index if is_primary else SubjectIndex(database, may_write=False)
            return self._page(index, hashes, limit, before)

        told = self._reports(page)
        return replace(told.value, as_of=told.as_of)

    def _page(self, index: SubjectIndex, hashes: Sequence[str], limit: int, before: UUID | None) -> History:
        now, end = self._clock(), None if before is None else index.sequence_of(before)
        seen: list[tuple[Mention, dict[str, Any]]] = []
        # One more than is shown tells whether there are more. What is undisclosed leaves no gap in a page:
        # a page that is short by two would tell that two were left out.
        while len(seen) <= limit:
            page = index.mentions(hashes, limit=limit + 1, before=end)
            seen += [(one, said) for one in page if (said := _disclosed(one, now)) is not None]
            if len(page) <= limit:
                break
            end = page[-1].sequence
        shown = seen[:limit]
        more = shown[-1][0].exchange_id if len(seen) > limit else None
        return History(self._accesses(index, shown), more, now)

    def all(self, hashes: Sequence[str]) -> Sequence[Access]:
        """The whole history, the newest first."""
        accesses: list[Access] = []
        page = self.read(hashes, limit=_AT_ONCE)
        accesses += page.accesses
        while page.before is not None:
            page = self.read(hashes, limit=_AT_ONCE, before=page.before)
            accesses += page.accesses
        return accesses

    def _accesses(self, index: SubjectIndex, shown: Sequence[tuple[Mention, dict[str, Any]]]) -> list[Access]:
        asked = index.sources_asked([one.exchange_id for one, _ in shown if one.kind == "outcome"])
        names = consumer_names(self._database)
        return [_access(one, said, names, asked.get(one.exchange_id, ())) for one, said in shown]


def consumer_names(database: Database) -> dict[str, str]:
    """What each registered consumer is called, by id."""
    with database.reading() as connection:
        return {row.id: row.name for row in connection.execute(select(consumers.c.id, consumers.c.name))}


def _disclosed(mention: Mention, now: datetime) -> dict[str, Any] | None:
    """What the entry says, or None while it is not to be told, or no longer can be."""
    if mention.text is None:
        return None
    said: dict[str, Any] = json.loads(mention.text)
    delay = timedelta(days=said.get("disclosure_delay_days", 0))
    return said if mention.at + delay <= now else None


def _access(
    mention: Mention, said: Mapping[str, Any], names: Mapping[str, str], asked: tuple[str, ...]
) -> Access:
    by = mention.consumer_id
    outcome = _outcome(mention, said)
    told = outcome not in TOLD_NOTHING and said.get("outcome") == "answered"
    agreement, basis = said.get("agreement"), said.get("legal_basis", ())
    return Access(
        reference=mention.exchange_id,
        at=mention.at,
        by=by,
        name="Pusdatin Kesejahteraan Sosial" if by is None else names.get(by, by),
        operation=said["act"] if mention.kind == "act" else said["operation"],
        purpose=said.get("purpose"),
        programme=said.get("programme"),
        agreement=agreement and f"{agreement['id']} v{agreement['version']}",
        legal_basis=(basis,) if isinstance(basis, str) else tuple(basis),
        fields=said.get("fields", {}) if told else {},
        outcome=outcome,
        asked=tuple(said["sources"]) if mention.kind == "intent" else asked,
    )


def _outcome(mention: Mention, said: Mapping[str, Any]) -> str:
    """How it ended for this person, in one word."""
    if mention.kind == "act":
        return "act"
    if mention.kind == "intent":
        return "unfinished"
    if said["outcome"] == "refused":
        return str(said["reason"])
    return mention.outcome or "released"
