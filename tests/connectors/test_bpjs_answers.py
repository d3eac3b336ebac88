"""However an answer of BPJS is spoilt, it says what the whole answer says, or nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.bpjs.connector import BpjsConnector, BpjsCredentials, _membership
from connectors.simulators.bpjs import BpjsSimulator, Member, seal
from connectors.transport.client import Transport
from connectors.transport.failures import Misconfigured, SourceFailure
from connectors.transport.settings import SourceSettings
from connectors.transport.wire import Reply

GIVEN = BpjsCredentials("10000", "made-up-secret", "made-up-user-key")
STAMP = "1795219200"
MEMBER = Member("3578014708909001", "SITI CONTOH", "0001234500001", date(1990, 8, 7), "P", "pbi_apbn")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
INTACT = {"bpjs_membership_status": "active", "bpjs_segment": "pbi_apbn", "bpjs_class": "3"}


CONNECTOR = BpjsConnector(
    Transport(SourceSettings(name="bpjs", base_url="https://bpjs.example.invalid")), GIVEN, clock=lambda: NOW
)


def member() -> dict[str, Any]:
    simulator = BpjsSimulator([MEMBER], GIVEN.consumer_id, GIVEN.secret, GIVEN.user_key, clock=lambda: NOW)
    return simulator._member(MEMBER)


def sealed(content: Any) -> bytes:
    response = seal(json.dumps(content), GIVEN.consumer_id + GIVEN.secret + STAMP)
    return json.dumps({"metaData": {"code": "200", "message": "OK"}, "response": response}).encode()


def read(body: bytes, status: int = 200) -> dict[str, Any] | None:
    """What is said of the member; None where nothing is. Only a source's failure may be raised."""
    reply = Reply(status, {}, body)
    try:
        CONNECTOR._judge(reply)
        content = CONNECTOR._content(reply, STAMP)
        return None if content is None else _membership(content, MEMBER.nik)
    except SourceFailure as failure:
        assert MEMBER.nik not in failure.cause  # noqa: PT017 - whether it fails at all is up to the bytes
        return None


def says_no_more_than_intact(said: dict[str, Any] | None) -> bool:
    return said is None or all(said[name] in (INTACT[name], None) for name in INTACT)


WHOLE = sealed({"peserta": member()})


def test_the_intact_answer_is_read() -> None:
    assert read(WHOLE) == INTACT


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_bytes_changed_dropped_or_added_make_no_other_verdict(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(WHOLE)))
    until = data.draw(st.integers(at, min(at + 40, len(WHOLE))))
    spoilt = WHOLE[:at] + data.draw(st.binary(max_size=40)) + WHOLE[until:]
    assert says_no_more_than_intact(read(spoilt))


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_changed_cipher_text_makes_no_other_verdict(data: st.DataObject) -> None:
    document = json.loads(WHOLE)
    cipher = bytearray(base64.b64decode(document["response"]))
    for _ in range(data.draw(st.integers(1, 3))):
        cipher[data.draw(st.integers(0, len(cipher) - 1))] ^= data.draw(st.integers(1, 255))
    blocks = data.draw(st.integers(0, len(cipher) // 16))
    document["response"] = base64.b64encode(cipher[: len(cipher) - 16 * blocks]).decode()
    assert says_no_more_than_intact(read(json.dumps(document).encode()))


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield (*path, name)
            yield from places(value, (*path, name))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["0", "1", "2", "3", "13", "21", "22", "AKTIF", "NON AKTIF", "PBI (APBD)", "KELAS I"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_one_element_replaced_or_lost_makes_no_other_verdict(data: st.DataObject) -> None:
    """Each word counts only beside its code, so that one element alone cannot turn the answer."""
    content: Any = {"peserta": member()}
    *path, name = data.draw(st.sampled_from(list(places(content))))
    parent = content
    for step in path:
        parent = parent[step]
    if data.draw(st.booleans()):
        del parent[name]
    else:
        old = parent[name]
        # Whole pairs of code and words are an answer of their own, so a replaced pair must not be one.
        parent[name] = data.draw(
            ANYTHING.filter(lambda new: not (isinstance(old, dict) and "kode" in str(new)))
        )
    assert says_no_more_than_intact(read(sealed(content)))


@pytest.mark.parametrize(
    ("name", "code", "words", "field", "value"),
    [
        ("statusPeserta", "0", "AKTIF", "bpjs_membership_status", "active"),
        ("statusPeserta", "0", " Aktif ", "bpjs_membership_status", "active"),
        ("statusPeserta", "1", "NON AKTIF KARENA PREMI", "bpjs_membership_status", "inactive"),
        ("statusPeserta", "7", "TIDAK AKTIF", "bpjs_membership_status", "inactive"),
        ("statusPeserta", "1", "AKTIF", "bpjs_membership_status", None),
        ("statusPeserta", "0", "NON AKTIF", "bpjs_membership_status", None),
        ("statusPeserta", "0", "AKTIF SEMENTARA", "bpjs_membership_status", None),
        ("statusPeserta", "9", "PENANGGUHAN", "bpjs_membership_status", None),
        ("statusPeserta", 0, "AKTIF", "bpjs_membership_status", None),
        ("statusPeserta", None, None, "bpjs_membership_status", None),
        ("jenisPeserta", "22", "PBI (APBD)", "bpjs_segment", "pbi_apbd"),
        ("jenisPeserta", "22", "PBI (APBN)", "bpjs_segment", None),
        ("jenisPeserta", "13", "PEGAWAI SWASTA", "bpjs_segment", "other"),
        ("jenisPeserta", "13", "PBI (APBN)", "bpjs_segment", None),
        ("jenisPeserta", "21", "PEGAWAI SWASTA", "bpjs_segment", None),
        ("jenisPeserta", "35", "PHK DAN TIDAK MAMPU (APBN)", "bpjs_segment", None),
        ("jenisPeserta", "36", "CACAT TOTAL TETAP", "bpjs_segment", None),
        ("jenisPeserta", "14", "", "bpjs_segment", None),
        ("hakKelas", "3", "Kelas III", "bpjs_class", "3"),
        ("hakKelas", "3", "KELAS II", "bpjs_class", None),
        ("hakKelas", "0", "KRIS", "bpjs_class", None),
    ],
)
def test_code_and_words_together_make_a_value(
    name: str, code: object, words: object, field: str, value: str | None
) -> None:
    content = {"peserta": member() | {name: {"kode": code, "keterangan": words}}}
    said = read(sealed(content))
    assert said is not None
    assert said[field] == value


@pytest.mark.parametrize(("class_", "words"), [("1", "KELAS I"), ("2", "KELAS II")])
def test_pbi_in_another_class_than_the_third_contradicts_itself(class_: str, words: str) -> None:
    content = {"peserta": member() | {"hakKelas": {"kode": class_, "keterangan": words}}}
    assert read(sealed(content)) == {
        "bpjs_membership_status": "active",
        "bpjs_segment": None,
        "bpjs_class": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        WHOLE.replace(b'"metaData"', b'"metadata": {"code": "201", "message": ""}, "metaData"'),
        WHOLE.replace(b'"code": "200"', b'"code": "200", "Code": "200"'),
        WHOLE.replace(b'"code": "200"', b'"code": "200", "code": "200"'),
        WHOLE.replace(b'"200"', b'"0"'),
        WHOLE.replace(b'"200"', b'"2OO"'),
        WHOLE.replace(b'"200"', b"200.0"),
        WHOLE.replace(b'"200"', b"true"),
        WHOLE.replace(b'"OK"', b"null"),
        sealed({"peserta": None}),
        sealed({"peserta": [member()]}),
        sealed([member()]),
        sealed(None),
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"metaData": {"code": "200", "message": "OK"}, "response": null}',
        b'{"metaData": {"code": "200", "message": "OK"}}',
        b'{"metaData": ["200", "OK"], "response": ""}',
    ],
)
def test_an_answer_that_is_not_of_the_format_says_nothing(body: bytes) -> None:
    assert read(body) is None


@pytest.mark.parametrize("spelling", ['"metadata": {"code": 200, ', '"metaData": {"Code": "200", '])
def test_every_spelling_of_the_envelope_is_read(spelling: str) -> None:
    body = WHOLE.decode().replace('"metaData": {"code": "200", ', spelling)
    if "Code" in spelling:
        body = body.replace('"message"', '"Message"')
    assert read(body.encode()) == INTACT


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_good_answer_under_a_bad_status_says_nothing(status: int) -> None:
    assert read(WHOLE, status) is None


@pytest.mark.parametrize(
    ("their_date", "cause"),
    [
        ("Sat, 21 Nov 2026 00:05:12 GMT", "312 s behind that of BPJS"),
        ("Fri, 20 Nov 2026 23:59:00 GMT", "60 s ahead of that of BPJS"),
        ("Fri, 20 Nov 2026 23:59:01 GMT", "the clocks agree: secret is not"),
        ("Sat, 21 Nov 2026 00:00:59 -0000", "the clocks agree: secret is not"),
        ("yesterday", "or this machine's clock is wrong"),
        (None, "or this machine's clock is wrong"),
    ],
)
def test_a_refused_signature_names_clock_or_secret_by_the_date_of_the_refusal(
    their_date: str | None, cause: str
) -> None:
    words = b'{"metaData": {"code": "200", "message": "Signature Service Tidak Sesuai"}, "response": null}'
    headers = {} if their_date is None else {"date": their_date}
    with pytest.raises(Misconfigured, match=cause):
        CONNECTOR._judge(Reply(200, headers, words))
