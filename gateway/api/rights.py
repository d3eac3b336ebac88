"""`POST /v1/access-history`: a person asks, through an app that knows them, who looked at their record."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.exchanges import (
    PROBLEMS,
    AgreementOut,
    BothLanguages,
    documented_body,
    parsed,
)
from gateway.api.leaving import Leaving
from gateway.gate import Question
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from gateway.registry.personas import persona
from gateway.rights.access import AccessHistory
from gateway.subjects import AskedSubject
from policies.agreement import ACCESS_HISTORY

_NIK_DIGITS = 16


class AccessHistoryRequest(BaseModel):
    """Whose history. You have established that the person who asks is this person."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    purpose: str = Field(min_length=1, max_length=64, description="A purpose of one of your agreements.")
    nik: str = Field(
        min_length=_NIK_DIGITS, max_length=_NIK_DIGITS, description="The person's NIK: 16 digits, as text."
    )
    before: UUID | None = Field(None, description="For older accesses: `before` of the page that you have.")


class AccessedBy(BaseModel):
    """Who: a consumer, or Pusdatin itself, then without an id."""

    id: str | None
    name: str


class ToldField(BaseModel):
    """A field that was told, and in which form."""

    released_as: str
    label: BothLanguages


class AccessOut(BaseModel):
    """One moment at which somebody asked about the person. `words` says all of it in a sentence."""

    reference: str = Field(
        description="By this number Pusdatin finds the access, in a complaint for instance."
    )
    at: datetime
    by: AccessedBy
    operation: str
    purpose: str | None
    programme: str | None
    agreement: str | None
    legal_basis: list[str]
    fields: dict[str, ToldField]
    outside_sources: list[str]
    outcome: str
    outcome_words: BothLanguages
    words: BothLanguages


class HistoryPage(BaseModel):
    """Accesses, the newest first. `before` leads to the older ones, where there are any."""

    words: BothLanguages
    accesses: list[AccessOut]
    before: UUID | None = None


class AccessHistoryAnswer(HistoryPage):
    """The person's history, or the `reason` why none is told."""

    exchange_id: str
    as_of: datetime
    agreement: AgreementOut
    reason: Literal["invalid_identifier", "not_found", "duplicate_identity"] | None = None


_EXAMPLES = {
    "own": {
        "summary": "Who looked at my record (as cek-bansos)",
        "value": {"purpose": "own-status", "nik": persona("eligible").nik},
    }
}


def rights_router(access: AccessHistory, leave: Leaving, bearer: BearerCheck) -> APIRouter:
    """The route by which a person's own app asks for them."""
    router = APIRouter(tags=["rights"])

    @router.post(
        "/v1/access-history",
        response_model=AccessHistoryAnswer,
        responses=PROBLEMS,
        openapi_extra=documented_body(AccessHistoryRequest, _EXAMPLES),
    )
    async def access_history(
        request: Request, consumer: Annotated[Consumer, Depends(bearer.requiring(ACCESS_HISTORY))]
    ) -> Response:
        """Who was told what of one person, when, for which purpose and on which legal basis."""
        message = await request.body()
        asked = parsed(AccessHistoryRequest, message, request.headers.get("content-type", ""))
        question = Question(
            operation=ACCESS_HISTORY,
            purpose=asked.purpose,
            programme=None,
            subjects=(AskedSubject("", asked.nik, None, {}),),
            fields=(),
            on_date=None,
            message=message,
        )
        return await leave(
            request,
            consumer,
            ACCESS_HISTORY,
            lambda book, note: access(consumer, question, book, note, before=asked.before),
        )

    return router


WIRE_MODELS: tuple[type[BaseModel], ...] = (AccessHistoryRequest,)
MEMBER_NAMES = frozenset(AccessHistoryRequest.model_fields)
