"""How the OAuth endpoints describe themselves in OpenAPI: they read their forms themselves, so by hand.

A test drives the endpoints and compares what they do with what is said here.
"""

from __future__ import annotations

from typing import Any

from gateway.oauth.tokens import SCOPES

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_UNIX_SECONDS = {"type": "integer", "description": "Unix seconds."}
_CLIENT = {
    "client_assertion_type": {
        "type": "string",
        "const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    },
    "client_assertion": {
        **_TEXT,
        "description": "A JWT signed with a registered key of the consumer (header alg, kid): iss and sub "
        "are the consumer's id, aud is the issuer as a single text, jti is new, exp is at most 300 s away.",
    },
    "client_id": {**_TEXT, "description": "Optional; if it is there, it is the consumer's id."},
}
_ERROR = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_NONCE_HEADER = {
    "DPoP-Nonce": {
        "description": "Use this nonce in the next DPoP proof.",
        "schema": {"type": "string"},
    }
}
_DPOP_PARAMETER = {
    "name": "DPoP",
    "in": "header",
    "required": False,
    "schema": _TEXT,
    "description": "An RFC 9449 proof for this request; the token is bound to its key. Without a current "
    "nonce the answer is 400 `use_dpop_nonce`, which carries one. A consumer that is registered for tokens "
    "bound to its TLS client certificate (RFC 8705) sends none, and connects with the certificate.",
}


def _answer(description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}, **more}


def _form(
    summary: str,
    description: str,
    properties: dict[str, Any],
    required: list[str],
    success: dict[str, Any],
    *,
    dpop: bool = False,
) -> dict[str, Any]:
    nonce: dict[str, Any] = {"headers": _NONCE_HEADER} if dpop else {}
    schema = {
        "type": "object",
        "required": [*required, "client_assertion_type", "client_assertion"],
        "properties": {**properties, **_CLIENT},
    }
    return {
        "summary": summary,
        "description": description,
        "openapi_extra": {
            "parameters": [_DPOP_PARAMETER] if dpop else [],
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": schema}},
            },
        },
        "responses": {
            200: success | nonce,
            400: _answer("Refused: `error` is one of RFC 6749, 7009, 8707 and 9449.", _ERROR, **nonce),
            401: _answer("An Authorization header was used, which is not supported.", _ERROR, **nonce),
            503: _answer("The database is out of reach; try again.", _ERROR),
        },
    }


_SCOPE = "|".join(SCOPES)
_TOKEN = {**_TEXT, "description": "The access token; its type is known, so `token_type_hint` is ignored."}
_METADATA_TEXTS = (
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "jwks_uri",
    "service_documentation",
)
_METADATA_LISTS = (
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
    "dpop_signing_alg_values_supported",
    *(
        f"{endpoint}_endpoint_auth_{what}_supported"
        for endpoint in ("token", "revocation", "introspection")
        for what in ("methods", "signing_alg_values")
    ),
)
_JWK = {"type": "object", "required": ["kty", "kid"], "properties": {"kty": _TEXT, "kid": _TEXT}}

FORMS: dict[str, dict[str, Any]] = {
    "token": _form(
        "Get an access token",
        "Client credentials with `private_key_jwt` (RFC 7523), bound to a DPoP key (RFC 9449) or, for a "
        "consumer that is registered so, to its TLS client certificate (RFC 8705).",
        {
            "grant_type": {"type": "string", "const": "client_credentials"},
            "scope": {
                "type": "string",
                "pattern": f"^({_SCOPE})( ({_SCOPE}))*$",
                "description": "Space separated; without it the token is for every scope of the consumer.",
                "examples": ["eligibility", "eligibility records"],
            },
            "resource": {**_TEXT, "description": "The issuer: this gateway is the only resource (RFC 8707)."},
        },
        ["grant_type"],
        _answer(
            "The token.",
            {
                "type": "object",
                "required": ["access_token", "token_type", "expires_in", "scope"],
                "properties": {
                    "access_token": {**_TEXT, "description": "An RFC 9068 JWT; treat it as opaque."},
                    "token_type": {
                        "type": "string",
                        "enum": ["DPoP", "Bearer"],
                        "description": "Bearer for a token that is bound to a certificate: it is good with "
                        "that certificate alone.",
                    },
                    "expires_in": {"type": "integer", "description": "Seconds."},
                    "scope": _TEXT,
                },
            },
        ),
        dpop=True,
    ),
    "revoke": _form(
        "Revoke an access token",
        "RFC 7009. The token is refused at once, everywhere. A token that is unknown, expired or another "
        "client's is answered alike and left alone.",
        {"token": _TOKEN, "token_type_hint": _TEXT},
        ["token"],
        _answer("The token, if it was the client's, is refused from now on.", {"type": "object"}),
    ),
    "introspect": _form(
        "Look at an access token",
        "RFC 7662. A client can look at its own tokens; any other is told to be inactive.",
        {"token": _TOKEN, "token_type_hint": _TEXT},
        ["token"],
        _answer(
            "What the token is good for; of a token that is not good, only `active`.",
            {
                "type": "object",
                "required": ["active"],
                "properties": {
                    "active": {"type": "boolean"},
                    **dict.fromkeys(("client_id", "sub", "scope", "token_type", "iss", "aud", "jti"), _TEXT),
                    **dict.fromkeys(("iat", "exp"), _UNIX_SECONDS),
                    "cnf": {
                        "type": "object",
                        "minProperties": 1,
                        "maxProperties": 1,
                        "properties": {
                            "jkt": {**_TEXT, "description": "Thumbprint of the DPoP key."},
                            "x5t#S256": {**_TEXT, "description": "Thumbprint of the client certificate."},
                        },
                    },
                },
            },
        ),
    ),
}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "metadata": {
        "summary": "What this authorization server can do",
        "description": "RFC 8414. A client that reads it needs no other configuration.",
        "responses": {
            200: _answer(
                "The metadata.",
                {
                    "type": "object",
                    "required": ["issuer", *_METADATA_TEXTS, *_METADATA_LISTS],
                    "properties": {
                        "issuer": {**_TEXT, "description": "The `aud` of every client assertion."},
                        **dict.fromkeys(_METADATA_TEXTS, _TEXT),
                        **dict.fromkeys(_METADATA_LISTS, _TEXTS),
                        "tls_client_certificate_bound_access_tokens": {"type": "boolean"},
                        "mtls_endpoint_aliases": {
                            "type": "object",
                            "description": "Where clients with certificates call instead (RFC 8705).",
                        },
                    },
                },
            )
        },
    },
    "jwks": {
        "summary": "The keys that sign access tokens",
        "description": "RFC 7517. The next key is listed before it signs; cache this for as long as it says.",
        "responses": {
            200: _answer(
                "The keys.",
                {
                    "type": "object",
                    "required": ["keys"],
                    "properties": {"keys": {"type": "array", "minItems": 1, "items": _JWK}},
                },
            )
        },
    },
}
