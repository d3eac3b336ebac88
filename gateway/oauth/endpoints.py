"""The OAuth endpoints over HTTP: forms in, RFC 6749 JSON out, and the two documents that clients fetch.

The request is read here, strictly, before the synchronous core runs in a greenlet: form only, nothing in the
address, nothing repeated. These endpoints keep OAuth's own error shape, which clients parse; problem
details are for the rest of the API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy.util import greenlet_spawn

from gateway.database import Database
from gateway.errors import BadInput, Retryable
from gateway.keys import JWKS_MAX_AGE_S, Keys
from gateway.oauth import server as core
from gateway.oauth.certificates import CertificateRefused, ClientCertificates
from gateway.oauth.documentation import DOCUMENTS, FORMS
from gateway.oauth.jose import SIGNATURE_ALGORITHMS
from gateway.oauth.tokens import SCOPES

METADATA_PATH = "/.well-known/oauth-authorization-server"
JWKS_PATH = "/oauth/jwks"

_FORM = "application/x-www-form-urlencoded"
# An assertion and a token are 1 to 2 kB each.
_MAX_FORM_BYTES = 32_768
_MAX_FIELDS = 32
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CACHEABLE = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"}


class _FormRefused(Exception):  # noqa: N818 - says what happened to the form
    """The request is no form that can be taken; the message is its error_description."""


def oauth_router(
    *,
    database: Database,
    keys: Keys,
    issuer: str,
    token_lifetime_s: int,
    clock: Callable[[], datetime],
    certificates: ClientCertificates | None = None,
    mtls_origin: str | None = None,
) -> APIRouter:
    """The routes of the authorization server whose public address is `issuer`.

    `mtls_origin` is where clients call with certificates, if not there. Raises BadInput when the issuer is
    not https, and not the machine itself.
    """
    _refuse_open_transport(issuer)
    certificates = certificates or ClientCertificates()
    metadata = orjson.dumps(_metadata(issuer) | _mtls_metadata(issuer, certificates, mtls_origin))
    server = core.TokenServer(
        database=database, keys=keys, issuer=issuer, token_lifetime_s=token_lifetime_s, clock=clock
    )
    router = APIRouter(tags=["oauth"])

    @router.get(METADATA_PATH, **DOCUMENTS["metadata"])
    async def metadata_document() -> Response:
        return Response(metadata, headers=_CACHEABLE, media_type="application/json")

    @router.get(JWKS_PATH, **DOCUMENTS["jwks"])
    async def jwks_document() -> Response:
        return _json(200, keys.jwks(clock()), _CACHEABLE)

    @router.post(core.TOKEN_PATH, **FORMS["token"])
    async def token(request: Request) -> Response:
        try:
            certificate = certificates.presented(request.scope, clock().timestamp())
        except CertificateRefused as refusal:
            return _refusal(str(refusal))
        return await _serve(request, lambda form: server.token(replace(form, certificate=certificate)))

    @router.post(core.REVOCATION_PATH, **FORMS["revoke"])
    async def revoke(request: Request) -> Response:
        return await _serve(request, server.revoke)

    @router.post(core.INTROSPECTION_PATH, **FORMS["introspect"])
    async def introspect(request: Request) -> Response:
        return await _serve(request, server.introspect)

    return router


async def _serve(request: Request, answer: Callable[[core.FormRequest], core.Reply]) -> Response:
    try:
        incoming = await _read(request)
        reply = await greenlet_spawn(answer, incoming)
    except _FormRefused as refusal:
        return _refusal(str(refusal))
    except Retryable as error:
        body = {"error": "temporarily_unavailable", "error_description": error.detail}
        return _json(503, body, {**_NO_STORE, "Retry-After": "5"})
    return _json(reply.status, reply.body, reply.headers)


async def _read(request: Request) -> core.FormRequest:
    """The request's form and credentials. Raises _FormRefused."""
    if request.scope["query_string"]:
        raise _FormRefused("Nothing may be in the query: send every parameter in the form.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _FormRefused(f"The body must be a form: Content-Type {_FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise _FormRefused(f"The form is larger than {_MAX_FORM_BYTES} bytes.")
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise _FormRefused(f"The form is malformed, or has more than {_MAX_FIELDS} fields.") from None
    if any(count > 1 for count in Counter(name for name, _ in fields).values()):
        raise _FormRefused("A parameter is repeated: each may be there once.")
    return core.FormRequest(
        # RFC 6749, 3.2: a parameter without a value is as one that was omitted.
        form={name: value for name, value in fields if value},
        proofs=tuple(request.headers.getlist("dpop")),
        has_authorization="authorization" in request.headers,
    )


def _refusal(description: str) -> Response:
    return _json(400, {"error": "invalid_request", "error_description": description}, _NO_STORE)


def _json(status: int, body: Any, headers: Mapping[str, str]) -> Response:
    return Response(orjson.dumps(body), status, dict(headers), "application/json")


def _metadata(issuer: str) -> dict[str, Any]:
    """What this server can do (RFC 8414)."""
    algorithms = list(SIGNATURE_ALGORITHMS)
    metadata: dict[str, Any] = {
        "issuer": issuer,
        "token_endpoint": issuer + core.TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],  # required by RFC 8414; there is no authorization endpoint
        "grant_types_supported": [core.GRANT_TYPE],
        "dpop_signing_alg_values_supported": algorithms,
        "revocation_endpoint": issuer + core.REVOCATION_PATH,
        "introspection_endpoint": issuer + core.INTROSPECTION_PATH,
        "service_documentation": issuer + "/docs",
    }
    for endpoint in ("token", "revocation", "introspection"):
        metadata[f"{endpoint}_endpoint_auth_methods_supported"] = ["private_key_jwt"]
        metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms
    return metadata


def _mtls_metadata(issuer: str, certificates: ClientCertificates, origin: str | None) -> dict[str, Any]:
    """What RFC 8705 adds to the metadata: nothing where no certificate can count."""
    if not certificates.accepted:
        return {}
    metadata: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
    if origin not in {None, issuer}:
        metadata["mtls_endpoint_aliases"] = {
            "token_endpoint": f"{origin}{core.TOKEN_PATH}",
            "revocation_endpoint": f"{origin}{core.REVOCATION_PATH}",
            "introspection_endpoint": f"{origin}{core.INTROSPECTION_PATH}",
        }
    return metadata


def _refuse_open_transport(issuer: str) -> None:
    # Authlib would let an environment variable overrule its own check.
    address = urlsplit(issuer)
    if address.scheme != "https" and address.hostname not in _THIS_MACHINE:
        raise BadInput(
            f"The gateway cannot issue tokens as {issuer}. Set GAPURA_PUBLIC_URL to the https address that "
            "consumers use; plain http is for 127.0.0.1 and localhost only."
        )
