"""Keys, signatures, nonces and addresses: the pure parts, by properties."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.util import int_to_base64

from gateway.oauth import dpop, jose
from gateway.oauth.nonces import PERIOD_S, Nonces
from tests.gateway.oauth.partner import b64, make_key, public, sign

KEYS = {algorithm: make_key(algorithm) for algorithm in ("ES256", "Ed25519", "PS256")}


# keys


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_is_named_by_its_rfc_7638_thumbprint_whatever_else_it_says(algorithm: str) -> None:
    key = KEYS[algorithm]
    said = {**public(key), "alg": "HS256", "use": "enc", "key_ops": ["encrypt"], "x5u": "https://x"}
    accepted = jose.accept_public_key(said)
    assert accepted.thumbprint == key.thumbprint()
    assert algorithm in accepted.algorithms
    assert set(accepted.members) <= {"kty", "crv", "x", "y", "n", "e"}


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        "key",
        {},
        {"kty": 7},
        {"kty": ["EC"]},
        {"kty": "EC"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "="},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": int_to_base64(2**2048 - 1), "e": "Aw"},
        {"kty": "RSA", "n": int_to_base64(2**2048 - 1), "e": int_to_base64(2**64 + 1)},
        {"kty": "RSA", "n": int_to_base64(2**2048 - 1), "e": int_to_base64(65538)},
        {"kty": "RSA", "n": int_to_base64(2**2047 - 1), "e": "AQAB"},
        {"kty": "RSA", "n": int_to_base64(2**8192 - 1), "e": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "k": "c2VjcmV0"},
        public(ECKey.generate_key("P-384")),
        public(ECKey.generate_key("P-521")),
        public(ECKey.generate_key("secp256k1")),
        public(OKPKey.generate_key("Ed448")),
        public(OKPKey.generate_key("X25519")),
        {"kty": "EC", **public(OKPKey.generate_key("Ed25519")), "crv": "P-256"},
    ],
)
def test_a_key_that_is_secret_weak_or_of_another_kind_is_refused(jwk: object) -> None:
    with pytest.raises(jose.KeyRefused):
        jose.accept_public_key(jwk)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_private_key_is_refused_and_its_owner_told_that_it_is_disclosed(algorithm: str) -> None:
    private = KEYS[algorithm].as_dict(private=True)
    with pytest.raises(jose.KeyRefused, match="disclosed") as told:
        jose.accept_public_key(private)
    assert str(private["d"]) not in str(told.value)


# compact JWS


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_signature_counts_for_its_own_key_and_text_only(algorithm: str) -> None:
    key = KEYS[algorithm]
    compact = sign(key, {"alg": algorithm}, {"a": 1})
    parsed = jose.parse(compact)
    assert parsed.claims == {"a": 1}
    for name, other in KEYS.items():
        assert parsed.signed_by(jose.accept_public_key(public(other))) is (name == algorithm)
    assert not parsed.signed_by(jose.accept_public_key(public(make_key(algorithm))))
    head, body, signature = compact.split(".")
    for wrong in ("", b64(b"\0" * 64), signature[:-8] + "AAAA", b64(b"\xff" * 64), b64(b"\0" * 256)):
        assert not jose.parse(f"{head}.{body}.{wrong}").signed_by(jose.accept_public_key(public(key)))
    other_body = b64(b'{"a":2}')
    assert not jose.parse(f"{head}.{other_body}.{signature}").signed_by(jose.accept_public_key(public(key)))


def _compact(header: Any, payload: bytes = b"{}") -> str:
    return f"{b64(header if isinstance(header, bytes) else json.dumps(header).encode())}.{b64(payload)}.AAAA"


@pytest.mark.parametrize(
    "compact",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        _compact({}),
        _compact([]),
        _compact(["alg"]),
        _compact("alg"),
        _compact(None),
        _compact(b"[" * 1400),
        _compact(b'{"alg":' * 200),
        _compact({"alg": "none"}),
        _compact({"alg": "HS256"}),
        _compact({"alg": "RS256"}),
        _compact({"alg": ["ES256"]}),
        _compact({"alg": {"a": 1}}),
        _compact({"alg": None}),
        _compact({"alg": "ES256", "kid": 7}),
        _compact({"alg": "ES256", "typ": None}),
        _compact({"alg": "ES256", "crit": ["exp"], "exp": 1}),
        _compact({"alg": "ES256", "crit": 7}),
        _compact({"alg": "ES256", "b64": False}),
        _compact({"alg": "ES256", "b64": True}),
        _compact({"alg": "ES256", "jku": "https://x"}),
        _compact({"alg": "ES256", "x5u": "https://x"}),
        _compact({"alg": "ES256", "enc": "A128GCM"}),
        _compact({"alg": "ES256", "jwk": []}),
        _compact({"alg": "ES256", "kid": "x" * 3000}),
        _compact({"alg": "ES256"}, b""),
        _compact({"alg": "ES256"}, b"[]"),
        _compact({"alg": "ES256"}, b"null"),
        _compact({"alg": "ES256"}, b'{"exp":NaN}'),
        _compact({"alg": "ES256"}, b'{"exp":Infinity}'),
        _compact({"alg": "ES256"}, b'{"a":"\xff"}'),
        _compact({"alg": "ES256"}, b'{"a":' * 900),
        _compact({"alg": "ES256"}, b"[" * 5000),
        _compact({"alg": "ES256"}, b'{"a":"' + b"x" * 9000 + b'"}'),
        _compact({"alg": "ES256"}) + ".",
        _compact({"alg": "ES256"}) + "=",
        _compact({"alg": "ES256"}) + "\n",
        " " + _compact({"alg": "ES256"}),
    ],
    ids=lambda compact: repr(compact[:40]),
)
def test_what_is_no_compact_jws_of_an_accepted_form_is_malformed(compact: str) -> None:
    with pytest.raises(jose.Malformed):
        jose.parse(compact)


def test_the_last_character_of_a_segment_cannot_be_varied() -> None:
    """base64url has spare bits at the end: a lenient reader would know one token under several texts."""
    head, body, signature = sign(KEYS["ES256"], {"alg": "ES256"}, {"a": 1}).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(signature[-1]) ^ 1]
    decoded = [base64.urlsafe_b64decode(signature[:-1] + last + "==") for last in (signature[-1], twin)]
    assert decoded[0] == decoded[1]
    with pytest.raises(jose.Malformed):
        jose.parse(f"{head}.{body}.{signature[:-1]}{twin}")


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300) | st.lists(st.binary(max_size=40).map(b64), max_size=5).map(".".join))
def test_nothing_but_malformed_is_raised_whatever_comes_and_nothing_is_repeated(text: str) -> None:
    with pytest.raises(jose.Malformed) as told:
        jose.parse(text)
    assert len(text) < 20 or text not in str(told.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
jwk_like = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["EC", "RSA", "OKP", "oct"]) | json_values,
        "crv": st.sampled_from(["P-256", "Ed25519"]) | json_values,
        "x": st.binary(min_size=32, max_size=32).map(b64) | json_values,
        "y": st.binary(min_size=32, max_size=32).map(b64) | json_values,
        "n": st.binary(min_size=255, max_size=257).map(b64) | json_values,
        "e": st.sampled_from(["AQAB", "AQAA", "AA", ""]) | json_values,
    },
)


@settings(deadline=None, max_examples=200)
@given(jwk_like | json_values)
def test_a_strangers_key_is_accepted_or_refused_and_nothing_else(jwk: Any) -> None:
    try:
        accepted = jose.accept_public_key(jwk)
    except jose.KeyRefused:
        return
    assert accepted.algorithms <= set(jose.SIGNATURE_ALGORITHMS)
    accepted.verifies(next(iter(accepted.algorithms)), b"x", b"\0" * 64)


# nonces


@settings(deadline=None)
@given(key=st.binary(min_size=32, max_size=32), now=st.floats(0, 4e9), age=st.floats(0, 300))
def test_a_nonce_lives_one_to_two_periods_on_every_worker(key: bytes, now: float, age: float) -> None:
    nonce = Nonces(key).current(now)
    accepted = Nonces(key).accepts(nonce, now + age)
    if age < PERIOD_S:
        assert accepted
    if age >= 2 * PERIOD_S:
        assert not accepted
    assert not Nonces(bytes(32) if any(key) else b"\1" * 32).accepts(nonce, now)


@given(now=st.integers(0, 4_000_000_000), ahead_s=st.integers(1, 600))
def test_a_nonce_of_a_clock_that_is_ahead_is_accepted_for_one_period(now: int, ahead_s: int) -> None:
    nonces = Nonces(b"k" * 32)
    periods_ahead = (now + ahead_s) // PERIOD_S - now // PERIOD_S
    assert nonces.accepts(Nonces(b"k" * 32).current(now + ahead_s), now) is (periods_ahead <= 1)


@pytest.mark.parametrize("nonce", [None, 7, "", [], {}, "x" * 1000, True])
def test_what_is_no_nonce_is_not_accepted(nonce: object) -> None:
    assert not Nonces(b"k" * 32).accepts(nonce, time.time())


def test_nonces_tell_neither_the_key_nor_the_time() -> None:
    nonces = {Nonces(b"k" * 32).current(period * PERIOD_S) for period in range(1000)}
    assert len(nonces) == 1000
    assert {len(nonce) for nonce in nonces} == {24}


# addresses


hosts = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)
segments = st.lists(
    st.text(st.characters(codec="ascii", exclude_characters="/\x00\\"), max_size=6), max_size=3
)


@settings(deadline=None)
@given(
    scheme=st.sampled_from(["http", "https"]),
    host=hosts,
    port=st.none() | st.integers(1, 65535),
    path=segments,
    query=st.text(st.sampled_from("abc=&?/%:@"), max_size=8),
    data=st.data(),
)
def test_every_spelling_of_an_address_is_the_same_address(
    scheme: str, host: str, port: int | None, path: list[str], query: str, data: st.DataObject
) -> None:
    default = {"http": 80, "https": 443}[scheme]
    raw_path = "".join("/" + quote(segment, safe="") for segment in path)
    target = f"{scheme}://{host}{'' if port in {None, default} else f':{port}'}{raw_path}"
    spelled_scheme = data.draw(st.sampled_from([scheme, scheme.upper(), scheme.title()]))
    spelled_host = data.draw(st.sampled_from([host, host.upper(), host.title()]))
    spelled_port = f":{port or default}" if port not in {None, default} or data.draw(st.booleans()) else ""

    def spelled(character: str) -> str:
        octet = ord(character)
        return data.draw(st.sampled_from([quote(character, safe=""), f"%{octet:02x}", f"%{octet:02X}"]))

    spelled_path = "".join("/" + "".join(map(spelled, segment)) for segment in path)
    htu = f"{spelled_scheme}://{spelled_host}{spelled_port}{spelled_path}?{query}#{query}"
    assert dpop.same_target(htu, target)


@settings(deadline=None)
@given(left=segments, right=segments, host=hosts, other=hosts)
def test_different_addresses_stay_different(left: list[str], right: list[str], host: str, other: str) -> None:
    def address(at: str, path: list[str]) -> str:
        return f"https://{at}" + "".join("/" + quote(segment, safe="") for segment in path)

    same = host == other and (left or [""]) == (right or [""])
    assert dpop.same_target(address(host, left), address(other, right)) is same


@pytest.mark.parametrize(
    "htu",
    [
        None,
        7,
        "",
        "/path",
        "gapura.example/path",
        "ftp://gapura.example/path",
        "https://user@gapura.example/path",
        "https://user:secret@gapura.example/path",
        "https://gapura.example:99999/path",
        "https://gapura.example:x/path",
        "https://[::1/path",
        "https:///path",
        "https://gapura.example/pa th",
        "https://gapura.example/path\n",
        "\thttps://gapura.example/path",
        "https://gapura.example/päth",
        "https://gapura.example.evil.example/path",
        "https://gapura.example%2f@evil.example/path",
    ],
    ids=repr,
)
def test_what_is_no_plain_http_address_is_nobodys(htu: object) -> None:
    assert not dpop.same_target(htu, "https://gapura.example/path")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_comparison(htu: str) -> None:
    named = dpop.canonical_target(htu)
    assert named is None or urlsplit(named).scheme in {"http", "https"}
    assert named is None or dpop.canonical_target(named) == named


def test_ipv6_addresses_keep_their_brackets() -> None:
    assert dpop.canonical_target("http://[::1]:80/x") == "http://[::1]/x"
    assert dpop.canonical_target("http://[::1]:8080") == "http://[::1]:8080/"


def test_the_libraries_own_key_classes_are_not_mistaken_for_keys() -> None:
    for key in (OctKey.generate_key(256), RSAKey.generate_key(2048)):
        with pytest.raises(jose.KeyRefused):
            jose.accept_public_key(key)
