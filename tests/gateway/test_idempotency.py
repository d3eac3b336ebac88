"""A POST that is sent twice with one key is done once, whatever breaks in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from fastapi import Body, FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from gateway.api import problems
from gateway.api.edge import Edge
from gateway.api.idempotency import REPLAYED_HEADER, Idempotency, replay
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.idempotency import keys
from gateway.idempotency.attempt import MOST_KEPT_BYTES, Replayed, look_up
from gateway.idempotency.keys import StoredAnswer, UsedKey, key_in
from gateway.idempotency.store import UsedKeys
from gateway.idempotency.tables import idempotency_keys
from gateway.oauth.tables import spent_proofs
from gateway.telemetry import Telemetry
from tests.gateway.staff.office import Clock, InProcess, Office

SECRET = b"s" * 32
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
NIK = "3578010101909000"
DONE, ASKED = "/admin/v1/things", "/v1/eligibility"

Doing = Callable[[Database], None]


@dataclass
class Partner:
    """Somebody who calls an application that does one thing, and whose connection may break."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    # What the application does within its transaction, and after it.
    within: Callable[[], None] = lambda: None
    afterwards: Callable[[], Response] = lambda: Response(
        b'{"made":true}', 201, headers={"ETag": '"7"', "X-Of-This-Request": "1"}
    )
    durable: bool = True

    def __post_init__(self) -> None:
        app = FastAPI()
        problems.install(app, frozenset())
        app.add_exception_handler(Replayed, replay)
        for path in (DONE, ASKED):
            app.post(path)(self._do)
        self.used = UsedKeys(self.database, self.clock)
        once = Idempotency(app, self.used, SECRET)
        served = Edge(once, telemetry=Telemetry("ERROR"), max_body_bytes=1_000_000)
        self._http = httpx.Client(transport=InProcess(served), base_url="http://test")  # type: ignore[arg-type]

    def _do(self, request: Request, body: Annotated[Any, Body()] = None) -> Response:
        look_up(request, request.headers["x-caller"])
        if body == "wrong":
            raise BadInput("body: expected something else.")
        with self.database.unit_of_work(durable=self.durable) as connection:
            mark = f"{len(self.things()):064d}"
            connection.execute(insert(spent_proofs).values(proof_sha256=mark, expires_at=0))
            self.within()
        return self.afterwards()

    def things(self) -> list[str]:
        """What was done so far."""
        with self.database.reading() as connection:
            return list(connection.execute(select(spent_proofs.c.proof_sha256)).scalars())

    def rows(self) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(idempotency_keys)))

    def post(
        self, body: Any = None, *, key: str | None = f'"{KEY}"', caller: str = "staff/ani", path: str = DONE
    ) -> httpx.Response:
        headers = {"X-Caller": caller, **({} if key is None else {"Idempotency-Key": key})}
        return self._http.post(path, json=body, headers=headers)


@pytest.fixture
def partner(database: Database) -> Partner:
    return Partner(database)


def test_the_same_again_is_answered_as_the_first_time_and_not_done(partner: Partner) -> None:
    first, second = partner.post({"a": 1}), partner.post({"a": 1})
    assert (first.status_code, first.headers.get(REPLAYED_HEADER)) == (201, None)
    assert (second.status_code, second.headers[REPLAYED_HEADER]) == (201, "?1")
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])
    assert "x-of-this-request" not in second.headers
    assert len(partner.things()) == 1


def test_without_a_key_the_same_again_is_done_again(partner: Partner) -> None:
    assert [partner.post(key=None).status_code for _ in range(2)] == [201, 201]
    assert len(partner.things()) == 2
    assert partner.rows() == []


@pytest.mark.parametrize("other", [{"body": {"a": 2}}, {"path": f"{DONE}?x=1"}], ids=["body", "query"])
def test_a_key_with_another_request_is_refused(partner: Partner, other: dict[str, Any]) -> None:
    partner.post({"a": 1})
    refused = partner.post(**{"body": {"a": 1}, **other})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert len(partner.things()) == 1


def test_a_key_is_each_callers_own(partner: Partner) -> None:
    partner.post({"a": 1})
    other = partner.post({"b": 2}, caller="consumer/ani")
    assert (other.status_code, other.headers.get(REPLAYED_HEADER)) == (201, None)
    assert len(partner.things()) == 2


def test_what_was_refused_can_be_mended_and_sent_with_its_key(partner: Partner) -> None:
    assert partner.post("wrong").status_code == 400
    assert partner.post("right").status_code == 201


def test_a_refusal_within_the_transaction_gives_the_key_back(partner: Partner) -> None:
    def refuse() -> None:
        raise Conflict("It is closed.")

    partner.within = refuse
    assert partner.post().status_code == 409
    partner.within = lambda: None
    assert partner.post().status_code == 201


def test_a_refusal_that_was_put_on_record_gives_the_key_back(partner: Partner) -> None:
    def refuse() -> Response:
        raise Conflict("It was refused, and that was written down.")

    answer, partner.afterwards = partner.afterwards, refuse
    assert partner.post().json()["code"] == "conflict"
    partner.afterwards = answer
    assert partner.post().status_code == 201


def test_a_key_is_forgotten_after_a_day_and_then_counts_anew(partner: Partner) -> None:
    partner.post()
    partner.clock.move(hours=23.9)
    assert partner.used.forget_expired() == 0
    assert partner.post().headers[REPLAYED_HEADER] == "?1"
    partner.clock.move(hours=0.1)
    assert REPLAYED_HEADER not in partner.post().headers
    assert len(partner.things()) == 2
    partner.clock.move(hours=24)
    assert (partner.used.forget_expired(), partner.rows()) == (1, [])


def test_what_died_before_its_commit_is_done_by_the_next_try(partner: Partner) -> None:
    def die() -> None:
        raise RuntimeError

    partner.within = die
    assert partner.post().status_code == 500
    partner.within = lambda: None
    assert partner.post().status_code == 201
    assert len(partner.things()) == 1


def test_what_died_after_its_commit_is_never_done_again(partner: Partner) -> None:
    def die() -> Response:
        raise RuntimeError

    partner.afterwards = die
    assert partner.post().status_code == 500
    again = partner.post()
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_key_in_use")
    assert len(partner.things()) == 1


def test_of_two_at_the_same_time_one_is_done(partner: Partner) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert go_on.wait(60)

    partner.within = wait
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(partner.post)
        assert inside.wait(60)
        second = pool.submit(partner.post)
        go_on.set()
        said = [first.result(60), second.result(60)]
    assert len(partner.things()) == 1
    assert said[0].status_code == 201
    assert said[1].status_code == 409 or said[1].headers[REPLAYED_HEADER] == "?1"


def test_an_answer_too_long_to_keep_leaves_whole_and_what_it_tells_is_done_once(partner: Partner) -> None:
    long = b"x" * (MOST_KEPT_BYTES + 1)
    partner.afterwards = lambda: Response(long)
    assert partner.post().content == long
    assert partner.post().json()["code"] == "idempotency_key_in_use"
    assert len(partner.things()) == 1


def test_what_need_not_last_does_not_use_the_key(partner: Partner) -> None:
    partner.durable = False
    partner.post()
    assert partner.rows() == []


def test_an_exchange_takes_no_key_and_is_answered_anew(partner: Partner) -> None:
    assert {partner.post({"nik": NIK}, path=ASKED).status_code for _ in range(2)} == {201}
    assert (len(partner.things()), partner.rows()) == (2, [])


def test_the_database_learns_neither_key_nor_caller_nor_body_nor_answer(partner: Partner) -> None:
    partner.afterwards = lambda: Response(NIK.encode())
    partner.post({"nik": NIK})
    (row,) = partner.rows()
    written = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
    for secret in (KEY, "ani", NIK):
        assert secret.encode() not in written


@pytest.mark.parametrize(
    "sent",
    ["bare-token-of-stripe", "12345678", '"short"', f'"{"x" * 129}"', '"a-good-one", "another-one"', ""],
)
def test_a_key_that_is_no_string_in_quotes_is_refused_before_anything_is_done(
    partner: Partner, sent: str
) -> None:
    refused = partner.post(key=sent)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_invalid")
    assert partner.things() == []


def _used(caller: str = "a", key: str = KEY, body: bytes = b"") -> UsedKey:
    return UsedKey.of(SECRET, caller=caller, key=key, request=keys.Request("POST", b"/x", body))


@pytest.mark.parametrize("other", [{"caller": "b"}, {"key": KEY + "0"}, {"body": b"1"}], ids=str)
def test_an_answer_is_opened_by_its_caller_key_and_request_alone(other: dict[str, Any]) -> None:
    answer = StoredAnswer(201, [("etag", '"1"')], bytes(range(256)))
    sealed = _used().seal(answer)
    assert _used().open(sealed) == answer
    with pytest.raises(InvalidTag):
        _used(**other).open(sealed)


@given(*[st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1)] * 4)
def test_no_two_pairs_of_caller_and_key_have_one_mark(a: str, b: str, c: str, d: str) -> None:
    assert (_used(a, b).mark == _used(c, d).mark) == ((a, b) == (c, d))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=128))
def test_every_string_of_the_draft_is_read_as_it_was_meant(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert key_in([f'"{escaped}"']) == key


def test_staff_who_lose_the_answer_get_it_again_and_one_account_is_made(
    database: Database, tmp_path: Any
) -> None:
    office = _Office(database, tmp_path)
    office.hire("oni", "operator")
    oni = office.signed_in("oni")
    form = {"id": "budi", "name": "Budi", "roles": ["author"], "reason": "ST 12"}
    said = [oni.post("/admin/v1/staff", json=form, headers={"Idempotency-Key": f'"{KEY}"'}) for _ in range(2)]
    assert [one.status_code for one in said] == [201, 201]
    assert said[0].json() == said[1].json()
    assert len([act for act in office.acts("staff.added") if act["object"] == "staff/budi"]) == 1
    # A token is shown once, to whoever asks for it by its key.
    token = {"name": "laporan", "roles": ["operator"], "days": 1}
    made = [
        oni.post("/admin/v1/session/tokens", json=token, headers={"Idempotency-Key": f'"{KEY}-2"'})
        for _ in range(2)
    ]
    assert made[0].status_code == 201, made[0].text
    assert made[0].json()["token"] == made[1].json()["token"]
    assert len(office.acts("staff.token_added")) == 1


class _Office(Office):
    def app(self) -> Any:
        app = super().app()
        app.add_exception_handler(Replayed, replay)
        return Idempotency(app, UsedKeys(self.database, self.clock), SECRET)
