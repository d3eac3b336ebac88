"""Errors as RFC 9457 problem details. The only module that gives errors their HTTP status.

A problem says what, where, expected and got, and what to do, in the language that was asked for. It MUST
NOT repeat a value of the request. OAuth endpoints keep the RFC 6749 shape and do not pass here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.errors import (
    BadInput,
    BodyTooLarge,
    Conflict,
    GapuraError,
    InsufficientScope,
    LimitExceeded,
    NotFound,
    NotPermitted,
    PreconditionMissing,
    Refused,
    Retryable,
    RoleMissing,
    Unauthenticated,
)
from policies.dictionary import Text

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
_TYPE_PREFIX = "urn:gapura:problem:"

# Every error of the tree has its status here, subclasses through their base; a test walks the tree.
STATUS: Mapping[type[GapuraError], int] = {
    BadInput: 400,
    BodyTooLarge: 413,
    PreconditionMissing: 428,
    Unauthenticated: 401,
    InsufficientScope: 403,
    Refused: 403,
    LimitExceeded: 429,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    Retryable: 503,
}
_TITLES = {
    400: Text(id="Permintaan tidak dapat dipakai", en="The request cannot be used"),
    401: Text(id="Pemanggil tidak dikenali", en="The caller could not be established"),
    403: Text(id="Tidak dicakup perjanjian", en="Not covered by the agreement"),
    404: Text(id="Tidak ada", en="There is no such thing"),
    405: Text(id="Metode tidak tersedia", en="The method is not available here"),
    409: Text(id="Bertentangan dengan keadaan sekarang", en="In conflict with the present state"),
    413: Text(id="Permintaan terlalu besar", en="The request is too large"),
    415: Text(id="Jenis isi tidak didukung", en="The content type is not supported"),
    422: Text(id="Bentuk permintaan salah", en="The request is malformed"),
    428: Text(id="Syarat pendahuluan tidak disebut", en="The precondition is missing"),
    429: Text(id="Batas perjanjian tercapai", en="A limit of the agreement is reached"),
    500: Text(id="Kesalahan yang tidak terduga", en="An unforeseen error"),
    503: Text(id="Untuk sementara tidak tersedia", en="Temporarily unavailable"),
}
_NOT_PERMITTED = Text(id="Tidak diizinkan bagi petugas ini", en="Not permitted to this staff member")

# What the framework refuses before a route of ours is reached.
_HTTP_CODES = {
    400: BadInput.code,
    404: NotFound.code,
    405: "method_not_allowed",
    415: "unsupported_media_type",
}


class MalformedPart(BaseModel):
    """One malformed place of the request."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the body.", examples=["/subjects/0/nik"])
    problem: str = Field(description="What was expected there.", examples=["Input should be a valid string"])


class Problem(BaseModel):
    """RFC 9457 problem details. Program against `code`; the texts are for people and may change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:gapura:problem:purpose_not_covered",
                    "title": "Not covered by the agreement",
                    "status": 403,
                    "detail": "No agreement of this consumer covers the purpose.",
                    "code": "purpose_not_covered",
                    "remedy": "Ask GET /v1/agreements for the purposes that are covered.",
                    "exchange_id": "6f1e0f0e-30c0-4c0b-9a8a-2f4f4a5f0d11",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str | None = None
    exchange_id: str | None = None
    errors: list[MalformedPart] | None = None
    held_by: dict[str, list[str]] | None = Field(
        None, description="To staff: each role that would do, and the ids of those who have it."
    )
    unmet: list[dict[str, Any]] | None = Field(
        None, description="To staff: each condition (`code`, `what`, `who` can meet it) that an act fails."
    )
    present_etag: str | None = Field(None, description="To staff: the ETag that counts now.")
    present_version: int | None = Field(None, description="To staff: the version that it names.")
    difference: dict[str, Any] | None = Field(
        None, description="To staff: from the present text to the one that was sent, in words and lines."
    )
    problems: list[str] | None = Field(None, description="To staff: what keeps a text from loading.")


def status_of(error: GapuraError) -> int:
    """The HTTP status of an error: that of its nearest base in STATUS; an unforeseen kind is a 500."""
    return next((STATUS[base] for base in type(error).__mro__ if base in STATUS), 500)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """One problem as a response; `more` are extension members, None leaves one out."""
    members = {
        "type": _TYPE_PREFIX + code,
        "title": spoken(request, _TITLES.get(status, _TITLES[500])),
        "status": status,
        "detail": detail,
        "code": code,
        **{key: value for key, value in more.items() if value is not None},
    }
    return Response(orjson.dumps(members), status, dict(headers or {}), MEDIA_TYPE)


def spoken(request: Request, text: Text) -> str:
    """The text in the first of Indonesian and English that `Accept-Language` names; else Indonesian."""
    for choice in request.headers.get("accept-language", "").lower().split(","):
        language = choice.split(";")[0].strip().split("-")[0]
        if language in {"id", "en"}:
            return text.en if language == "en" else text.id
    return text.id


def install(app: FastAPI, member_names: frozenset[str]) -> None:
    """Make every error of the app leave as a problem.

    `member_names` are the names that the wire models declare: a pointer repeats no other, because a
    member's name is the sender's text too.
    """

    @app.exception_handler(GapuraError)
    async def _foreseen(request: Request, error: GapuraError) -> Response:
        return _told(request, error)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, _error: Exception) -> Response:
        quote = f"Quote the request id {request.state.request_id} when asking."
        return problem(request, 500, GapuraError.code, quote)

    @app.exception_handler(RequestValidationError)
    async def _malformed(request: Request, error: RequestValidationError) -> Response:
        parts = [
            {"pointer": _pointer(item["loc"], member_names), "problem": _without_value(item)}
            for item in error.errors()
        ]
        return problem(
            request,
            422,
            "malformed_request",
            "; ".join(f"{p['pointer'] or 'the body'}: {p['problem']}" for p in parts[:3]),
            errors=parts,
        )

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _HTTP_CODES.get(error.status_code, "http_error")
        title = spoken(request, _TITLES.get(error.status_code, _TITLES[500]))
        return problem(request, error.status_code, code, title + ".", headers=error.headers)


def _told(request: Request, error: GapuraError) -> Response:
    """A foreseen error, with what its kind adds."""
    status = status_of(error)
    match error:
        case Refused():
            return problem(
                request,
                status,
                error.code,
                spoken(request, error.reason),
                headers=_retry_after(error),
                remedy=spoken(request, error.remedy),
                exchange_id=str(error.exchange_id),
            )
        case NotPermitted():
            held_by = error.holders if isinstance(error, RoleMissing) else None
            title = spoken(request, _NOT_PERMITTED)
            return problem(request, status, error.code, error.detail, title=title, held_by=held_by)
        case Unauthenticated():
            headers = {"WWW-Authenticate": error.challenge}
            if error.dpop_nonce:
                headers["DPoP-Nonce"] = error.dpop_nonce
            return problem(request, status, error.code, error.detail, headers=headers)
        case Conflict():
            return problem(request, status, error.code, error.detail, **error.members)
        case Retryable():
            return problem(
                request, status, error.code, error.detail, headers={"Retry-After": str(_RETRY_AFTER_S)}
            )
        case _:
            return problem(request, status, error.code, error.detail)


def _retry_after(error: Refused) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after_s)} if isinstance(error, LimitExceeded) else {}


def _pointer(location: Sequence[str | int], member_names: frozenset[str]) -> str:
    # Pydantic begins with where the value came from; the body's pointer begins at the body.
    parts = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    told = itertools.takewhile(lambda part: isinstance(part, int) or part in member_names, parts)
    return "".join(f"/{part}" for part in told)


def _without_value(item: Mapping[str, Any]) -> str:
    """Pydantic's sentence, unless it quotes what stood there."""
    match item["type"]:
        case "json_invalid":
            return "is not valid JSON"
        case "extra_forbidden":
            return "holds a member that is not known here"
        case _:
            return str(item["msg"])
