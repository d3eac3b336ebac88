"""`/docs` and `/openapi.json`: the contract, readable offline. No asset comes from another host."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gateway.api import deprecation, idempotency, rate_limit
from gateway.api.admin.documentation import SECURITY_SCHEMES as STAFF_SECURITY_SCHEMES

_STATIC = Path(__file__).parent / "static"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Gapura API</title>
<link rel="stylesheet" href="/docs/vendor/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>The contract itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/vendor/swagger-ui-bundle.js"></script>
<script src="/docs/static/docs.js"></script>
</body>
</html>
"""
# Swagger UI sets style attributes and inlines its icons; nothing may come from elsewhere.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# What a route says of itself in the contract when only a consumer may call it: a token, and its binding.
CONSUMER_ONLY: dict[str, Any] = {
    "security": [
        {"access_token": [], "dpop_proof": []},
        {"certificate_bound_token": [], "client_certificate": []},
    ]
}
_SECURITY_SCHEMES = {
    "access_token": {
        "type": "http",
        "scheme": "dpop",
        "bearerFormat": "at+jwt",
        "description": "`Authorization: DPoP TOKEN`, with a token of `/oauth/token` (RFC 9068, RFC 9449).",
    },
    "dpop_proof": {
        "type": "apiKey",
        "in": "header",
        "name": "DPoP",
        "description": "An RFC 9449 proof for this one request, by the key that the token is bound to, with "
        "the nonce of an earlier answer's `DPoP-Nonce`; without one the answer is a 401 that carries it.",
    },
    "certificate_bound_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "at+jwt",
        "description": "`Authorization: Bearer TOKEN`, for a consumer that is registered for tokens bound to "
        "its TLS client certificate (RFC 8705), where the gateway's proxy asks for certificates.",
    },
    "client_certificate": {
        "type": "mutualTLS",
        "description": "The certificate for which the token was issued.",
    },
}


def install(app: FastAPI, models: Sequence[type[BaseModel]]) -> None:
    """Serve the documentation, and put `models` into the contract's components.

    `models` are those that routes name by reference because they read their body themselves.
    """
    vendor = resources.files("fastapi_offline") / "static"
    app.mount("/docs/vendor", StaticFiles(directory=str(vendor)), name="docs-vendor")
    app.mount("/docs/static", StaticFiles(directory=_STATIC), name="docs-static")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Swagger UI over /openapi.json."""
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _CSP})

    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            contract = generate()
            components = contract.setdefault("components", {})
            components["securitySchemes"] = _SECURITY_SCHEMES | STAFF_SECURITY_SCHEMES
            schemas = components.setdefault("schemas", {})
            for model in models:
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas |= schema.pop("$defs", {})
                schemas[model.__name__] = schema
            rate_limit.document(contract)
            idempotency.document(contract)
            deprecation.document(contract, deprecation.DEPRECATED)
            app.openapi_schema = contract
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the contract
