"""The rows of the FAPI 2.0 checklist that concern issuing; each test carries its row's number."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType

import httpx
import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from gateway.oauth import assertions, jose
from gateway.oauth.consumers import Registration
from gateway.staff.roles import INSTALLATION
from tests.gateway.oauth.partner import (
    DROP,
    TOKEN,
    Partner,
    error_of,
    make_key,
    public,
    register,
)
from tests.gateway.oauth.running import TOKEN_LIFETIME_S, RunningGateway


def _decoded(token: str) -> tuple[dict[str, object], dict[str, object]]:
    obj = jws.extract_compact(token.encode())
    return dict(obj.headers()), orjson.loads(obj.payload)


# 1: metadata


def test_01_metadata_names_the_url_that_it_was_fetched_from(oauth: RunningGateway) -> None:
    response = oauth.http.get("/.well-known/oauth-authorization-server")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["issuer"] == oauth.url


def test_01_every_endpoint_of_the_metadata_answers(oauth: RunningGateway) -> None:
    metadata = oauth.http.get("/.well-known/oauth-authorization-server").json()
    assert oauth.http.get(metadata["jwks_uri"]).json()["keys"]
    for name in ("token", "revocation", "introspection"):
        assert error_of(oauth.http.post(metadata[f"{name}_endpoint"], data={"x": "y"})) in {
            "invalid_client",
            "invalid_request",
        }


def test_01_every_algorithm_of_the_metadata_authenticates_and_proves(oauth: RunningGateway) -> None:
    metadata = oauth.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["grant_types_supported"] == ["client_credentials"]
    advertised = metadata["token_endpoint_auth_signing_alg_values_supported"]
    assert advertised == metadata["dpop_signing_alg_values_supported"]
    for algorithm in advertised:
        partner = register(oauth, algorithm)
        partner.dpop_key = make_key(algorithm)
        token = partner.token(
            client_assertion=partner.assertion(header={"alg": algorithm}),
            proof=partner.proof(header={"alg": algorithm}),
        )
        assert partner.call(token, header={"alg": algorithm}).status_code == 200


def test_01_no_signing_key_in_the_jwks_is_private(oauth: RunningGateway) -> None:
    response = oauth.http.get("/oauth/jwks")
    assert "max-age=300" in response.headers["cache-control"]
    for key in response.json()["keys"]:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


# 2: algorithms of assertions


def test_02_an_unsigned_assertion_is_refused(partner: Partner) -> None:
    assert (
        error_of(partner.ask(client_assertion=partner.assertion(header={"alg": "none"}))) == "invalid_client"
    )


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_02_an_assertion_under_another_algorithm_is_refused(oauth: RunningGateway, algorithm: str) -> None:
    partner = register(oauth, "PS256" if algorithm == "RS256" else "ES256")
    key = partner.key if algorithm == "RS256" else ECKey.generate_key("P-384")
    assertion = partner.assertion(key=key, header={"alg": algorithm})
    assert error_of(partner.ask(client_assertion=assertion)) == "invalid_client"


def test_02_the_public_key_is_no_shared_secret(partner: Partner) -> None:
    for secret in (orjson.dumps(public(partner.key)), partner.key.as_pem(private=False)):
        assertion = partner.assertion(key=secret)
        assert error_of(partner.ask(client_assertion=assertion)) == "invalid_client"


# 3: audience


def test_03_the_audience_is_the_issuer_as_one_text(oauth: RunningGateway, partner: Partner) -> None:
    issuer = oauth.issuer
    for audience in (
        issuer + TOKEN,
        [issuer],
        [issuer, "https://other.example"],
        "https://other.example",
        issuer + "/",
        None,
        DROP,
    ):
        answer = partner.ask(client_assertion=partner.assertion(aud=audience))
        assert error_of(answer) == "invalid_client", audience
    assert partner.ask(client_assertion=partner.assertion(aud=issuer)).status_code == 200


# 4: times


@pytest.mark.parametrize(
    "times",
    [
        {"exp": DROP},
        {"exp": -11},
        {"exp": -3600},
        {"exp": 400},
        {"exp": 10 * 365 * 86400},
        {"iat": 61},
        {"nbf": 61},
        {"exp": "soon"},
        {"exp": True},
        {"exp": None},
        {"iat": "now"},
        {"nbf": []},
    ],
    ids=str,
)
def test_04_an_assertion_outside_its_time_is_refused(partner: Partner, times: dict[str, object]) -> None:
    now = int(time.time())
    claims = {
        name: now + value if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in times.items()
    }
    answer = partner.ask(client_assertion=partner.assertion(**claims))
    assert (answer.status_code, error_of(answer)) == (400, "invalid_client")


@pytest.mark.parametrize("times", [{"iat": 10}, {"nbf": 10}, {"iat": 10, "nbf": 10}, {"exp": 290}], ids=str)
def test_04_clocks_may_differ_a_little(partner: Partner, times: dict[str, int]) -> None:
    now = int(time.time())
    claims = {name: now + value for name, value in times.items()}
    assert partner.ask(client_assertion=partner.assertion(**claims)).status_code == 200


def test_04_iat_is_not_needed(partner: Partner) -> None:
    assert partner.ask(client_assertion=partner.assertion(iat=DROP)).status_code == 200


# 5 is in test_oauth_single_use.py


# 6: who signed


def test_06_issuer_subject_and_client_id_are_one(partner: Partner) -> None:
    for claims in ({"iss": "other"}, {"iss": DROP}, {"iss": [partner.id]}):
        answer = partner.ask(client_assertion=partner.assertion(**claims))
        assert error_of(answer) == "invalid_client", claims
    assert error_of(partner.ask(client_id="other")) == "invalid_client"
    assert partner.ask(client_id=partner.id).status_code == 200


@pytest.mark.parametrize("sub", [DROP, None, 7, [], "", "no-such-consumer", "\x00", "x" * 5000], ids=repr)
def test_06_a_subject_that_is_no_consumer_is_refused(partner: Partner, sub: object) -> None:
    answer = partner.ask(client_assertion=partner.assertion(sub=sub))
    assert (answer.status_code, error_of(answer)) == (400, "invalid_client")


def test_06_one_consumer_cannot_sign_as_another(oauth: RunningGateway, partner: Partner) -> None:
    other = register(oauth)
    forged = other.assertion(iss=partner.id, sub=partner.id)
    assert error_of(partner.ask(client_assertion=forged)) == "invalid_client"


@pytest.mark.parametrize("kid", [DROP, "unknown", ""], ids=repr)
def test_06_a_key_is_found_by_its_kid_or_not_at_all(partner: Partner, kid: object) -> None:
    answer = partner.ask(client_assertion=partner.assertion(header={"kid": kid}))
    assert error_of(answer) == "invalid_client"


def test_06_a_removed_key_signs_no_more(oauth: RunningGateway, partner: Partner) -> None:
    successor = make_key("ES256")
    oauth.store.keys.add(INSTALLATION, partner.id, public(successor), "a test")
    assert partner.ask().status_code == 200
    assert partner.key.kid is not None
    oauth.store.keys.remove(INSTALLATION, partner.id, partner.key.kid, "a test")
    assert error_of(partner.ask()) == "invalid_client"
    partner.key = successor
    assert partner.ask().status_code == 200


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "JOSE", "", "jwt "])
def test_06_a_text_signed_for_another_use_is_no_assertion(partner: Partner, typ: str) -> None:
    answer = partner.ask(client_assertion=partner.assertion(header={"typ": typ}))
    assert error_of(answer) == "invalid_client"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt"])
def test_06_an_assertion_may_say_that_it_is_one(partner: Partner, typ: str) -> None:
    assert partner.ask(client_assertion=partner.assertion(header={"typ": typ})).status_code == 200


# 7: the shape of the request


def test_07_two_ways_of_authentication_are_one_too_many(partner: Partner) -> None:
    assert error_of(partner.ask(client_secret="x")) == "invalid_request"
    answer = partner.gateway.http.post(
        TOKEN, data=partner.form(), headers={"DPoP": partner.proof()}, auth=("a", "b")
    )
    assert error_of(answer) == "invalid_request"


def test_07_a_secret_authenticates_nobody(partner: Partner) -> None:
    form = {"grant_type": "client_credentials", "client_id": partner.id, "client_secret": "x"}
    headers = {"DPoP": partner.proof()}
    assert error_of(partner.gateway.http.post(TOKEN, data=form, headers=headers)) == "invalid_client"
    answer = partner.gateway.http.post(
        TOKEN,
        data={"grant_type": "client_credentials"},
        headers={"DPoP": partner.proof()},
        auth=(partner.id, "x"),
    )
    assert (answer.status_code, error_of(answer)) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_07_nothing_may_be_in_the_query(partner: Partner) -> None:
    for query in ("client_secret=x", "client_assertion=x", "grant_type=client_credentials", "a=b"):
        answer = partner.gateway.http.post(
            f"{TOKEN}?{query}", data=partner.form(), headers={"DPoP": partner.proof()}
        )
        assert error_of(answer) == "invalid_request", query


@pytest.mark.parametrize("name", ["grant_type", "client_assertion", "scope", "unknown"])
def test_07_a_repeated_parameter_is_refused(partner: Partner, name: str) -> None:
    form = httpx.QueryParams({**partner.form(), name: "x"}).add(name, "x")
    answer = partner.gateway.http.post(
        TOKEN,
        content=str(form),
        headers={"DPoP": partner.proof(), "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert error_of(answer) == "invalid_request"


def test_07_a_repeated_parameter_is_refused_even_if_empty(partner: Partner) -> None:
    form = str(httpx.QueryParams(partner.form())) + "&scope=&scope="
    answer = partner.gateway.http.post(
        TOKEN,
        content=form,
        headers={"DPoP": partner.proof(), "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert error_of(answer) == "invalid_request"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
def test_07_only_a_form_is_read(partner: Partner, content_type: str) -> None:
    answer = partner.gateway.http.post(
        TOKEN,
        content=str(httpx.QueryParams(partner.form())),
        headers={"DPoP": partner.proof(), "Content-Type": content_type},
    )
    assert error_of(answer) == "invalid_request"
    assert error_of(partner.gateway.http.post(TOKEN, json=partner.form())) == "invalid_request"


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"a" * 40_000, b"&".join(b"a%d=1" % i for i in range(99))])
def test_07_a_malformed_or_huge_form_is_refused(oauth: RunningGateway, body: bytes) -> None:
    answer = oauth.http.post(
        TOKEN, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


@pytest.mark.parametrize("grant_type", ["password", "authorization_code", "refresh_token", 'x"\\\n'])
def test_07_other_grants_are_unsupported_and_not_repeated(partner: Partner, grant_type: str) -> None:
    answer = partner.ask(grant_type=grant_type)
    assert error_of(answer) == "unsupported_grant_type"
    assert grant_type not in answer.json()["error_description"]


def test_07_a_missing_grant_type_is_an_invalid_request(partner: Partner) -> None:
    assert error_of(partner.ask(grant_type=DROP)) == "invalid_request"
    assert error_of(partner.ask(grant_type="")) == "invalid_request"


def test_07_a_client_without_assertion_is_refused(partner: Partner) -> None:
    for form in (
        {"client_assertion": DROP},
        {"client_assertion_type": DROP},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
    ):
        assert error_of(partner.ask(**form)) == "invalid_client"


# 8: never a bearer token


def test_08_without_proof_there_is_no_token(partner: Partner) -> None:
    answer = partner.ask(proof=None)
    assert (answer.status_code, error_of(answer)) == (400, "invalid_dpop_proof")
    assert "access_token" not in answer.json()


# 9: the token


def test_09_the_token_is_an_rfc_9068_jwt_bound_to_the_proofs_key(
    oauth: RunningGateway, partner: Partner
) -> None:
    answer = partner.ask()
    body = answer.json()
    assert {name: body[name] for name in body if name != "access_token"} == {
        "token_type": "DPoP",
        "expires_in": TOKEN_LIFETIME_S,
        "scope": "eligibility records access_history findings",
    }
    header, claims = _decoded(body["access_token"])
    published = oauth.http.get("/oauth/jwks").json()["keys"]
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": published[-1]["kid"]}
    assert claims["iss"] == claims["aud"] == oauth.issuer
    assert claims["sub"] == claims["client_id"] == partner.id
    assert claims["exp"] - claims["iat"] == TOKEN_LIFETIME_S
    assert claims["cnf"] == {"jkt": partner.dpop_key.thumbprint()}
    assert claims["scope"] == "eligibility records access_history findings"
    assert len(str(claims["jti"])) >= 22
    key = jose.accept_public_key({k: v for k, v in published[-1].items() if k not in {"use", "alg", "kid"}})
    assert jose.parse(body["access_token"]).signed_by(key)


def test_09_the_scope_is_what_was_asked_for(partner: Partner) -> None:
    assert partner.ask(scope="records").json()["scope"] == "records"
    assert partner.ask(scope="records eligibility").json()["scope"] == "eligibility records"
    assert error_of(partner.ask(scope="records admin")) == "invalid_scope"
    for scope in ("admin", " ", "records\teligibility", "records  eligibility", "RECORDS"):
        assert error_of(partner.ask(scope=scope)) == "invalid_scope", scope


def test_09_two_tokens_are_never_the_same(partner: Partner) -> None:
    assert partner.token() != partner.token()


# 16: caching


def test_16_no_answer_of_the_token_endpoint_may_be_stored(partner: Partner) -> None:
    answers = [
        partner.ask(),
        partner.ask(proof=None),
        partner.ask(client_assertion="x"),
        partner.ask(grant_type="password"),
        partner.gateway.http.post(TOKEN, json={}),
        partner.gateway.http.post(f"{TOKEN}?a=b", data={}),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert answer.headers["content-type"] == "application/json"


# 18: resource indicators


def test_18_this_gateway_is_the_only_resource(oauth: RunningGateway, partner: Partner) -> None:
    assert partner.ask(resource=oauth.issuer).status_code == 200
    assert partner.ask(resource=oauth.issuer + "/").status_code == 200
    for resource in ("https://other.example", oauth.issuer + "/v1", "x", "urn:x"):
        answer = partner.ask(resource=resource)
        assert (answer.status_code, error_of(answer)) == (400, "invalid_target")


# 19: no oracle


def test_19_a_stranger_learns_nothing_about_who_is_registered(oauth: RunningGateway) -> None:
    known = register(oauth)
    unknown = Partner(oauth, "no-such-consumer", known.key)
    wrong_key = Partner(oauth, known.id, make_key("ES256", kid=known.key.kid))
    wrong_kid = Partner(oauth, known.id, make_key("ES256"))
    disabled = register(oauth)
    oauth.store.disable(INSTALLATION, disabled.id, "a test")
    disabled_wrong_key = Partner(oauth, disabled.id, make_key("ES256", kid=disabled.key.kid))
    other_kind = Partner(oauth, known.id, make_key("PS256", kid=known.key.kid))
    answers = {
        (answer.status_code, answer.content)
        for answer in (
            stranger.ask(client_assertion=stranger.assertion(**wrong))
            for stranger in (unknown, wrong_key, wrong_kid, disabled_wrong_key, other_kind)
            for wrong in ({}, {"aud": "x"}, {"exp": 1}, {"jti": 7})
        )
    }
    assert len(answers) == 1


def _signature_checks(act: Callable[[], object]) -> int:
    """How many signatures the library has checked for `act`."""
    count = 0

    def observe(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        code = frame.f_code
        if event == "call" and code.co_name == "verify" and "joserfc" in code.co_filename:
            count += 1

    sys.setprofile(observe)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("algorithm", jose.SIGNATURE_ALGORITHMS)
def test_19_a_stranger_costs_the_same_work_as_a_consumer(oauth: RunningGateway, algorithm: str) -> None:
    """Work is counted, not timed: one look at the database, one signature of the algorithm that was named."""
    partner = register(oauth, algorithm)
    decoy = assertions._decoy(algorithm)
    assert jose.accept_public_key(public(partner.key)).algorithms == decoy.algorithms

    def attempt(who: Partner) -> tuple[int, int]:
        looked_up: list[str] = []

        def find(consumer_id: str) -> Registration | None:
            looked_up.append(consumer_id)
            return oauth.store.find(consumer_id)

        assertion = who.assertion(header={"alg": algorithm})

        def authenticate() -> None:
            with pytest.raises(assertions.AssertionRefused, match=r"^Client authentication failed\.$"):
                assertions.verify_assertion(
                    assertion, client_id=None, find=find, issuer=oauth.issuer, now_s=time.time()
                )

        return _signature_checks(authenticate), len(looked_up)

    wrong_signature = Partner(oauth, partner.id, make_key(algorithm, kid=partner.key.kid))
    unknown = Partner(oauth, "no-such-consumer", partner.key)
    wrong_kid = Partner(oauth, partner.id, make_key(algorithm))
    other = register(oauth, "PS256" if algorithm == "ES256" else "ES256")
    wrong_kind = Partner(oauth, other.id, make_key(algorithm, kid=other.key.kid))
    strangers = (wrong_signature, unknown, wrong_kid, wrong_kind)
    assert [attempt(stranger) for stranger in strangers] == [(1, 1)] * len(strangers)
