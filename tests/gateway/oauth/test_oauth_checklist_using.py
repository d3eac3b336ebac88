"""The rows of the FAPI 2.0 checklist that concern the use of a token; each test carries its row's number."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from gateway.keys import Keys
from gateway.oauth import tokens
from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.partner import (
    DROP,
    TOKEN,
    Partner,
    b64,
    error_of,
    make_key,
    public,
    refusal,
    register,
    sign,
)
from tests.gateway.oauth.running import ELIGIBILITY, RECORDS, RunningGateway

INVALID_TOKEN = (401, "invalid_token")
INVALID_PROOF = (401, "invalid_dpop_proof")


# 10: the sender constraint


def test_10_a_token_with_its_proof_is_answered_as_its_consumer(oauth: RunningGateway) -> None:
    partner = register(oauth, sector="sosial", regions=("32", "33.01"))
    answer = partner.call(partner.token())
    assert answer.json() == {"consumer": partner.id, "sector": "sosial", "regions": ["32", "33.01"]}
    assert answer.headers["DPoP-Nonce"]


def test_10_a_bound_token_is_no_bearer_token(partner: Partner) -> None:
    token = partner.token()
    assert refusal(partner.call(token, scheme="Bearer")) == INVALID_TOKEN
    assert refusal(partner.call(token, scheme="Bearer", proof=None)) == INVALID_TOKEN


def test_10_a_token_needs_the_key_that_it_is_bound_to(oauth: RunningGateway, partner: Partner) -> None:
    token = partner.token()
    assert refusal(partner.call(token, key=make_key("ES256"))) == INVALID_TOKEN
    assert refusal(partner.call(token, key=partner.key)) == INVALID_TOKEN
    assert refusal(register(oauth).call(token)) == INVALID_TOKEN


def test_10_a_token_without_proof_is_refused(partner: Partner) -> None:
    assert refusal(partner.call(partner.token(), proof=None)) == INVALID_PROOF


def test_10_without_credentials_the_challenge_names_no_error(oauth: RunningGateway) -> None:
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "DPoP"}, {"Authorization": ""}):
        answer = oauth.http.post(RECORDS, headers=headers)
        assert refusal(answer) == (401, "unauthenticated")


def test_10_two_authorization_headers_are_one_too_many(partner: Partner) -> None:
    token = partner.token()
    headers = [
        ("Authorization", f"DPoP {token}"),
        ("Authorization", f"DPoP {token}"),
        ("DPoP", partner.proof(path=RECORDS, token=token)),
    ]
    assert refusal(partner.gateway.http.post(RECORDS, headers=headers)) == (401, "invalid_request")


def test_10_the_scheme_is_not_case_sensitive(partner: Partner) -> None:
    assert partner.call(partner.token(), scheme="dpop").status_code == 200


# 10: what is not a token of this gateway


def _issue(keys: Keys, partner: Partner, **changes: Any) -> str:
    now = datetime.now(UTC)
    arguments = {
        "client_id": partner.id,
        "scope": "records",
        "constraint": tokens.SenderConstraint("jkt", partner.dpop_key.thumbprint()),
        "issuer": partner.gateway.issuer,
        "key": keys.signing_key(now),
        "now": now,
        "lifetime_s": 60,
    }
    return tokens.issue_token(**{**arguments, **changes})


def _resigned(keys: Keys, partner: Partner, header: dict[str, Any], **claims: Any) -> str:
    """A token signed with the gateway's own key, but with other contents than it would ever sign."""
    now = int(time.time())
    key = keys.signing_key(datetime.now(UTC))
    base = {
        "iss": partner.gateway.issuer,
        "aud": partner.gateway.issuer,
        "sub": partner.id,
        "client_id": partner.id,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_hex(8),
        "scope": "records",
        "cnf": {"jkt": partner.dpop_key.thumbprint()},
    }
    members = {name: value for name, value in {**base, **claims}.items() if value is not DROP}
    full_header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **header}
    return sign(key.jwk, {n: v for n, v in full_header.items() if v is not DROP}, members)


def test_10_a_token_of_the_gateways_own_key_is_accepted_as_it_should_be(partner: Partner) -> None:
    keys = partner.gateway.keys
    assert partner.call(_issue(keys, partner)).status_code == 200
    assert partner.call(_resigned(keys, partner, {})).status_code == 200


@pytest.mark.parametrize("typ", [DROP, "JWT", "dpop+jwt", "AT+JWT"], ids=repr)
def test_10_only_the_type_of_an_access_token_is_one(partner: Partner, typ: object) -> None:
    token = _resigned(partner.gateway.keys, partner, {"typ": typ})
    assert refusal(partner.call(token)) == INVALID_TOKEN


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "https://other.example"},
        {"aud": DROP},
        {"aud": []},
        {"exp": 1},
        {"exp": DROP},
        {"exp": "never"},
        {"sub": "other"},
        {"client_id": DROP},
        {"jti": DROP},
        {"scope": DROP},
        {"scope": 7},
        {"cnf": DROP},
        {"cnf": {}},
        {"cnf": {"jkt": "x", "x5t#S256": "y"}},
        {"cnf": {"kid": "y"}},
        {"cnf": "x"},
    ],
    ids=str,
)
def test_10_a_token_whose_claims_do_not_fit_is_refused(partner: Partner, claims: dict[str, Any]) -> None:
    token = _resigned(partner.gateway.keys, partner, {}, **claims)
    assert refusal(partner.call(token)) == INVALID_TOKEN


def test_10_a_token_of_another_key_is_refused(partner: Partner, tmp_path: Path) -> None:
    stranger = Keys.open(tmp_path / "keys")
    assert refusal(partner.call(_issue(stranger, partner))) == INVALID_TOKEN
    own_kid = partner.gateway.keys.signing_key(datetime.now(UTC)).kid
    assert refusal(partner.call(_resigned(stranger, partner, {"kid": own_kid}))) == INVALID_TOKEN
    for header in ({"kid": DROP}, {"kid": 7}, {"alg": "none"}, {"jwk": public(make_key("ES256"))}):
        token = _resigned(stranger, partner, header)
        assert refusal(partner.call(token)) == INVALID_TOKEN, header


@pytest.mark.parametrize("token", ["x", "x.y.z", "....", "x" * 20_000, b64(b"{}") * 3, "é"])
def test_10_rubbish_is_no_token(partner: Partner, token: str) -> None:
    headers = {"Authorization": f"DPoP {token}".encode(), "DPoP": partner.proof(path=RECORDS, token=token)}
    assert refusal(partner.gateway.http.post(RECORDS, headers=headers)) == INVALID_TOKEN


def test_10_a_flipped_character_anywhere_breaks_a_token(partner: Partner) -> None:
    token = partner.token()
    for position in range(0, len(token), 37):
        other = "A" if token[position] != "A" else "B"
        flipped = token[:position] + other + token[position + 1 :]
        assert refusal(partner.call(flipped)) == INVALID_TOKEN


def test_10_a_token_that_was_verified_before_still_expires(partner: Partner) -> None:
    keys, now = partner.gateway.keys, datetime.now(UTC)
    reader = tokens.TokenReader(issuer=partner.gateway.issuer, keys=keys)
    token = _issue(keys, partner, now=now, lifetime_s=60)
    for _ in range(2):
        assert reader.read(token, "ath", now + timedelta(seconds=58)).client_id == partner.id
    with pytest.raises(tokens.TokenRefused, match="expired"):
        reader.read(token, "ath", now + timedelta(seconds=60))


def test_10_a_token_that_was_verified_before_falls_with_its_key(partner: Partner, tmp_path: Path) -> None:
    keys, now = Keys.open(tmp_path / "keys"), datetime.now(UTC)
    reader = tokens.TokenReader(issuer=partner.gateway.issuer, keys=keys)
    token = _issue(keys, partner)
    old = reader.read(token, "ath", now).kid
    keys.rotate(now, delay_s=0)
    assert reader.read(token, "ath", now).kid == old
    keys.retire(old, now)
    with pytest.raises(tokens.TokenRefused, match="retired"):
        reader.read(token, "ath", now)


def test_10_remembered_tokens_do_not_pile_up(partner: Partner) -> None:
    keys, now = partner.gateway.keys, datetime.now(UTC)
    reader = tokens.TokenReader(issuer=partner.gateway.issuer, keys=keys, remembered=3)
    for number in range(10):
        assert reader.read(_issue(keys, partner), str(number), now).client_id == partner.id
    assert list(reader._verified) == ["7", "8", "9"]


# 11: the proof, at both ends

WRONG_PROOFS: list[dict[str, Any]] = [
    {"htm": "GET"},
    {"htm": "post"},
    {"htm": DROP},
    {"htu": DROP},
    {"htu": 7},
    {"htu": "https://other.example/oauth/token"},
    {"htu": "http://127.0.0.1/other"},
    {"htu": "/oauth/token"},
    {"iat": DROP},
    {"iat": "now"},
    {"iat": True},
    {"iat": 1},
    {"iat": 10**10},
    {"iat": 1e300},
    {"jti": DROP},
    {"jti": ""},
    {"jti": 7},
    {"header": {"typ": DROP}},
    {"header": {"typ": "JWT"}},
    {"header": {"typ": "dpop+jwt "}},
    {"header": {"alg": "none"}},
    {"header": {"jwk": DROP}},
    {"header": {"jwk": "x"}},
    {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
    {"header": {"crit": ["b64"], "b64": False}},
    {"header": {"jku": "https://other.example/jwks"}},
]


def _wrong_keys() -> list[dict[str, Any]]:
    private = make_key("ES256")
    return [
        {"key": private, "header": {"jwk": private.as_dict(private=True)}},
        {"key": b"secret", "header": {"jwk": {"kty": "oct", "k": b64(b"secret")}}},
        {"key": ECKey.generate_key("P-384"), "header": {"alg": "ES384"}},
        {"key": make_key("PS256"), "header": {"alg": "RS256"}},
        {"key": private, "header": {"jwk": public(make_key("ES256"))}},
    ]


def _weak_rsa() -> dict[str, Any]:
    with pytest.warns(UserWarning, match="2048"):
        weak = RSAKey.generate_key(1024)
    return {"key": weak}


def test_11_a_wrong_proof_gets_no_token(partner: Partner) -> None:
    for parts in [*WRONG_PROOFS, *_wrong_keys(), _weak_rsa()]:
        answer = partner.ask(proof=partner.proof(**parts))
        assert (answer.status_code, error_of(answer)) == (400, "invalid_dpop_proof"), parts


def test_11_a_wrong_proof_opens_nothing(partner: Partner) -> None:
    token = partner.token()
    for parts in [*WRONG_PROOFS, *_wrong_keys(), _weak_rsa(), {"ath": DROP}, {"ath": b64(b"x")}, {"ath": 7}]:
        assert refusal(partner.call(token, **parts)) == INVALID_PROOF, parts


@pytest.mark.parametrize("seconds", [-61, 61])
def test_11_a_proof_outside_its_minute_is_refused(partner: Partner, seconds: int) -> None:
    iat = int(time.time()) + seconds
    assert error_of(partner.ask(proof=partner.proof(iat=iat))) == "invalid_dpop_proof"
    assert refusal(partner.call(partner.token(), iat=iat)) == INVALID_PROOF


@pytest.mark.parametrize("seconds", [-50, 0, 10])
def test_11_clocks_may_differ_a_little(partner: Partner, seconds: int) -> None:
    iat = int(time.time()) + seconds
    token = partner.token(proof=partner.proof(iat=iat))
    assert partner.call(token, iat=iat).status_code == 200


def test_11_the_address_is_compared_in_its_normal_form(oauth: RunningGateway, partner: Partner) -> None:
    token = partner.token()
    same = oauth.issuer.replace("http", "HTTP") + RECORDS
    for htu in (same, oauth.issuer + RECORDS + "?page=2#top", oauth.issuer + "/v1/%72ecords"):
        assert partner.call(token, htu=htu).status_code == 200, htu
    for htu in (
        oauth.issuer.replace("127.0.0.1", "localhost") + RECORDS,
        oauth.issuer.replace("http", "https") + RECORDS,
        oauth.issuer + RECORDS + "/",
        oauth.issuer + RECORDS.upper(),
        oauth.issuer.replace("//", "//user@") + RECORDS,
        "http://127.0.0.1" + RECORDS,
        f" {oauth.issuer}{RECORDS}",
    ):
        assert refusal(partner.call(token, htu=htu)) == INVALID_PROOF, htu


def test_11_the_host_header_decides_nothing(oauth: RunningGateway, partner: Partner) -> None:
    token = partner.token()
    proof = partner.proof(path=RECORDS, token=token, htu="http://evil.example" + RECORDS)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof, "Host": "evil.example"}
    assert refusal(oauth.http.post(RECORDS, headers=headers)) == INVALID_PROOF


def test_11_a_proof_for_another_route_or_method_is_refused(partner: Partner) -> None:
    token = partner.token()
    assert refusal(partner.call(token, htu=partner.gateway.issuer + ELIGIBILITY)) == INVALID_PROOF
    headers = {"Authorization": f"DPoP {token}", "DPoP": partner.proof(path=RECORDS, token=token)}
    assert refusal(partner.gateway.http.get(RECORDS, headers=headers)) == INVALID_PROOF


def test_11_two_proofs_are_one_too_many(partner: Partner) -> None:
    token = partner.token()
    proofs = [("DPoP", partner.proof(path=RECORDS, token=token)) for _ in range(2)]
    answer = partner.gateway.http.post(RECORDS, headers=[("Authorization", f"DPoP {token}"), *proofs])
    assert refusal(answer) == INVALID_PROOF
    proofs = [("DPoP", partner.proof()) for _ in range(2)]
    answer = partner.gateway.http.post(TOKEN, data=partner.form(), headers=proofs)
    assert error_of(answer) == "invalid_dpop_proof"


def test_11_a_proof_is_used_once(partner: Partner) -> None:
    proof = partner.proof()
    token = partner.token(proof=proof)
    assert error_of(partner.ask(proof=proof)) == "invalid_dpop_proof"
    proof = partner.proof(path=RECORDS, token=token)
    assert partner.call(token, proof=proof).status_code == 200
    assert refusal(partner.call(token, proof=proof)) == INVALID_PROOF


def test_11_two_partners_may_choose_the_same_jti(oauth: RunningGateway) -> None:
    first, second = register(oauth), register(oauth)
    assert first.call(first.token(), jti="one").status_code == 200
    assert second.call(second.token(), jti="one").status_code == 200


# 12: nonces


@pytest.mark.parametrize("nonce", ["missing", "old", "foreign"])
def test_12_without_a_current_nonce_the_answer_carries_one(
    oauth: RunningGateway, partner: Partner, nonce: str
) -> None:
    stale = {"missing": DROP, "old": oauth.nonce(age_s=300), "foreign": b64(secrets.token_bytes(18))}[nonce]
    answer = partner.ask(proof=partner.proof(nonce=stale))
    assert (answer.status_code, error_of(answer)) == (400, "use_dpop_nonce")
    token = partner.token(proof=partner.proof(nonce=answer.headers["DPoP-Nonce"]))
    answer = partner.call(token, nonce=stale)
    assert refusal(answer) == (401, "use_dpop_nonce")
    assert partner.call(token, nonce=answer.headers["DPoP-Nonce"]).status_code == 200


def test_12_asking_for_a_nonce_does_not_cost_the_assertion(partner: Partner) -> None:
    assertion = partner.assertion()
    proof = partner.proof(nonce=DROP)
    assert error_of(partner.ask(proof=proof, client_assertion=assertion)) == "use_dpop_nonce"
    assert partner.ask(client_assertion=assertion).status_code == 200


# 13: tokens in the wrong place


def test_13_a_token_in_the_query_is_refused_even_beside_a_good_one(partner: Partner) -> None:
    token = partner.token()
    for query in (f"access_token={token}", "x=1&access_token=", "access%5Ftoken=x"):
        headers = {"Authorization": f"DPoP {token}", "DPoP": partner.proof(path=RECORDS, token=token)}
        answer = partner.gateway.http.post(f"{RECORDS}?{query}", headers=headers)
        assert refusal(answer) == (401, "invalid_request")
        assert token not in answer.text
    assert refusal(partner.gateway.http.post(f"{RECORDS}?access_token={token}"))[0] == 401


def test_13_a_token_in_the_body_is_not_looked_at(partner: Partner) -> None:
    token = partner.token()
    headers = {"DPoP": partner.proof(path=RECORDS, token=token)}
    answer = partner.gateway.http.post(RECORDS, data={"access_token": token}, headers=headers)
    assert refusal(answer) == (401, "unauthenticated")


def test_13_nothing_secret_is_logged_at_any_level(partner: Partner, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assertion, proof = partner.assertion(), partner.proof()
        token = partner.token(client_assertion=assertion, proof=proof)
        partner.call(token)
        partner.call(token, nonce=DROP)
        partner.ask(client_assertion=assertion)
        partner.ask(client_assertion=partner.assertion(aud="x"))
        partner.manage("introspect", token)
        partner.manage("revoke", token)
        partner.gateway.http.post(f"{RECORDS}?access_token={token}")
    client = {"httpx", "httpcore"}  # the test's own side of the wire
    records = [record for record in caplog.records if record.name.split(".")[0] not in client]
    assert any(record.name.startswith("authlib") for record in records)  # the server was listened to
    said = "\n".join(record.getMessage() for record in records)
    for secret in (token, assertion, proof, token.rpartition(".")[2]):
        assert secret not in said


# 14 is in test_oauth_single_use.py, with more than one worker


def test_14_a_revoked_token_is_refused_at_once(partner: Partner) -> None:
    token, other = partner.token(), partner.token()
    assert partner.call(token).status_code == 200
    answer = partner.manage("revoke", token, token_type_hint="access_token")
    assert (answer.status_code, answer.json()) == (200, {})
    assert refusal(partner.call(token)) == INVALID_TOKEN
    assert partner.call(other).status_code == 200


def test_14_the_tokens_of_a_disabled_consumer_are_refused_at_once(
    oauth: RunningGateway, partner: Partner
) -> None:
    token = partner.token()
    assert partner.call(token).status_code == 200
    oauth.store.disable(INSTALLATION, partner.id, "a test")
    assert refusal(partner.call(token)) == (401, "consumer_disabled")
    answer = partner.ask()
    assert error_of(answer) == "invalid_client"
    assert "disabled" in answer.json()["error_description"]
    oauth.store.enable(INSTALLATION, partner.id, "a test")
    assert partner.call(token).status_code == 200


def test_14_revoking_twice_or_revoking_rubbish_is_answered_alike(partner: Partner) -> None:
    token = partner.token()
    for text in (token, token, "x", token + "x", _issue(partner.gateway.keys, partner, lifetime_s=-1)):
        answer = partner.manage("revoke", text)
        assert (answer.status_code, answer.json()) == (200, {})


def test_14_nobody_revokes_the_token_of_another(oauth: RunningGateway, partner: Partner) -> None:
    token = partner.token()
    assert register(oauth).manage("revoke", token).status_code == 200
    assert partner.call(token).status_code == 200


def test_14_revocation_and_introspection_need_authentication(partner: Partner) -> None:
    token = partner.token()
    for endpoint in ("revoke", "introspect"):
        assert error_of(partner.manage(endpoint, token, client_assertion=DROP)) == "invalid_client"
        assert error_of(partner.manage(endpoint, token, client_assertion="x")) == "invalid_client"
        assert error_of(partner.manage(endpoint, DROP)) == "invalid_request"
    assert partner.call(token).status_code == 200


def test_14_introspection_tells_a_client_about_its_own_good_tokens_only(
    oauth: RunningGateway, partner: Partner
) -> None:
    token = partner.token(scope="records")
    told = partner.manage("introspect", token).json()
    assert told.pop("exp") - told.pop("iat") == 300
    assert told.pop("jti")
    assert told == {
        "active": True,
        "client_id": partner.id,
        "sub": partner.id,
        "scope": "records",
        "token_type": "DPoP",
        "iss": oauth.issuer,
        "aud": oauth.issuer,
        "cnf": {"jkt": partner.dpop_key.thumbprint()},
    }
    for asker, text in ((register(oauth), token), (partner, "x"), (partner, token[:-3])):
        assert asker.manage("introspect", text).json() == {"active": False}
    partner.manage("revoke", token)
    assert partner.manage("introspect", token).json() == {"active": False}


# 15: scope


def test_15_a_token_for_another_operation_is_insufficient(partner: Partner) -> None:
    token = partner.token(scope="eligibility")
    assert partner.call(token, path=ELIGIBILITY).status_code == 200
    answer = partner.call(token, path=RECORDS)
    assert refusal(answer) == (403, "insufficient_scope")
    assert 'scope="records"' in answer.headers["WWW-Authenticate"]
    assert partner.id not in answer.text
