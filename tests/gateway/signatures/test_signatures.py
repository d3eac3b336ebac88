"""What a signed request must be, checked with signatures that the gateway's library did not make."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.datastructures import MutableHeaders

from gateway.agreements.rows import epoch_of
from gateway.audit.signing import public_jwk
from gateway.database import Database
from gateway.errors import BadInput, NotFound, NotPermitted
from gateway.oauth.consumers import ConsumerStore
from gateway.oauth.jose import accept_public_key, make_key_pair
from gateway.signatures.messages import (
    CLOCK_AHEAD,
    COVERED_BY_REQUEST,
    MAX_AGE,
    REQUEST_TAG,
    RESPONSE_TAG,
    SignableRequest,
    SignableResponse,
    SignatureRefused,
    check_request,
    refuse_unsignable,
    sign_response,
)
from gateway.signatures.terms import SignatureTerms, set_mode
from gateway.staff.roles import INSTALLATION, Staff
from tests.gateway.signatures.by_hand import Said, base_of, content_digest, signed_fields, verified

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
URL = "https://gapura.example.go.id/v1/records?a=1"
BODY = b'{"purpose":"x"}'
FIELDS = {"authorization": "DPoP abc", "dpop": "proof", "content-digest": content_digest(BODY)}
COVERED = (*COVERED_BY_REQUEST, "content-digest")
ED25519 = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
MEANT: dict[str, Any] = {"keyid": "mine", "tag": REQUEST_TAG, "created": int(NOW.timestamp())}
JWK = {"Ed25519": OKPKey, "ES256": ECKey, "PS256": RSAKey}


def _signed(
    names: tuple[str, ...] = COVERED,
    key: Any = ED25519,
    sent: dict[str, str] | None = None,
    **parameters: Any,
) -> SignableRequest:
    """A request as a consumer signs it, and as it then arrives: `sent` replaces what it signed."""
    said = Said({"@method": "POST", "@target-uri": URL, **FIELDS})
    given = {name: value for name, value in {**MEANT, **parameters}.items() if value is not None}
    fields = {**FIELDS, **signed_fields(said, names, key, **given), **(sent or {})}
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items() if name[0] != "@"]
    at = (sent or {}).get("@target-uri", URL)
    return SignableRequest((sent or {}).get("@method", "POST"), at, MutableHeaders(raw=raw))


def _check(request: SignableRequest, body: bytes = BODY, key: Any = ED25519) -> None:
    kind = {Ed25519PrivateKey: OKPKey, ec.EllipticCurvePrivateKey: ECKey, rsa.RSAPrivateKey: RSAKey}
    import_key = next(imported.import_key for private, imported in kind.items() if isinstance(key, private))
    jwk = import_key(key.public_key()).as_dict(private=False)  # type: ignore[attr-defined]
    check_request(request, body, {"mine": accept_public_key(jwk)}, NOW)


def test_the_verifier_of_these_tests_agrees_with_the_example_of_the_rfc() -> None:
    components = {
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "@method": "POST",
        "@path": "/foo",
        "@authority": "example.com",
        "content-type": "application/json",
        "content-length": "18",
    }
    listed = " ".join(f'"{name}"' for name in components)
    base = base_of(
        Said(components),
        [(name, {}) for name in components],
        f'({listed});created=1618884473;keyid="test-key-ed25519"',
    )
    public = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), base)  # B.2.6


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256", "PS256"])
def test_a_request_signed_by_any_kind_of_registered_key_passes(algorithm: str) -> None:
    private, _ = make_key_pair(algorithm)
    key = JWK[algorithm].import_key(private).private_key  # type: ignore[attr-defined]
    _check(_signed(key=key), key=key)
    with pytest.raises(SignatureRefused, match="must hold"):
        _check(_signed(key=key), BODY + b" ", key)


@pytest.mark.parametrize(
    "sent",
    [
        {"@method": "PUT"},
        {"@target-uri": URL.replace("a=1", "a=2")},
        {"@target-uri": URL.replace("gapura", "other")},
        {"authorization": "DPoP abd"},
        {"dpop": "another proof"},
        {"content-digest": content_digest(b"another body")},
        {"Signature": "mine=:" + base64.b64encode(bytes(64)).decode() + ":"},
        {"Signature": "other=:" + base64.b64encode(bytes(64)).decode() + ":"},
    ],
)
def test_a_request_that_is_not_the_one_signed_is_refused(sent: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused, match="must hold"):
        _check(_signed(sent=sent))


@pytest.mark.parametrize("left_out", COVERED)
def test_a_signature_that_leaves_out_what_counts_is_refused(left_out: str) -> None:
    with pytest.raises(SignatureRefused, match="must hold"):
        _check(_signed(tuple(name for name in COVERED if name != left_out)))


def test_a_request_without_a_body_needs_no_digest() -> None:
    request = _signed(COVERED_BY_REQUEST)
    del request.headers["content-digest"]
    _check(request, b"")


@pytest.mark.parametrize(
    ("seconds", "passes"),
    [
        (0, True),
        (-MAX_AGE.seconds, True),
        (-MAX_AGE.seconds - 1, False),
        (CLOCK_AHEAD.seconds, True),
        (CLOCK_AHEAD.seconds + 1, False),
        (10**14, False),
    ],
)
def test_a_signature_counts_for_a_minute(seconds: int, *, passes: bool) -> None:
    request = _signed(created=int(NOW.timestamp()) + seconds)
    if passes:
        _check(request)
        return
    with pytest.raises(SignatureRefused, match="created"):
        _check(request)


@pytest.mark.parametrize("parameters", [{"created": None}, {"expires": int(NOW.timestamp())}])
def test_a_signature_without_its_time_or_past_its_end_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(SignatureRefused, match="created"):
        _check(_signed(**parameters))


@pytest.mark.parametrize("parameters", [{"alg": "rsa-pss-sha512"}, {"alg": "hmac-sha256"}, {"other": "x"}])
def test_a_signature_that_claims_another_algorithm_or_an_unknown_parameter_is_refused(
    parameters: dict[str, Any],
) -> None:
    with pytest.raises(SignatureRefused, match="must hold"):
        _check(_signed(**parameters))


def test_a_key_that_is_not_the_consumers_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="none of your approved keys"):
        _check(_signed(keyid="theirs"))
    with pytest.raises(SignatureRefused, match="must hold"):
        _check(_signed(), key=Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    "field_lines",
    [
        "",
        "mine",
        "mine=()",
        "mine=1",
        "m\u00e9=()",
        'mine=();tag="fapi-2-request"',
        'mine=();tag="another";keyid="mine"',
        'mine=();tag="fapi-2-request";keyid=7',
        'a=();tag="fapi-2-request";keyid="mine", b=();tag="fapi-2-request";keyid="mine"',
    ],
)
def test_what_is_no_signature_meant_for_us_is_refused_without_repeating_it(field_lines: str) -> None:
    request = _signed()
    request.headers.raw[:] = [item for item in request.headers.raw if item[0] != b"signature-input"]
    request.headers.raw.append((b"signature-input", field_lines.encode("latin-1")))
    with pytest.raises(SignatureRefused, match="one signature with tag") as refused:
        _check(request)
    assert "mine" not in str(refused.value)


@pytest.mark.parametrize("signed_request", [True, False])
def test_an_answer_is_bound_to_its_request_and_to_every_byte(*, signed_request: bool) -> None:
    request = _signed()
    if not signed_request:
        for name in ("signature-input", "signature", "content-digest"):
            del request.headers[name]
    headers = MutableHeaders({"content-type": "application/json", "gapura-receipt": "a.b.c"})
    sign_response(SignableResponse(200, headers, request), b"{}", ED25519, "kid-1", NOW)
    asked = Said({"@method": "POST", "@target-uri": URL, **dict(request.headers.items())})
    said = {"@status": "200", **dict(headers.items())}
    jwk = public_jwk(ED25519)
    result = verified(Said(said, asked), jwk)
    assert {"@status", "content-digest", "gapura-receipt", "@target-uri;req", "dpop;req"} <= {
        *result["covered"]
    }
    assert ("signature;req" in result["covered"]) == signed_request
    assert (result["tag"], result["keyid"], result["alg"]) == (RESPONSE_TAG, "kid-1", "ed25519")
    assert said["content-digest"] == content_digest(b"{}")
    for name in ("@status", "content-digest", "gapura-receipt"):
        with pytest.raises(InvalidSignature):
            verified(Said({**said, name: "other"}, asked), jwk)
    with pytest.raises(InvalidSignature):
        verified(Said(said, Said({**asked.components, "dpop": "the proof of another request"})), jwk)


@pytest.mark.parametrize(
    "sent", [{"@target-uri": URL + "&b=%zz"}, {"@target-uri": URL + "\u00e9"}, {"dpop": "\u00e9"}]
)
def test_a_request_that_no_signature_can_speak_of_is_refused_before_it_is_acted_upon(
    sent: dict[str, str],
) -> None:
    refuse_unsignable(_signed())
    request = _signed(sent={name: value for name, value in sent.items() if name[0] == "@"})
    if "dpop" in sent:
        del request.headers["dpop"]
        request.headers.raw.append((b"dpop", sent["dpop"].encode("latin-1")))
    with pytest.raises(SignatureRefused, match="cannot be signed"):
        refuse_unsignable(request)


@pytest.fixture
def registered(database: Database) -> str:
    _, public = make_key_pair("ES256")
    ConsumerStore(database).register(
        INSTALLATION, id="ministry", name="M", sector="x", jwks={"keys": [public]}, reason="test"
    )
    return "ministry"


async def test_a_switch_counts_at_the_next_request_of_every_worker(
    database: Database, registered: str
) -> None:
    workers = [SignatureTerms(database), SignatureTerms(database)]

    async def told(consumer_id: str) -> list[str]:
        """As each worker is told at a request, which has read the epoch with its admission."""
        with database.reading() as connection:
            epoch = epoch_of(connection)
        return [await one.of(consumer_id, epoch) for one in workers]

    assert await told(registered) == ["off", "off"]
    assert set_mode(database, INSTALLATION, registered, "both", "B-1", NOW) == "off"
    assert (await told(registered), await told("another")) == (["both", "both"], ["off", "off"])
    assert set_mode(database, INSTALLATION, registered, "responses", "B-2", NOW) == "both"
    assert await told(registered) == ["responses", "responses"]


def test_whoever_is_not_on_the_machine_may_demand_more_and_never_less(
    database: Database, registered: str
) -> None:
    ani = Staff("ani", "Ani", frozenset({"operator"}), "password")
    set_mode(database, ani, registered, "both", "B-1", NOW)
    for mode in ("responses", "off"):
        with pytest.raises(NotPermitted):
            set_mode(database, ani, registered, mode, "B-2", NOW)  # type: ignore[arg-type]


def test_a_switch_needs_a_reason_and_a_consumer(database: Database, registered: str) -> None:
    with pytest.raises(BadInput):
        set_mode(database, INSTALLATION, registered, "both", "", NOW)
    with pytest.raises(NotFound):
        set_mode(database, INSTALLATION, "nobody", "both", "B-1", NOW)
