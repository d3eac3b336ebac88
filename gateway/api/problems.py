"""Errors as RFC 9457 problem details. The only module that gives errors their HTTP status.

A problem says what, where, expected and got, and what to do. It is told in one language: Indonesian, or
English if `Accept-Language` prefers it or if its sentence exists in English only; `Content-Language` says
which. It MUST NOT repeat a value of the request. OAuth endpoints keep the RFC 6749 shape and pass not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.api.malformed import malformed
from gateway.api.problem_words import IN_INDONESIAN, NOT_PERMITTED, REMEDIES, REMEDIES_BY_CODE, TITLES
from gateway.errors import (
    BadInput,
    BodyTooLarge,
    Conflict,
    GapuraError,
    IdempotencyKeyReused,
    InsufficientScope,
    LimitExceeded,
    NotFound,
    NotPermitted,
    PreconditionMissing,
    Refused,
    Retryable,
    RoleMissing,
    TextUnusable,
    Unauthenticated,
    Unfit,
)
from policies.dictionary import Text

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
_TYPE_PREFIX = "urn:gapura:problem:"
# Of the malformed places of one request, as the sentence; `errors` has all.
_TOLD_AT_ONCE = 3

# Every error of the tree has its status here, subclasses through their base; a test walks the tree.
STATUS: Mapping[type[GapuraError], int] = {
    BadInput: 400,
    BodyTooLarge: 413,
    IdempotencyKeyReused: 422,
    TextUnusable: 422,
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
# What the framework refuses before a route of ours is reached.
_HTTP_CODES = {
    400: BadInput.code,
    404: NotFound.code,
    405: "method_not_allowed",
    415: "unsupported_media_type",
}
# Everything else is a fault of ours, to be logged.
FORESEEN = (GapuraError, RequestValidationError, HTTPException)

Language = Literal["id", "en"]


class MalformedPart(BaseModel):
    """One malformed place of the request. What stood there is told by its type alone."""

    place: Literal["body", "query", "path", "header", "cookie"]
    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the body, or the name behind a slash.",
        examples=["/subjects/0/nik"],
    )
    expected: str = Field(examples=["a text"])
    got: Literal["nothing", "null", "boolean", "number", "string", "array", "object"] | None = None
    remedy: str = Field(examples=["send what is expected"])
    problem: str = Field(
        description="All of it in one sentence.",
        examples=["/subjects/0/nik: expected a text, got a number; send what is expected"],
    )


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
    remedy: str | None = Field(None, description="What to do.")
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
    present_state: str | None = Field(None, description="To staff: its state; only a draft can be edited.")
    difference: dict[str, Any] | None = Field(
        None, description="To staff: from the present text to the one that was sent, in words and lines."
    )
    until: str | None = Field(
        None,
        description="Of maintenance: until when, as it is planned; with its zone.",
        examples=["2026-12-01T02:00+07:00"],
    )
    problems: list[str] | None = Field(
        None, description="To staff: everything that is wrong with what was sent."
    )


def status_of(error: GapuraError) -> int:
    """The HTTP status of an error: that of its nearest base in STATUS; an unforeseen kind is a 500."""
    return next((STATUS[base] for base in type(error).__mro__ if base in STATUS), 500)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str | Text,
    *,
    title: Text | None = None,
    remedy: Text | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """One problem as a response, in one language; a `detail` that is a plain text is English.

    Without a `remedy` it is that of the code or the status. `more` are extension members; None leaves one
    out.
    """
    if isinstance(detail, str) and code in IN_INDONESIAN:
        detail = Text(IN_INDONESIAN[code], detail)
    language = language_of(request) if isinstance(detail, Text) else "en"
    usual_remedy = REMEDIES_BY_CODE.get(code) or REMEDIES.get(status, REMEDIES[500])
    members = {
        "type": _TYPE_PREFIX + code,
        "title": getattr(title or TITLES.get(status, TITLES[500]), language),
        "status": status,
        "detail": detail if isinstance(detail, str) else getattr(detail, language),
        "code": code,
        "remedy": getattr(remedy or usual_remedy, language),
        **{key: value for key, value in more.items() if value is not None},
    }
    told = {"Content-Language": language, **(headers or {})}
    return Response(orjson.dumps(members), status, told, MEDIA_TYPE)


def language_of(request: Request) -> Language:
    """The first of Indonesian and English that `Accept-Language` names; else Indonesian."""
    for choice in request.headers.get("accept-language", "").lower().split(","):
        language = choice.split(";")[0].strip().split("-")[0]
        if language in {"id", "en"}:
            return "en" if language == "en" else "id"
    return "id"


def install(app: FastAPI, member_names: frozenset[str]) -> None:
    """Make every error of the app leave as a problem; `member_names` as in `told`."""

    async def answer(request: Request, error: Exception) -> Response:
        return told(request, error, member_names)

    for kind in (*FORESEEN, Exception):
        app.add_exception_handler(kind, answer)


def told(request: Request, error: Exception, member_names: frozenset[str]) -> Response:
    """Any error as a problem; one that nobody foresaw is told by the request's id alone.

    `member_names` are the names that the wire models declare: a pointer repeats no other, because a
    member's name is the sender's text too.
    """
    match error:
        case GapuraError():
            return _foreseen(request, error)
        case RequestValidationError():
            return _malformed(request, error, member_names)
        case HTTPException():
            code = _HTTP_CODES.get(error.status_code, "http_error")
            title = TITLES.get(error.status_code, TITLES[500])
            sentence = Text(f"{title.id}.", f"{title.en}.")
            return problem(request, error.status_code, code, sentence, headers=error.headers)
        case _:
            number = request.state.request_id
            quote = Text(f"Nomor permintaan ini {number}.", f"The id of this request is {number}.")
            return problem(request, 500, GapuraError.code, quote)


def _malformed(request: Request, error: RequestValidationError, member_names: frozenset[str]) -> Response:
    """Every malformed place, and the first few of them as the sentence."""
    found = malformed(error.errors(), member_names)
    language = language_of(request)
    sentences = [one.sentence for one in found[:_TOLD_AT_ONCE]]
    return problem(
        request,
        422,
        "malformed_request",
        Text(". ".join(one.id for one in sentences) + ".", ". ".join(one.en for one in sentences) + "."),
        errors=[
            {
                "place": one.place,
                "pointer": one.pointer,
                "expected": getattr(one.expected, language),
                "got": one.got,
                "remedy": getattr(one.remedy, language),
                "problem": getattr(one.sentence, language),
            }
            for one in found
        ],
    )


def _foreseen(request: Request, error: GapuraError) -> Response:
    """A foreseen error, with what its kind adds."""
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    match error:
        case Refused():
            more["exchange_id"] = str(error.exchange_id)
            if isinstance(error, LimitExceeded):
                headers["Retry-After"] = str(error.retry_after_s)
        case NotPermitted():
            more["title"] = NOT_PERMITTED
            more["held_by"] = error.holders if isinstance(error, RoleMissing) else None
        case Unauthenticated():
            headers["WWW-Authenticate"] = error.challenge
            if error.dpop_nonce:
                headers["DPoP-Nonce"] = error.dpop_nonce
        case Conflict():
            more |= error.members
        case Unfit():
            more["problems"] = [getattr(one, language_of(request)) for one in error.problems]
        case Retryable():
            headers["Retry-After"] = str(_RETRY_AFTER_S)
        case _:
            pass
    detail = error.said or error.detail
    return problem(
        request, status_of(error), error.code, detail, remedy=error.remedy, headers=headers, **more
    )
