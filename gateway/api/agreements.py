"""`GET /v1/agreements`: what may I ask, in full."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.exchanges import PROBLEMS, BothLanguages
from gateway.civil_day import civil_day
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from policies.agreement import Agreement, AgreementBook, Standing


class AgreementField(BaseModel):
    """One field of an agreement, with its meaning from the data dictionary."""

    label: BothLanguages
    type: str
    words: list[str] | None = Field(description="Every word that the field may say; null for other types.")
    unit: str | None
    source: str
    sensitivity: str
    released_as: str = Field(description="The transformation, as the agreement spells it.")


class AgreementScope(BaseModel):
    """Whom answers may be about; null means no bound. The consumer's own jurisdiction narrows it further."""

    regions: list[str] | None
    enrolled_in: list[str] | None


class AgreementTerms(BaseModel):
    """One agreement as it binds both sides. `standing` is how it stands today (WIB)."""

    id: str
    version: int
    sha256: str
    title: BothLanguages
    purpose: str
    standing: Standing
    legal_basis: list[str]
    documents: dict[str, str]
    valid_from: date
    valid_until: date
    operations: list[str]
    programmes: list[str]
    scope: AgreementScope
    subjects_per_request: int
    pseudonym_sector: str | None
    reasons: bool
    on_source_failure: str = Field(description="`partial` or `refuse`.")
    fields: dict[str, AgreementField]


class AgreementList(BaseModel):
    """Every agreement of the consumer that asks."""

    consumer: str
    jurisdiction: list[str] | None = Field(description="Kemendagri codes; null means the whole country.")
    agreements: list[AgreementTerms]


def agreement_router(book: AgreementBook, bearer: BearerCheck, clock: Callable[[], datetime]) -> APIRouter:
    """The route by which a consumer reads its own terms, and nobody else's."""
    router = APIRouter(tags=["agreements"])

    @router.get(
        "/v1/agreements",
        responses={status: PROBLEMS[status] for status in (401, 403, 503)},
        openapi_extra=CONSUMER_ONLY,
    )
    async def agreements(consumer: Annotated[Consumer, Depends(bearer.requiring(None))]) -> AgreementList:
        """What you may ask, for which purpose, about whom, until when, and in which form it comes."""
        today = civil_day(clock())
        return AgreementList(
            consumer=consumer.id,
            jurisdiction=list(consumer.regions) or None,
            agreements=[_terms(book, one, today) for one in book.agreements_of(consumer.id)],
        )

    return router


def _terms(book: AgreementBook, agreement: Agreement, today: date) -> AgreementTerms:
    return AgreementTerms(
        id=agreement.id,
        version=agreement.version,
        sha256=agreement.sha256,
        title=BothLanguages(id=agreement.title.id, en=agreement.title.en),
        purpose=agreement.purpose,
        standing=agreement.standing(today),
        legal_basis=list(agreement.legal_basis),
        documents=dict(agreement.documents),
        valid_from=agreement.valid_from,
        valid_until=agreement.valid_until,
        operations=list(agreement.operations),
        programmes=list(agreement.programmes),
        scope=AgreementScope(
            regions=_listed(agreement.scope.regions), enrolled_in=_listed(agreement.scope.enrolled_in)
        ),
        subjects_per_request=agreement.subjects_per_request,
        pseudonym_sector=agreement.pseudonym_sector,
        reasons=agreement.reasons,
        on_source_failure=agreement.on_source_failure,
        fields={name: _field(book, name, str(how)) for name, how in agreement.fields.items()},
    )


def _field(book: AgreementBook, name: str, released_as: str) -> AgreementField:
    field = book.dictionary[name]
    return AgreementField(
        label=BothLanguages(id=field.label.id, en=field.label.en),
        type=field.type,
        words=list(field.words) or None,
        unit=field.unit,
        source=field.source,
        sensitivity=field.sensitivity,
        released_as=released_as,
    )


def _listed(codes: frozenset[str] | None) -> list[str] | None:
    return None if codes is None else sorted(codes)
