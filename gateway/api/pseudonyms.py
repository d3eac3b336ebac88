"""`/v1/pseudonyms`: names renewed after a rotation, sealed for another sector, and opened by it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.exchanges import (
    MAX_SUBJECTS,
    PROBLEMS,
    AgreementOut,
    BothLanguages,
    documented_body,
    parsed,
)
from gateway.api.leaving import Leaving
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from gateway.pseudonyms.naming import AskedName, Naming, NamingQuestion
from policies.naming import OPEN, REKEY, TRANSLATE

# Whoever may have records of people may have names for them; it is no right of its own.
_SCOPE = "records"


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


_Ref = Annotated[str, Field(max_length=64, description="Your own mark for this item; comes back unchanged.")]
_Purpose = Annotated[
    str, Field(min_length=1, max_length=64, description="A purpose of one of your agreements.")
]


class PseudonymIn(_Wire):
    """One pseudonym of your own sector, of any version that is still taken back."""

    ref: _Ref
    pseudonym: str = Field(max_length=256)


class PseudonymsRequest(_Wire):
    """Pseudonyms of your own sector."""

    purpose: _Purpose
    subjects: list[PseudonymIn] = Field(min_length=1, max_length=MAX_SUBJECTS)


class TranslationIn(_Wire):
    """One translation that an agency of another sector gave you."""

    ref: _Ref
    translation: str = Field(max_length=512)


class TranslationsRequest(_Wire):
    """Translations that were made for your sector and this purpose."""

    purpose: _Purpose
    subjects: list[TranslationIn] = Field(min_length=1, max_length=MAX_SUBJECTS)


class NameOut(BaseModel):
    """One name in answer to one, or the reason why there is none."""

    ref: str
    pseudonym: str | None = None
    translation: str | None = None
    reason: Literal["unusable_name", "not_found"] | None = None


class NamesAnswer(BaseModel):
    """Results in the order of the request."""

    exchange_id: str
    as_of: datetime
    agreement: AgreementOut
    sandbox: Literal[True] | None = None
    reasons: dict[str, BothLanguages] | None = None
    results: list[NameOut]


WIRE_MODELS: tuple[type[BaseModel], ...] = (PseudonymsRequest, TranslationsRequest)
MEMBER_NAMES = frozenset({"purpose", "subjects", "ref", "pseudonym", "translation"})

_NAME = "FHUPSCbnab-biaJsc-j0Y4RKMOcx5cGrHewUENX2n4Q"
_PSEUDONYMS_EXAMPLE = {
    "purpose": "pbi-jk-eligibility",
    "subjects": [{"ref": "A-17", "pseudonym": f"v1.kesehatan.{_NAME}"}],
}
_TRANSLATIONS_EXAMPLE = {
    "purpose": "pbi-jk-eligibility",
    "subjects": [
        {"ref": "A-17", "translation": f"t1.pkh.kesehatan.pbi-jk-eligibility.1795219200.{_NAME * 2:.64}"}
    ],
}


def pseudonym_router(naming: Naming, leave: Leaving, bearer: BearerCheck) -> APIRouter:
    """The three routes by which names are exchanged for names."""
    router = APIRouter(prefix="/v1/pseudonyms", tags=["pseudonyms"])

    async def answer(
        operation: str,
        model: type[PseudonymsRequest] | type[TranslationsRequest],
        request: Request,
        consumer: Consumer,
    ) -> Response:
        message = await request.body()
        asked: PseudonymsRequest | TranslationsRequest = parsed(
            model, message, request.headers.get("content-type", "")
        )
        question = NamingQuestion(operation, asked.purpose, tuple(_names(asked)), message)
        return await leave(
            request, consumer, operation, lambda book, note: naming(consumer, question, book, note)
        )

    allowed = Depends(bearer.requiring(_SCOPE))

    @router.post("/rekey", **_documented(PseudonymsRequest, _PSEUDONYMS_EXAMPLE))
    async def rekey(request: Request, consumer: Annotated[Consumer, allowed]) -> Response:
        """Your present names for people whom you know by older ones, while these are taken back.

        Says nothing of anybody that you do not hold already, and does not count towards your limits.
        """
        return await answer(REKEY, PseudonymsRequest, request, consumer)

    @router.post("/translate", **_documented(PseudonymsRequest, _PSEUDONYMS_EXAMPLE))
    async def translate(request: Request, consumer: Annotated[Consumer, allowed]) -> Response:
        """What only the sector that your agreement names can open, for 24 hours; another text each time.

        Hand over the translation and not your pseudonym: then neither side learns the other's name.
        """
        return await answer(TRANSLATE, PseudonymsRequest, request, consumer)

    @router.post("/open", **_documented(TranslationsRequest, _TRANSLATIONS_EXAMPLE))
    async def open_names(request: Request, consumer: Annotated[Consumer, allowed]) -> Response:
        """Your own names for the people of translations that were made for your sector and purpose."""
        return await answer(OPEN, TranslationsRequest, request, consumer)

    return router


def _names(asked: PseudonymsRequest | TranslationsRequest) -> Iterator[AskedName]:
    for one in asked.subjects:
        yield AskedName(one.ref, one.pseudonym if isinstance(one, PseudonymIn) else one.translation)


def _documented(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    return {
        "response_model": NamesAnswer,
        "responses": PROBLEMS,
        "openapi_extra": documented_body(model, {"one": {"value": example}}),
    }
