"""Dukcapil's format: what is sent, how answers read; no corruption makes a verdict or lets a value out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.dukcapil.elements import ELEMENTS, PERSON_STATES, STATE_FIELD, elements_to_verify
from connectors.dukcapil.wire import (
    Call,
    Credentials,
    Said,
    Spelling,
    Trouble,
    field_verdicts,
    read_answer,
    request_body,
)

NIK = "3578010403879001"
FIELDS = frozenset({*ELEMENTS, STATE_FIELD})
KNOWN = {
    "full_name": "Siti  Wulandari",
    "birth_date": date(1987, 3, 4),
    "birth_place": "Surabaya",
    "sex": "P",
    "mother_name": "Sri Kartika",
    "address": "Jl. Melati 17",
    "family_card_number": "3578011202149002",
    "region": "35.78.01.1001",
}
SENT = elements_to_verify(FIELDS, KNOWN)
# Every value is one that no output of ours could hold by chance.
RECORD = {
    "NIK": NIK,
    "NO_KK": 3578011202149002,
    "NAMA_LGKP": "SITI WULANDARI",
    "TMPT_LHR": "SURABAYA",
    "TGL_LHR": "1987-03-04",
    "JENIS_KLMIN": "Perempuan",
    "NAMA_LGKP_IBU": "BETHARI QUINSYAH",
    "ALAMAT": "JL. MELATI 17",
    "NO_PROP": 35,
    "NO_KAB": 78,
    "NO_KEC": 1,
    "NO_KEL": 1001,
    "AGAMA": "XKEPERCAYAAN",
    "FOTO": "Zm90by1wYWxzdQ",
    "RESPON": None,
}
VERIFIED = {
    "NIK": "Sesuai",
    "NAMA_LGKP": "Sesuai (100)",
    "TGL_LHR": "Tidak Sesuai",
    "TMPT_LHR": "Tidak Sesuai (59)",
    "JENIS_KLMIN": "Sesuai",
    "NAMA_LGKP_IBU": "Tidak Sesuai (40)",
    "NO_KK": "Sesuai",
    "ALAMAT": "Sesuai (91)",
    "NO_PROP": "Sesuai",
    "NO_KAB": "Sesuai",
    "NO_KEC": "Sesuai",
    "NO_KEL": "Tidak Sesuai",
}
DECEASED = {"RESPONSE_CODE": "11", "RESPON": "Data Ditemukan, Meninggal Dunia"}
NOT_FOUND = {
    "RESPONSE_CODE": "13",
    "RESPONSE": "Data Tidak Ditemukan, NIK tidak terdapat di database Kependudukan",
}


def page(content: Mapping[str, Any], **more: Any) -> bytes:
    head = {"lastPage": True, "numberOfElements": 1, "totalElements": 1, "size": 1, "sort": None}
    return json.dumps({"content": [content], **head, **more}).encode()


def read(body: bytes, call: Call = "verify", **options: Any) -> Said | Trouble:
    return read_answer(body, call, NIK, SENT, threshold=80, **options)


def values(said: Said | Trouble) -> dict[str, Any]:
    """The fields that leave the connector; nothing at all where the answer is unusable."""
    return field_verdicts(FIELDS, said, SENT) if isinstance(said, Said) else {}


# --- What is sent


def test_elements_are_sent_in_dukcapils_words_and_kemendagri_codes() -> None:
    assert SENT == {
        "NAMA_LGKP": "SITI WULANDARI",
        "TGL_LHR": "1987-03-04",
        "TMPT_LHR": "SURABAYA",
        "JENIS_KLMIN": "Perempuan",
        "NAMA_LGKP_IBU": "SRI KARTIKA",
        "ALAMAT": "JL. MELATI 17",
        "NO_KK": "3578011202149002",
        "NO_PROP": "35",
        "NO_KAB": "78",
        "NO_KEC": "01",
        "NO_KEL": "1001",
    }


def test_nothing_is_sent_that_was_not_asked() -> None:
    assert elements_to_verify({"dukcapil_sex", STATE_FIELD}, KNOWN) == {"JENIS_KLMIN": "Perempuan"}


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ("dukcapil_full_name", {"full_name": "  "}),
        ("dukcapil_birth_date", {"birth_date": "1987-03-04"}),
        ("dukcapil_sex", {"sex": "X"}),
        ("dukcapil_family_card_number", {"family_card_number": "357801"}),
        ("dukcapil_mother_name", {}),
    ],
)
def test_what_dukcapil_could_not_compare_is_not_sent(field: str, known: dict[str, Any]) -> None:
    assert elements_to_verify({field}, known) == {}


@pytest.mark.parametrize("code", ["3578011001", "35.78.1", "35.78.01.1001.1", "", None, 35])
def test_a_region_that_is_no_dotted_kemendagri_code_is_not_sent(code: Any) -> None:
    assert elements_to_verify({"dukcapil_address"}, {**KNOWN, "region": code}) == {"ALAMAT": "JL. MELATI 17"}


@pytest.mark.parametrize(("layout", "written"), [("DD-MM-YYYY", "04-03-1987"), ("YYYY-MM-DD", "1987-03-04")])
def test_birth_dates_go_out_in_the_agreements_order(layout: str, written: str) -> None:
    spelling = Spelling(user_id="user_id", ip_user="ip_users", nik="nik")
    login = Credentials("u", "p", "10.0.0.1")
    sent = {"TGL_LHR": "1987-03-04"}
    body = json.loads(request_body(NIK, sent, login, spelling, threshold=85, birth_date_format=layout))
    assert body == {
        "user_id": "u",
        "PASSWORD": "p",
        "ip_users": "10.0.0.1",
        "nik": NIK,
        "TGL_LHR": written,
        "TRESHOLD": "85",
    }


def test_credentials_have_no_representation() -> None:
    assert repr(Credentials("user-9", "pass-9", "10.9.9.9")) == "Credentials()"


# --- What is answered


def test_a_verification_becomes_one_verdict_for_each_field() -> None:
    assert values(read(page(VERIFIED))) == {
        "dukcapil_full_name": "match",
        "dukcapil_birth_date": "no_match",
        "dukcapil_birth_place": "no_match",
        "dukcapil_sex": "match",
        "dukcapil_mother_name": "no_match",
        "dukcapil_family_card_number": "match",
        "dukcapil_address": None,  # the same street, another village: divided or moved, nobody knows
        STATE_FIELD: "alive",
    }


def test_a_full_record_is_compared_and_leaves_only_verdicts() -> None:
    assert values(read(page(RECORD), "record")) == {
        "dukcapil_full_name": "match",
        "dukcapil_birth_date": "match",
        "dukcapil_birth_place": "match",
        "dukcapil_sex": "match",
        "dukcapil_mother_name": "no_match",
        "dukcapil_family_card_number": "match",
        "dukcapil_address": "match",
        STATE_FIELD: "alive",
    }


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Sesuai", "match"),
        ("SESUAI (80)", "match"),
        ("tidak  sesuai ( 80 ) ", "no_match"),
        (" Sesuai", None),
        ("Tidak Sesuai (0)", "no_match"),
        ("Sesuai (79)", None),
        ("Tidak Sesuai (81)", None),
        ("Sesuai (101)", None),
        ("Sesuai 100", None),
        ("Tidak", None),
        ("Sesuai Tidak", None),
        ("TidakSesuai", None),
        ("Sesuai (100) Tidak Sesuai", None),
        ("", None),
        (None, None),
        (True, None),
        (["Sesuai"], None),
    ],
)
def test_a_scored_verdict_counts_only_if_the_whole_text_agrees_with_its_score(
    text: Any, verdict: str | None
) -> None:
    assert values(read(page({**VERIFIED, "NAMA_LGKP": text})))["dukcapil_full_name"] == verdict


def test_an_exact_element_with_a_score_is_no_verdict() -> None:
    assert values(read(page({**VERIFIED, "NO_KK": "Sesuai (100)"})))["dukcapil_family_card_number"] is None


@pytest.mark.parametrize("nik", ["Tidak Sesuai", "3578010403879002", None, "Sesuai (100)"])
def test_an_answer_that_does_not_confirm_the_nik_says_nothing(nik: str | None) -> None:
    assert isinstance(read(page({**VERIFIED, "NIK": nik})), Trouble)
    assert isinstance(read(page({**RECORD, "NIK": nik}), "record"), Trouble)


@pytest.mark.parametrize("nik", [NIK, int(NIK)])
def test_a_service_may_echo_the_nik_instead_of_judging_it(nik: object) -> None:
    assert values(read(page({**VERIFIED, "NIK": nik})))["dukcapil_full_name"] == "match"


def test_an_echoed_nik_alone_is_no_sign_of_life() -> None:
    assert isinstance(read(page({"NIK": NIK})), Trouble)
    assert isinstance(read(page({"NIK": NIK}), "record"), Trouble)


_STATES = [
    ("11", "Data Ditemukan, Meninggal Dunia", "deceased"),
    ("12", "Data Ditemukan, Data Ganda", "duplicate"),
    ("13", "Data Tidak Ditemukan, NIK tidak terdapat di database Kependudukan", "not_found"),
    ("14", "Data Ditemukan, Status Non Aktif silahkan hubungi Dinas Dukcapil", "inactive"),
    ("15", "Data Tidak Ditemukan, NIK tidak sesuai format Dukcapil", "malformed_nik"),
]


@pytest.mark.parametrize(("code", "text", "state"), _STATES)
@pytest.mark.parametrize("key", ["RESPON", "RESPONSE", "RESPONSE_DESC", "respon"])
@pytest.mark.parametrize("call", ["verify", "record"])
def test_person_states_read_from_code_and_text_in_every_spelling(
    code: str, text: str, state: str, key: str, call: Call
) -> None:
    for content in (
        {key: text},
        {"RESPONSE_CODE": code},
        {key: text, "RESPONSE_CODE": int(code)},
        {key: text.upper(), "RESPONSE_CODE": code},
        {key: f"  {text.lower().replace(' ', '  ')} .", "RESPONSE_CODE": None},
        {key: "Kata lain", "RESPONSE_CODE": f" {code} "},
    ):
        said = read(page(content), call)
        assert isinstance(said, Said)
        assert (said.state, dict(said.verdicts)) == (state, {})


@pytest.mark.parametrize(
    ("code", "state"), [(None, "not_found"), ("13", "not_found"), ("15", "malformed_nik")]
)
def test_not_found_with_no_more_said_agrees_with_both_codes_for_it(code: str | None, state: str) -> None:
    said = read(page({"RESPON": "Data tidak ditemukan", "RESPONSE_CODE": code}))
    assert isinstance(said, Said)
    assert said.state == state


@pytest.mark.parametrize(
    ("content", "code", "kind"),
    [
        ({"RESPON": "Kuota akses hari ini telah habis"}, "quota", "quota"),
        ({"RESPONSE_CODE": 5, "RESPONSE": "Kuota Akses Hari ini telah Habis"}, "quota", "quota"),
        ({"RESPON": "Login Gagal"}, "login", "configuration"),
        ({"RESPON": "User, password dan IP tidak boleh kosong"}, "login", "configuration"),
        ({"RESPON": "IP Address Tidak Sesuai"}, "ip", "configuration"),
        ({"RESPON": "IP Client  Tidak terdaftar"}, "ip", "configuration"),
        ({"RESPONSE_DESC": "IP Tidak Sesuai"}, "ip", "configuration"),
        ({"RESPON": "User ID Tidak Aktif"}, "user_inactive", "configuration"),
        ({"RESPON": "Instansi Tidak Aktif"}, "institution_inactive", "configuration"),
        ({"RESPON": "Parameter Tidak Lengkap / Tidak Valid"}, "parameters", "configuration"),
        ({"RESPONSE_CODE": "08"}, "final_failure", "unusable"),
        ({"RESPONSE_CODE": "03"}, "malformed", "unusable"),
        ({"RESPONSE_CODE": "11", "RESPON": "Data Ditemukan, Data Ganda"}, "malformed", "unusable"),
        ({"RESPON": "Login Gagal", "RESPONSE": "Data Tidak Ditemukan"}, "malformed", "unusable"),
        ({**VERIFIED, "RESPON": "Selamat datang"}, "malformed", "unusable"),
        ({**VERIFIED, "RESPON": 7}, "malformed", "unusable"),
    ],
)
def test_refusals_are_told_apart_by_what_is_to_be_done(content: dict[str, Any], code: str, kind: str) -> None:
    said = read(page(content, quotaLimiter=7))
    assert isinstance(said, Trouble)
    assert (said.code, said.kind) == (code, kind)


def test_a_success_message_counts_only_if_the_agreement_names_it() -> None:
    body = page({**VERIFIED, "RESPON": "Selamat datang"})
    assert values(read(body, found_messages=("selamat  DATANG!",)))["dukcapil_full_name"] == "match"


@pytest.mark.parametrize("left", ["7", 7.0, -1, True, None])
def test_a_quota_that_is_no_number_of_calls_is_not_heeded(left: object) -> None:
    assert read(page(VERIFIED, quotaLimiter=7)).quota_left == 7
    assert read(page(VERIFIED, quotaLimiter=left)).quota_left is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"content": []}',
        b'{"content": {}}',
        b'{"content": [1]}',
        b'{"content": [{}, {}]}',
        b'{"content": [{"NIK": "Sesuai", "nik": "Sesuai"}]}',
        page(VERIFIED, numberOfElements=2),
        page(VERIFIED).replace(b"Sesuai", b"\xff", 1),
        b'{"content":' + b"[" * 100_000,
        page(VERIFIED)[:-2] + b"," + b'"x":' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_page_of_one_person_is_trouble(body: bytes) -> None:
    assert isinstance(read(body), Trouble)


@pytest.mark.parametrize(
    ("element", "value", "field"),
    [
        ("NO_KK", "****************", "dukcapil_family_card_number"),
        ("NO_KK", 78011202149002, "dukcapil_family_card_number"),
        ("NO_KK", 3.578011202149002e15, "dukcapil_family_card_number"),
        ("TGL_LHR", "04-03-1987", "dukcapil_birth_date"),
        ("TGL_LHR", 19870304, "dukcapil_birth_date"),
        ("JENIS_KLMIN", "P", "dukcapil_sex"),
        ("NAMA_LGKP_IBU", "-", "dukcapil_mother_name"),
        ("TMPT_LHR", "X" * 10_000, "dukcapil_birth_place"),
        ("NO_KEL", 0, "dukcapil_address"),
        ("NO_KEC", "SATU", "dukcapil_address"),
        ("NO_KEL", 1002, "dukcapil_address"),
    ],
)
def test_an_element_in_an_unforeseen_form_is_unknown(element: str, value: object, field: str) -> None:
    assert values(read(page({**RECORD, element: value}), "record"))[field] is None


# --- Properties

_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_NEARLY = st.sampled_from(
    [
        "Sesuai?",
        "Sesuai (79)",
        "Tidak Sesuai (81)",
        "sesuai (",
        "Tidak",
        "Sesuai (1000)",
        "Sesuai\nTidak Sesuai",
    ]
)


def _is_wrong_type_or_no_verdict(value: object) -> bool:
    """Told by comparing whole texts: a forged but flawless verdict is another answer, and no corruption."""
    if not isinstance(value, str):
        return True
    bare = "".join(value.lower().split())
    flawless = {
        f"{word}{tail}"
        for word in ("sesuai", "tidaksesuai")
        for tail in ("", *(f"({n})" for n in range(101)))
    }
    return value in {"Sesuai (79)", "Tidak Sesuai (81)"} or bare not in flawless


@st.composite
def _corrupted(draw: st.DrawFn, contents: list[dict[str, Any]]) -> tuple[dict[str, Any], bytes]:
    """A recorded content, and its page after one corruption.

    Cuts and insertions stay shorter than the six characters of "Tidak " and the eight of "Tidak Se":
    whoever can insert or cut a whole word can write any answer.
    """
    content = draw(st.sampled_from(contents))
    intact = page(content, quotaLimiter=41)
    at = draw(st.integers(0, len(intact) - 1))
    key = draw(st.sampled_from(sorted(content)))
    retyped = draw((_JSON_VALUES | _NEARLY).filter(_is_wrong_type_or_no_verdict))
    corruptions = {
        "truncated": intact[:at],
        "flipped": intact[:at] + bytes([draw(st.integers(0, 255))]) + intact[at + 1 :],
        "cut": intact[:at] + intact[at + draw(st.integers(1, 5)) :],
        "inserted": intact[:at] + draw(st.binary(min_size=1, max_size=5)) + intact[at:],
        "retyped": page({**content, key: retyped}),
        "dropped": page({name: value for name, value in content.items() if name != key}),
        "twice": page({**content, key.lower(): retyped}),
        "several": json.dumps({"content": [content] * draw(st.integers(2, 3))}).encode(),
    }
    return content, corruptions[draw(st.sampled_from(sorted(corruptions)))]


@settings(deadline=None, max_examples=600)
@given(_corrupted([VERIFIED, DECEASED, NOT_FOUND]))
def test_no_corruption_yields_a_verdict_or_state_that_the_intact_answer_would_not(
    case: tuple[dict[str, Any], bytes],
) -> None:
    content, corrupted = case
    intact = values(read(page(content)))
    for field, value in values(read(corrupted)).items():
        assert value is None or value == intact[field], field


@pytest.mark.parametrize("content", [VERIFIED, DECEASED, NOT_FOUND])
def test_every_short_cut_and_every_swapped_character_is_harmless(content: dict[str, Any]) -> None:
    """All of them, as the few that matter are hard to meet by chance: a digit of a code, half of a key."""
    intact, body = values(read(page(content))), page(content)
    characters = b'0123456789ABCDEGIKLMNOPRSTU_ "(){}[]'
    for at in range(len(body)):
        cuts = (body[:at] + body[at + length :] for length in range(1, 6))
        swaps = (body[:at] + bytes([character]) + body[at + 1 :] for character in characters)
        for corrupted in (body[:at], *cuts, *swaps):
            for field, value in values(read(corrupted)).items():
                assert value is None or value == intact[field], (field, corrupted)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_record_with_a_mistyped_or_missing_element_yields_another_verdict(data: st.DataObject) -> None:
    """Flipped letters of a record make another record; what can be seen is a wrong type, a gap, a cut."""
    intact = values(read(page(RECORD), "record"))
    key = data.draw(st.sampled_from(sorted(RECORD)))
    other = data.draw(st.none() | st.booleans() | st.floats(allow_nan=False) | st.lists(st.text(max_size=4)))
    cut = data.draw(st.integers(0, len(page(RECORD)) - 1))
    rest = {name: value for name, value in RECORD.items() if name != key}
    for body in (page({**RECORD, key: other}), page(rest), page(RECORD)[:cut]):
        for field, value in values(read(body, "record")).items():
            assert value is None or value == intact[field], field


@settings(deadline=None, max_examples=600)
@given(
    _corrupted([RECORD, {**RECORD, "RESPON": "SITI WULANDARI"}, {**RECORD, "RESPONSE_CODE": "77"}]),
    st.sampled_from(["verify", "record"]),
)
def test_no_element_leaves_whatever_becomes_of_the_answer(
    case: tuple[dict[str, Any], bytes], call: Call
) -> None:
    said = read(case[1], call)
    released = values(said)
    assert set(released.values()) <= {None, "match", "no_match", *PERSON_STATES}
    shown = f"{said!r} {released!r}".lower()
    for element in RECORD.values():
        if isinstance(element, str) or (isinstance(element, int) and element > 9999):
            assert str(element).lower() not in shown
