"""`GET /v1/agreements`: what may I ask; `/v1/agreements/{id}`: the terms in full, and until when."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from gateway.agreements.live import LivePolicies
from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.exchanges import PROBLEMS, BothLanguages
from gateway.civil_day import civil_day
from gateway.errors import NotFound
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from policies.agreement import Agreement, AgreementBook, Standing
from policies.dictionary import Text


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


class TranslationTerms(BaseModel):
    """For whom, and for which purpose of theirs, your pseudonyms may be translated."""

    to_sector: str
    purpose: str


class SuspensionTerms(BaseModel):
    """Since when nothing is answered, and the letter or reason that was given."""

    since: datetime
    reference: str = Field(examples=["surat 12/PDK/2026"])


class DelayTerms(BaseModel):
    """How many days later people read of your questions about them, and which law lets them wait."""

    days: int
    legal_basis: str


class AgreementTerms(BaseModel):
    """One agreement as it binds both sides. `standing` is how it stands today (WIB)."""

    id: str
    version: int
    sha256: str
    title: BothLanguages
    purpose: str
    standing: Standing
    suspension: SuspensionTerms | None = Field(description="Of a suspended agreement; null otherwise.")
    legal_basis: list[str]
    documents: dict[str, str]
    valid_from: date
    valid_until: date
    operations: list[str]
    programmes: list[str]
    scope: AgreementScope
    subjects_per_request: int
    pseudonym_sector: str | None
    translation: TranslationTerms | None
    reasons: bool
    on_source_failure: str = Field(description="`partial` or `refuse`.")
    disclosure_delay: DelayTerms | None = Field(description="Null: people read of it at once.")
    fields: dict[str, AgreementField]


class AgreementLimits(BaseModel):
    """How much may be asked, by all credentials together. `GET /v1/usage` says how much is left."""

    requests_per_minute: int
    subjects_per_day: int = Field(description="Every person of every request; a day is a civil day (WIB).")
    new_people_per_day: int = Field(description="Of those, people not asked about within 30 days.")


class AgreementInFull(AgreementTerms):
    """One agreement with every clause, what expires when, and how it stands beside the others."""

    limits: AgreementLimits
    last_known_max_age_days: int | None = Field(
        description="How old an earlier answer may be that stands in for a source that is down."
    )
    begins_in_days: int = Field(description="Civil days (WIB) until `valid_from`; 0 once it has come.")
    days_left: int = Field(description="Civil days (WIB) after today on which it holds; 0 on its last day.")
    combination: BothLanguages = Field(description="How several agreements of one consumer combine.")
    by_purpose: dict[str, str] = Field(
        description="All your purposes, and the agreement that each one picks.",
        examples=[{"pbi-jk-eligibility": "bpjs-pbi-jk"}],
    )


class AgreementList(BaseModel):
    """Every agreement of the consumer that asks. Each purpose picks one of them; nothing is merged."""

    consumer: str
    jurisdiction: list[str] | None = Field(description="Kemendagri codes; null means the whole country.")
    agreements: list[AgreementTerms]


def agreement_router(policies: LivePolicies, bearer: BearerCheck, clock: Callable[[], datetime]) -> APIRouter:
    """The route by which a consumer reads its own terms, and nobody else's."""
    router = APIRouter(tags=["agreements"])

    @router.get(
        "/v1/agreements",
        responses={status: PROBLEMS[status] for status in (401, 403, 503)},
        openapi_extra=CONSUMER_ONLY,
    )
    async def agreements(
        request: Request, consumer: Annotated[Consumer, Depends(bearer.requiring(None))]
    ) -> AgreementList:
        """What you may ask, for which purpose, about whom, until when, and in which form it comes."""
        book = await policies.at(request.state.policy_epoch)
        today = civil_day(clock())
        return AgreementList(
            consumer=consumer.id,
            jurisdiction=list(consumer.regions) or None,
            agreements=[_terms(book, one, today) for one in book.agreements_of(consumer.id)],
        )

    @router.get(
        "/v1/agreements/{agreement_id}",
        responses={
            **{status: PROBLEMS[status] for status in (401, 403, 422, 503)},
            404: {**PROBLEMS[403], "description": "You have no such agreement; nobody else's is shown."},
        },
        openapi_extra=CONSUMER_ONLY,
    )
    async def agreement(
        agreement_id: Annotated[str, Path(min_length=1, max_length=80, examples=["bpjs-pbi-jk"])],
        request: Request,
        consumer: Annotated[Consumer, Depends(bearer.requiring(None))],
    ) -> AgreementInFull:
        """One of your agreements in full: every clause, the limits, what expires when."""
        book = await policies.at(request.state.policy_epoch)
        own = [one for one in book.agreements if (one.id, one.consumer) == (agreement_id, consumer.id)]
        if not own:
            raise NotFound(_NOT_YOURS)
        return terms_in_full(book, own[0], civil_day(clock()))

    return router


_NOT_YOURS = Text(
    "Anda tidak memiliki perjanjian itu: GET /v1/agreements menyebut milik Anda.",
    "You have no such agreement: GET /v1/agreements lists yours.",
)
# The one rule of combining, in `AgreementBook.of`: a purpose picks exactly one agreement of a consumer.
_COMBINATION = BothLanguages(
    id="Tujuan (purpose) memilih tepat satu perjanjian; isi beberapa perjanjian tidak pernah digabung.",
    en="The purpose picks exactly one agreement; nothing of several agreements is ever merged.",
)


def terms_in_full(book: AgreementBook, agreement: Agreement, today: date) -> AgreementInFull:
    """An agreement of the book as its consumer reads it on a day (civil date of Indonesia)."""
    limits = agreement.limits
    return AgreementInFull(
        **dict(_terms(book, agreement, today)),
        limits=AgreementLimits(
            requests_per_minute=limits.requests_per_minute,
            subjects_per_day=limits.subjects_per_day,
            new_people_per_day=limits.new_people_per_day,
        ),
        last_known_max_age_days=agreement.last_known_max_age_days,
        begins_in_days=max(0, (agreement.valid_from - today).days),
        days_left=max(0, (agreement.valid_until - today).days),
        combination=_COMBINATION,
        by_purpose={one.purpose: one.id for one in book.agreements_of(agreement.consumer)},
    )


def _terms(book: AgreementBook, agreement: Agreement, today: date) -> AgreementTerms:
    return AgreementTerms(
        id=agreement.id,
        version=agreement.version,
        sha256=agreement.sha256,
        title=BothLanguages(id=agreement.title.id, en=agreement.title.en),
        purpose=agreement.purpose,
        standing=agreement.standing(today),
        suspension=_suspension(agreement, today),
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
        translation=None
        if agreement.translation is None
        else TranslationTerms(**asdict(agreement.translation)),
        reasons=agreement.reasons,
        on_source_failure=agreement.on_source_failure,
        disclosure_delay=None
        if agreement.disclosure_delay is None
        else DelayTerms(**asdict(agreement.disclosure_delay)),
        fields={name: _field(book, name, str(how)) for name, how in agreement.fields.items()},
    )


def _suspension(agreement: Agreement, today: date) -> SuspensionTerms | None:
    known = agreement.suspension
    if known is None or agreement.standing(today) != "suspended":
        return None
    return SuspensionTerms(since=known.since, reference=known.reference)


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
