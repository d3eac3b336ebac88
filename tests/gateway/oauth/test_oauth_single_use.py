"""Rows 5 and 14 of the checklist with several workers: what one of them knows, all know, also afterwards."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.lanes import run_on
from gateway.oauth import marks
from gateway.oauth.admission import Admission, Admitted, Barred, Entry
from gateway.oauth.consumers import Consumer, ConsumerStore
from gateway.oauth.desk import Fresh, OAuthDesk, Presented
from gateway.oauth.tables import revoked_tokens, spent_assertions, spent_proofs
from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.partner import Partner, error_of, make_key, public, refusal, register
from tests.gateway.oauth.running import RECORDS, RunningGateway, Shared, worker_processes

AT_ONCE = 50


def _statuses(calls: list[object]) -> list[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(response.status_code for response in pool.map(lambda call: call(), calls))  # type: ignore[operator]  # plain callables


def test_05_an_assertion_is_used_once(partner: Partner) -> None:
    assertion = partner.assertion()
    assert partner.ask(client_assertion=assertion).status_code == 200
    assert error_of(partner.ask(client_assertion=assertion)) == "invalid_client"
    assert error_of(partner.manage("introspect", "x", client_assertion=assertion)) == "invalid_client"


def test_05_two_consumers_may_choose_the_same_jti(oauth: RunningGateway) -> None:
    for partner in (register(oauth), register(oauth)):
        assert partner.ask(client_assertion=partner.assertion(jti="one")).status_code == 200


def test_05_of_many_at_once_with_one_assertion_exactly_one_wins(partner: Partner) -> None:
    assertion = partner.assertion()
    calls = [lambda: partner.ask(client_assertion=assertion) for _ in range(AT_ONCE)]
    assert _statuses(calls) == [200] + [400] * (AT_ONCE - 1)


def test_05_of_many_at_once_with_one_proof_exactly_one_wins(partner: Partner) -> None:
    token = partner.token()
    proof = partner.proof(path=RECORDS, token=token)
    calls = [lambda: partner.call(token, proof=proof) for _ in range(AT_ONCE)]
    assert _statuses(calls) == [200] + [401] * (AT_ONCE - 1)


def test_05_single_use_holds_between_processes_and_after_a_restart(
    shared: Shared, workers: list[RunningGateway]
) -> None:
    partner = register(workers[0])
    assertion = partner.assertion()
    calls = [
        lambda worker=workers[i % 2]: partner.ask(at=worker, client_assertion=assertion)
        for i in range(AT_ONCE)
    ]
    assert _statuses(calls) == [200] + [400] * (AT_ONCE - 1)

    token = partner.token(at=workers[1])
    proof = partner.proof(path=RECORDS, token=token)
    calls = [
        lambda worker=workers[i % 2]: partner.call(token, at=worker, proof=proof) for i in range(AT_ONCE)
    ]
    assert _statuses(calls) == [200] + [401] * (AT_ONCE - 1)

    with worker_processes(shared, issuer=workers[0].issuer, count=1) as (restarted,):
        assert error_of(partner.ask(at=restarted, client_assertion=assertion)) == "invalid_client"
        assert refusal(partner.call(token, at=restarted, proof=proof)) == (401, "invalid_dpop_proof")
        assert partner.call(token, at=restarted).status_code == 200


def test_12_every_worker_accepts_the_nonce_of_every_other(workers: list[RunningGateway]) -> None:
    partner = register(workers[0])
    answer = partner.ask(at=workers[0], proof=partner.proof(nonce="x"))
    proof = partner.proof(nonce=answer.headers["DPoP-Nonce"])
    assert partner.ask(at=workers[1], proof=proof).status_code == 200


def test_14_what_is_revoked_or_disabled_is_refused_on_every_worker_at_once(
    workers: list[RunningGateway],
) -> None:
    partner = register(workers[0])
    token, other = partner.token(at=workers[0]), partner.token(at=workers[1])
    for worker in workers:
        assert partner.call(token, at=worker).status_code == 200
    partner.manage("revoke", token, at=workers[0])
    for worker in workers:
        assert refusal(partner.call(token, at=worker)) == (401, "invalid_token")
        assert partner.call(other, at=worker).status_code == 200
    workers[0].store.disable(INSTALLATION, partner.id, "a test")
    for worker in workers:
        assert refusal(partner.call(other, at=worker)) == (401, "consumer_disabled")


def test_a_signing_key_is_rotated_and_retired_without_restarting_a_worker(
    workers: list[RunningGateway],
) -> None:
    partner = register(workers[0])
    keys = workers[0].keys
    before = partner.token(at=workers[0])
    old = keys.signing_key(datetime.now(UTC))
    new = keys.rotate(datetime.now(UTC), delay_s=0)
    for worker in workers:
        assert [key["kid"] for key in worker.http.get("/oauth/jwks").json()["keys"]][-2:] == [
            old.kid,
            new.kid,
        ]
        assert partner.call(before, at=worker).status_code == 200
        assert partner.call(partner.token(at=worker), at=workers[0]).status_code == 200
    after = partner.token(at=workers[1])
    keys.retire(old.kid, datetime.now(UTC))
    for worker in workers:
        assert refusal(partner.call(before, at=worker)) == (401, "invalid_token")
        assert partner.call(after, at=worker).status_code == 200


# Admission and marks by themselves


def _entry(number: int, *, consumer: str = "a", revocation_mark: str = "none") -> Entry:
    return Entry(f"{number:064x}", 2_000_000_000, revocation_mark, consumer)


@pytest.mark.anyio
async def test_one_batch_may_hold_good_replayed_revoked_and_unknown(database: Database) -> None:
    store = ConsumerStore(database)
    for name in ("a", "b"):
        store.register(
            INSTALLATION,
            id=name,
            name=name,
            sector="x",
            regions=("32",),
            jwks={"keys": [public(make_key("ES256"))]},
            reason="a test",
        )
    store.disable(INSTALLATION, "b", "a test")
    await OAuthDesk(database).revoke("bad", 2_000_000_000)
    admission = Admission(database)
    requests = [
        _entry(1),
        _entry(1),
        _entry(2, revocation_mark="bad"),
        _entry(3, consumer="b"),
        _entry(4, consumer="nobody"),
        _entry(5),
    ]
    with database.unit_of_work() as connection:
        outcomes = run_on(connection, admission._admit(requests))
    good = Admitted(Consumer("a", "a", "x", ("32",)), policy_epoch=0)
    assert outcomes == [
        good,
        Barred.PROOF_USED_BEFORE,
        Barred.TOKEN_REVOKED,
        Barred.CONSUMER_DISABLED,
        Barred.CONSUMER_UNKNOWN,
        good,
    ]
    assert await admission(_entry(5)) is Barred.PROOF_USED_BEFORE
    admission.close()


@pytest.mark.anyio
async def test_without_a_database_nobody_is_admitted() -> None:
    admission = Admission(Database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(StoreUnavailable):
        await admission(_entry(1))
    admission.close()


@pytest.mark.anyio
async def test_marks_are_forgotten_when_what_they_block_is_too_old_and_not_before(database: Database) -> None:
    desk = OAuthDesk(database)
    now = datetime.now(UTC)
    expiries = [int((now + timedelta(seconds=seconds)).timestamp()) for seconds in (-3600, -70, -10, 60)]
    for number, expires_at in enumerate(expiries):
        jti = str(number)
        assert await desk.spend(Presented("a", jti, expires_at, jti, expires_at)) == Fresh(True, True)
        await desk.revoke(jti, expires_at)
    assert marks.forget_expired(database, now) == 6
    assert marks.forget_expired(database, now) == 0
    with database.reading() as connection:
        for table in (spent_assertions, spent_proofs, revoked_tokens):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 2
    assert await desk.is_revoked("3")
    assert not await desk.is_revoked("0")


@pytest.mark.anyio
async def test_of_twins_in_one_batch_the_first_is_fresh_and_consumers_do_not_meet(database: Database) -> None:
    desk = OAuthDesk(database)
    asked = [Presented("a", "1", 9, "p", 9), Presented("a", "1", 9, "q", 9), Presented("b", "1", 9, "p", 9)]
    told = await asyncio.gather(*map(desk.spend, asked))
    assert told == [Fresh(True, True), Fresh(False, True), Fresh(True, False)]
    assert await desk.spend(Presented("b", "1", 9, None, 9)) == Fresh(False, True)


def test_what_callers_choose_is_stored_as_its_hash_only(oauth: RunningGateway, partner: Partner) -> None:
    told = "a-jti-that-says-too-much"
    token = partner.token(
        client_assertion=partner.assertion(jti=told + "1"), proof=partner.proof(jti=told + "2")
    )
    assert partner.call(token, jti=told + "3").status_code == 200
    partner.manage("revoke", token)
    with oauth.database.reading() as connection:
        stored = [
            str(row)
            for table in (spent_assertions, spent_proofs, revoked_tokens)
            for row in connection.execute(select(table))
        ]
    assert len(stored) >= 4
    assert not [row for row in stored if told in row or token.rpartition(".")[2] in row]
