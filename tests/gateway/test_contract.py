"""The OpenAPI contract against the running gateway, asked by a tool that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.api.idempotency import QUESTIONS
from tests.living import LivingGateway

EXAMPLES_OF_A_CONSUMER = 12
# Every operation turns a stranger away before it reads what was sent: few examples show it.
EXAMPLES_OF_A_STRANGER = 2
# Where no schema can say what is accepted: assertions that hold, good passwords, notes that were signed.
_UNSAYABLE = ("/oauth/", "/admin/", "/log/cosignatures")


class Credentials(requests.auth.AuthBase):
    """A token and a fresh proof on every request, as a consumer's own client would add them."""

    def __init__(self, gateway: LivingGateway) -> None:
        self._client = gateway.client("bpjs-kesehatan")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        path = urlsplit(str(request.url)).path
        request.headers.update(self._client.credentials(str(request.method), str(path)))
        return request


class NoCredentials(requests.auth.AuthBase):
    """A stranger."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _operations(gateway: LivingGateway, *, with_security: bool) -> Iterator[Any]:
    contract = gateway.http.get(f"{gateway.url}/openapi.json").json()
    if not with_security:
        # The credentials are added to every request, so a request that lacks them cannot be generated.
        for path in contract["paths"].values():
            for operation in path.values():
                operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(contract)
    schema.config.update(base_url=gateway.url)
    for result in schema.get_all_operations():
        yield result.ok()


def _probe(operation: Any, mode: GenerationMode, auth: requests.auth.AuthBase, examples: int) -> None:
    """Generate requests of one operation and run every check of schemathesis on each answer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def probe(case: Any) -> None:
        case.call_and_validate(auth=auth, excluded_checks=excluded)

    # OAuth says 400 to credentials that do not hold (RFC 6749, 5.2), and no generated assertion can hold.
    excluded = [positive_data_acceptance] if operation.path.startswith(_UNSAYABLE) else []
    probe()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_every_operation_keeps_the_contract_towards_a_consumer(
    gateway: LivingGateway, mode: GenerationMode
) -> None:
    gateway.client("bpjs-kesehatan").get("/v1/agreements")  # learns the nonce
    asked = set()
    for operation in _operations(gateway, with_security=False):
        # A GET without parameters cannot be asked in an invalid way.
        if operation.path.startswith("/v1/") and (
            mode is GenerationMode.POSITIVE or operation.method == "post"
        ):
            _probe(operation, mode, Credentials(gateway), EXAMPLES_OF_A_CONSUMER)
            asked.add(operation.path)
    assert {"/v1/eligibility", "/v1/records"} <= asked


def test_whatever_changes_something_takes_a_key_and_says_so(gateway: LivingGateway) -> None:
    contract = gateway.http.get(f"{gateway.url}/openapi.json").json()
    silent = {
        path
        for path, ways in contract["paths"].items()
        for method in {"post", "patch"} & ways.keys()
        if not any(one["name"] == "Idempotency-Key" for one in ways[method].get("parameters", ()))
    }
    # What asks, what has a way of its own to be sent once, and signing in.
    own_way = {"/log/cosignatures", "/oauth/token", "/oauth/revoke", "/oauth/introspect"}
    assert silent == QUESTIONS | own_way


def test_every_operation_keeps_the_contract_towards_strangers(gateway: LivingGateway) -> None:
    asked = set()
    for operation in _operations(gateway, with_security=True):
        _probe(operation, GenerationMode.POSITIVE, NoCredentials(), EXAMPLES_OF_A_STRANGER)
        asked.add((operation.path, operation.method))
    contract = gateway.http.get(f"{gateway.url}/openapi.json").json()
    assert asked == {(path, method) for path, ways in contract["paths"].items() for method in ways}
