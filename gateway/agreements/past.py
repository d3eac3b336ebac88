"""What counted on an earlier day: an exchange of then explained by the texts of then.

Versions are never removed, and each activation is in the history, so that the dictionary and the rules of
any moment since the first start can be read again. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, and_, select

from gateway.agreements.explanation import Because, Wording, because
from gateway.agreements.reading import AgreementText, PolicyReader, PolicyTexts
from gateway.agreements.tables import policy_acts, policy_versions
from gateway.audit.tables import audit_documents, audit_entries
from gateway.database import Database
from gateway.errors import NotFound
from policies.dictionary import Text
from policies.errors import PolicyError


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a field did not reach the consumer of an exchange: `reasons`, the first of which weighs most.

    `agreement` is named as the entry names it (id, version, sha256); None where none was picked, or the
    entry was erased. `at` is UTC.
    """

    exchange_id: UUID
    at: datetime
    consumer: str
    agreement: dict[str, Any] | None
    field: str
    reasons: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """An outcome's entry, None once erased, and the wording by which it was decided, where it can be read."""

    at: datetime
    consumer: str
    entry: dict[str, Any] | None
    wording: Wording | None


_NO_OUTCOME = Text(
    "Log tidak memuat hasil pertukaran dengan nomor ini: nomor lain, atau berakhir sebelum ada jawaban.",
    "The log has no outcome of an exchange of this id: it is another's, or ended before an answer.",
)


class Explanations:
    """Explains exchanges of one database's log. Blocks; use it in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = PolicyReader()

    def __call__(self, exchange_id: UUID, field: str) -> Explanation:
        """Why `field` of this exchange did not reach its consumer, or in which form it did.

        Raises NotFound where the log holds no outcome of it, StoreUnavailable.
        """
        read = self._read(exchange_id)
        reasons = because(read.entry, field, read.wording)
        agreement = read.entry.get("agreement") if read.entry is not None else None
        return Explanation(exchange_id, read.at, read.consumer, agreement, field, reasons)

    def withheld(self, exchange_id: UUID) -> dict[str, tuple[Because, ...]]:
        """Why each field was withheld that the answer withheld; empty for a refusal, which withholds all.

        Raises as a call does.
        """
        read = self._read(exchange_id)
        fields = read.entry.get("withheld", ()) if read.entry is not None else ()
        return {field: because(read.entry, field, read.wording) for field in fields}

    def _read(self, exchange_id: UUID) -> _Read:
        statement = select(audit_entries.c.at, audit_entries.c.consumer_id, audit_entries.c.entry).where(
            audit_entries.c.exchange_id == exchange_id, audit_entries.c.kind == "outcome"
        )
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise NotFound(_NO_OUTCOME)
            entry = orjson.loads(row.entry) if row.entry is not None else None
            agreement = entry.get("agreement") if entry is not None else None
            wording = self._wording(connection, agreement, row.at) if agreement is not None else None
        return _Read(row.at, row.consumer_id, entry, wording)

    def _wording(self, connection: Connection, agreement: dict[str, Any], at: datetime) -> Wording | None:
        """The agreement that an entry names, read as it was read then; None if that cannot be done."""
        kept = select(audit_documents.c.text).where(audit_documents.c.sha256 == agreement["sha256"])
        text: str | None = connection.execute(kept).scalar_one_or_none()
        ground = ground_at(connection, at)
        if text is None or ground is None:
            return None
        try:
            before = _before(connection, agreement["id"], agreement["version"])
            written = AgreementText(text.encode(), b"", "active", before)
            book = self._reader.book(ground.with_agreement(agreement["id"], written))
        except PolicyError:
            return None
        return Wording(book.agreements[0], book.dictionary)


def _before(connection: Connection, agreement_id: str, version: int) -> bytes:
    """The text that was in force before a version of an agreement; empty where none was."""
    one = policy_versions.c
    statement = (
        select(one.text)
        .where(one.kind == "agreement", one.name == agreement_id, one.version < version)
        .where(one.state.in_(("superseded", "revoked")))
        .order_by(one.version.desc())
        .limit(1)
    )
    return (connection.execute(statement).scalar_one_or_none() or "").encode()


def ground_at(connection: Connection, at: datetime) -> PolicyTexts | None:
    """The dictionary and the rules that were in force at a moment; None before there were any."""
    of_act = and_(
        policy_versions.c.kind == policy_acts.c.kind,
        policy_versions.c.name == policy_acts.c.name,
        policy_versions.c.version == policy_acts.c.version,
    )
    statement = (
        select(policy_versions.c.kind, policy_versions.c.name, policy_versions.c.text)
        .join(policy_acts, of_act)
        .where(policy_acts.c.act == "activate", policy_acts.c.kind != "agreement", policy_acts.c.at <= at)
        .order_by(policy_acts.c.id)
    )
    # Later activations replace earlier ones.
    texts = {(row.kind, row.name): row.text.encode() for row in connection.execute(statement)}
    dictionary = next((text for (kind, _), text in texts.items() if kind == "dictionary"), None)
    if dictionary is None:
        return None
    return PolicyTexts(
        dictionary, {name: text for (kind, name), text in texts.items() if kind == "programme"}
    )
