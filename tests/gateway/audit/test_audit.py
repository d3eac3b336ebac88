from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.audit.entry import Entry, SubjectHasher, act, exchange_salt, message_hash
from gateway.audit.log import AuditLog
from gateway.audit.tables import audit_entries, audit_pending
from gateway.database import Database
from gateway.errors import AuditUnavailable

BLIND = b"b" * 32
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def _entry(exchange_id: UUID | None = None, kind: str = "outcome") -> Entry:
    return Entry(
        exchange_id or uuid4(), kind, NOW, "bpjs-kesehatan", {"purpose": "x", "counts": {"eligible": 1}}
    )


def test_canonical_text_depends_on_the_content_and_not_on_the_order_of_members() -> None:
    exchange_id = uuid4()
    one = Entry(exchange_id, "outcome", NOW, "c", {"b": 1, "a": {"d": 2, "c": 3}})
    other = Entry(exchange_id, "outcome", NOW, "c", {"a": {"c": 3, "d": 2}, "b": 1})
    assert one.seal(BLIND).text == other.seal(BLIND).text
    assert b" " not in one.seal(BLIND).text


def test_subjects_stand_beside_the_entry_under_a_seal_that_only_their_blind_opens() -> None:
    entry = Entry(
        uuid4(), "outcome", NOW, "c", {"counts": {"eligible": 1}}, [("hash-of-a-person", "eligible")]
    )
    sealed = entry.seal(BLIND)
    assert b"hash-of-a-person" not in sealed.text
    assert sealed.subjects == b'[["hash-of-a-person","eligible"]]'
    assert json.loads(sealed.text)["subjects_sha256"] == hashlib.sha256(BLIND + sealed.subjects).hexdigest()
    assert entry.seal(b"c" * 32).sha256 != sealed.sha256


def test_two_equal_acts_are_two_entries_that_nobody_can_guess() -> None:
    acts = [
        act(actor="a", act="agreement.suspend", object_id="x", object_sha256=None, reason="r", at=NOW)
        for _ in range(2)
    ]
    assert acts[0].seal(BLIND).sha256 != acts[1].seal(BLIND).sha256
    head = json.loads(acts[0].seal(BLIND).text)
    assert (head["kind"], head["act"], head["actor"]) == ("act", "agreement.suspend", "a")
    assert "consumer" not in head


@given(st.uuids(), st.uuids())
def test_a_person_has_one_hash_under_one_key_and_another_under_another(person: UUID, stranger: UUID) -> None:
    hasher = SubjectHasher(b"k" * 32)
    assert hasher.person(person) == SubjectHasher(b"k" * 32).person(person)
    assert hasher.person(person) != SubjectHasher(b"l" * 32).person(person)
    assert (hasher.person(person) == hasher.person(stranger)) == (person == stranger)


@given(st.binary(min_size=1, max_size=80), st.uuids(), st.text(st.characters(codec="utf-8"), max_size=40))
def test_hashes_of_people_are_hmac_sha256_cut_to_128_bits(key: bytes, person: UUID, identifier: str) -> None:
    def cut(message: bytes) -> str:
        return hmac.digest(key, message, "sha256").hex()[:32]

    hasher = SubjectHasher(key)
    assert hasher.person(person) == cut(b"person:" + person.bytes)
    assert hasher.identifier(identifier) == cut(b"identifier:" + identifier.encode())


def test_message_hash_cannot_be_recomputed_without_the_salt_of_its_exchange() -> None:
    key, message = b"k" * 32, b'{"nik": "guessable"}'
    first, second = (exchange_salt(key, exchange) for exchange in (UUID(int=1), UUID(int=2)))
    assert message_hash(first, message) != message_hash(second, message)
    assert message_hash(first, message) != message_hash(b"", message)


@pytest.mark.anyio
async def test_an_appended_entry_is_on_disk_exactly_as_hashed(database: Database) -> None:
    log, entry = AuditLog(database), _entry()
    sealed = await log.append(entry)
    with database.reading() as connection:
        row = connection.execute(select(audit_entries)).one()
        pending = connection.execute(select(audit_pending)).one()
    assert row.entry.encode() == sealed.text
    assert (pending.sequence, pending.sha256) == (row.sequence, hashlib.sha256(sealed.text).digest())
    assert (row.exchange_id, row.at, row.consumer_id) == (entry.exchange_id, NOW, "bpjs-kesehatan")
    assert json.loads(row.entry)["counts"] == {"eligible": 1}
    log.close()


@pytest.mark.anyio
async def test_many_waiting_exchanges_share_a_few_commits_and_all_are_kept(database: Database) -> None:
    log = AuditLog(database)
    entries = [_entry() for _ in range(300)]
    await asyncio.gather(*(log.append(entry) for entry in entries))
    with database.reading() as connection:
        kept = set(connection.execute(select(audit_entries.c.exchange_id)).scalars())
    assert kept == {entry.exchange_id for entry in entries}
    log.close()


@pytest.mark.anyio
async def test_a_second_outcome_of_one_exchange_is_refused(database: Database) -> None:
    log, exchange_id = AuditLog(database), uuid4()
    await log.append(_entry(exchange_id, "intent"))
    await log.append(_entry(exchange_id))
    with pytest.raises(AuditUnavailable):
        await log.append(_entry(exchange_id))
    log.close()


@pytest.mark.anyio
async def test_appending_fails_closed_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    without_tables = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    log = AuditLog(without_tables)
    with pytest.raises(AuditUnavailable):
        await log.append(_entry())
    log.close()
    without_tables.close()
