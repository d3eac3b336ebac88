"""`POST /v1/eligibility` and `POST /v1/records`: the wire form of the exchange."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.leaving import Leaving
from gateway.api.malformed import without_values
from gateway.api.problems import MEDIA_TYPE, Problem
from gateway.exchange import AskedSubject, Exchange, Question
from gateway.oauth.bearer import BearerCheck

MAX_SUBJECTS = 1000
# In a header, because the body is what the receipt is about.
_SLUG = Field(min_length=1, max_length=64)


Wire = TypeVar("Wire", bound=BaseModel)


class _Wire(BaseModel):
    """What arrives: exactly the declared members, of exactly the declared types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SubjectIn(_Wire):
    """One person, named by exactly one of `nik` and `pseudonym`."""

    ref: str = Field(max_length=64, description="Your own mark for this item; comes back unchanged.")
    nik: str | None = Field(None, max_length=64, description="16 digits, as text.")
    pseudonym: str | None = Field(
        None, max_length=256, description="A pseudonym that this gateway gave to your sector."
    )
    claims: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]] | None = Field(
        None,
        max_length=32,
        description="Values to compare with fields that your agreement releases as a verdict. Dates as "
        "YYYY-MM-DD.",
    )


class RecordsRequest(_Wire):
    """What may be known of these people, for this purpose."""

    purpose: Annotated[str, _SLUG] = Field(description="A purpose of one of your agreements.")
    subjects: list[SubjectIn] = Field(min_length=1, max_length=MAX_SUBJECTS)
    fields: list[Annotated[str, _SLUG]] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Only these fields; left out, every field that the agreement releases.",
    )
    on_date: date | None = Field(
        None,
        description="The day for which to answer (deciles, enrolments, rules); left out, today (WIB). Not a "
        "day to come. Statuses are known from their own date on, and unknown for days before it.",
    )


class EligibilityRequest(RecordsRequest):
    """Who of these people qualifies for this programme."""

    programme: Annotated[str, _SLUG] = Field(description="PBI-JK, PKH, BPNT or BST.")


class BothLanguages(BaseModel):
    """One sentence in Indonesian and in English."""

    id: str
    en: str


class AgreementOut(BaseModel):
    """The agreement that was applied, pinned by the hash of its text."""

    id: str
    version: int
    sha256: str


class ClauseOut(BothLanguages):
    """One clause of the programme rule in words, with its legal source."""

    source: str


class RuleOut(BaseModel):
    """The programme rule that was applied; `clauses` only where the agreement allows reasons."""

    programme: str
    version: int
    sha256: str
    clauses: dict[str, ClauseOut] | None = None


class FieldOut(BaseModel):
    """How one field is released to everyone in this answer, or by which clause it is withheld."""

    released_as: str | None = None
    source: str | None = None
    as_of: date | None = None
    withheld: str | None = Field(
        None,
        description="narrowed (the version before released it), dropped_by_agreement, not_in_agreement, "
        "above_ceiling or unknown_field.",
    )
    clause: BothLanguages | None = None
    ask_for: BothLanguages | None = None


class ExceptionOut(BaseModel):
    """Where this person differs from the head: value absent, unknown, an earlier one, or of another date.

    `last_known` stands in while the source is down since `since`, where the agreement takes one of that age.
    """

    state: Literal["absent", "unknown", "last_known"] | None = None
    since: datetime | None = None
    last_known_as_of: date | None = None
    as_of: date | None = None


class RecordOut(BaseModel):
    """One person's entry; `reason` instead of values where nothing can be said."""

    ref: str
    reason: Literal["invalid_identifier", "not_found", "duplicate_identity"] | None = None
    pseudonym: str | None = None
    values: dict[str, Any] | None = None
    exceptions: dict[str, ExceptionOut] | None = None


class DecisionOut(RecordOut):
    """One person's entry with the decision and, where allowed, how each clause came out."""

    decision: Literal["eligible", "ineligible", "unknown"]
    clauses: dict[str, Literal["yes", "no", "unknown"]] | None = None


class RecordsAnswer(BaseModel):
    """The answer's head says once what holds for all; each result says what differs."""

    exchange_id: str
    as_of: datetime
    on_date: date
    agreement: AgreementOut
    sandbox: Literal[True] | None = Field(
        None, description="You are in the sandbox: only synthetic people are found there."
    )
    fields: dict[str, FieldOut]
    reasons: dict[str, BothLanguages] | None = None
    results: list[RecordOut]


class EligibilityAnswer(RecordsAnswer):
    """As RecordsAnswer, with the rule and a decision per person."""

    rule: RuleOut
    results: list[DecisionOut]  # type: ignore[assignment] # narrower on purpose: read-only on the wire


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in {
        401: "No valid sender-constrained token; `WWW-Authenticate` says what is missing.",
        403: "The agreement does not cover this; `code` says why, `remedy` what to ask for.",
        413: "The body is too large.",
        415: "The body is not `application/json`.",
        422: "The request is malformed; `errors` says where.",
        429: "A limit of the agreement is reached; try again after `Retry-After` seconds.",
        503: "Nothing was answered; try again after `Retry-After` seconds. In maintenance see `until`.",
    }.items()
}


def exchange_router(
    exchange: Exchange, leave: Leaving, bearer: BearerCheck, examples: dict[str, dict[str, Any]]
) -> APIRouter:
    """The two routes of the exchange. `examples` are request bodies by operation, shown in OpenAPI.

    `gateway.api.direct` reaches them without the framework.
    """
    router = APIRouter(tags=["exchange"])

    async def answer(operation: str, model: type[RecordsRequest], request: Request) -> Response:
        consumer = await bearer(request, operation)
        message = await request.body()
        asked = parsed(model, message, request.headers.get("content-type", ""))
        question = Question(
            operation=operation,
            purpose=asked.purpose,
            programme=asked.programme if isinstance(asked, EligibilityRequest) else None,
            subjects=tuple(AskedSubject(s.ref, s.nik, s.pseudonym, s.claims or {}) for s in asked.subjects),
            fields=tuple(asked.fields) if asked.fields else None,
            on_date=asked.on_date,
            message=message,
        )
        return await leave(
            request, consumer, operation, lambda book, note: exchange(consumer, question, book, note)
        )

    @router.post(
        "/v1/eligibility",
        response_model=EligibilityAnswer,
        responses=PROBLEMS,
        openapi_extra=documented_body(EligibilityRequest, examples["eligibility"]),
    )
    async def eligibility(request: Request) -> Response:
        """Who of 1 to 1000 people qualifies for a programme, as far as your agreement lets you know."""
        return await answer("eligibility", EligibilityRequest, request)

    @router.post(
        "/v1/records",
        response_model=RecordsAnswer,
        responses=PROBLEMS,
        openapi_extra=documented_body(RecordsRequest, examples["records"]),
    )
    async def records(request: Request) -> Response:
        """The permitted fields of 1 to 1000 people in your agreement's scope."""
        return await answer("records", RecordsRequest, request)

    return router


def parsed(model: type[Wire], message: bytes, content_type: str) -> Wire:
    """The body as the model says it must be. Raises what leaves as 415 or 422."""
    if content_type.split(";", maxsplit=1)[0].strip().lower() != "application/json":
        raise HTTPException(415)
    try:
        return model.model_validate_json(message)
    except ValidationError as error:
        raise RequestValidationError(without_values(error.errors(include_url=False), "body")) from None


def documented_body(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    """The request body for OpenAPI: the endpoint reads the bytes itself, once, because it hashes them."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        **CONSUMER_ONLY,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": examples}},
        },
    }


WIRE_MODELS: tuple[type[BaseModel], ...] = (EligibilityRequest, RecordsRequest, Problem)
MEMBER_NAMES = frozenset(
    name for model in (EligibilityRequest, RecordsRequest, SubjectIn) for name in model.model_fields
)
