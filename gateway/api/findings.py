"""`/v1/findings`: what was found of a region's people, for the region itself, and what it answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.api.documentation import CONSUMER_ONLY
from gateway.api.exchanges import PROBLEMS, AgreementOut, BothLanguages, documented_body, parsed
from gateway.api.leaving import Leaving
from gateway.api.malformed import own_check
from gateway.oauth.bearer import BearerCheck
from gateway.oauth.consumers import Consumer
from gateway.reconciliation.findings import FindingAnswer, FindingState
from gateway.reconciliation.kinds import KINDS
from gateway.reconciliation.regional import PageQuestion, RegionalFindings, Report
from policies.agreement import FINDINGS

_PATH = "/v1/findings"
_MOST = 500
_NIK_DIGITS = 16
_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ./-]*$"


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        words = ", ".join(KINDS)
        raise own_check(f"salah satu dari {words}", f"one of {words}")
    return kind


def _no_nik(reference: str | None) -> str | None:
    """Sixteen digits are somebody's NIK, and references are kept."""
    if reference is not None and sum(letter.isdigit() for letter in reference) >= _NIK_DIGITS:
        raise own_check("nomor tanpa enam belas digit NIK", "a number without the sixteen digits of a NIK")
    return reference


Kind = Annotated[str, AfterValidator(_known_kind), Field(json_schema_extra={"enum": [*KINDS]})]
Reference = Annotated[
    str | None,
    Field(
        max_length=80,
        pattern=_PATTERN,
        description="The number of the letter or case.",
        examples=["460/112/2026"],
    ),
    AfterValidator(_no_nik),
]
_Purpose = Annotated[
    str, Field(min_length=1, max_length=64, description="A purpose of one of your agreements.")
]


class PersonOut(BaseModel):
    """Whom a finding is about, as your agreement releases it; null where the registry has no value."""

    pseudonym: str | None = None
    values: dict[str, Any]


class AnsweredFinding(BaseModel):
    """A finding as it stands. `evidence` holds verdicts and days, never what Dukcapil has on record."""

    id: UUID
    kind: str
    evidence: dict[str, str]
    region: str = Field(description="The regency that looks into it.", examples=["35.78"])
    state: FindingState
    since: datetime
    answer: FindingAnswer | None = None


class FindingOut(AnsweredFinding):
    """A finding with the person."""

    person: PersonOut


class FindingsAnswer(BaseModel):
    """A page of findings; `next` leads to the one behind it, where there may be one."""

    exchange_id: str
    as_of: datetime
    agreement: AgreementOut
    fields: dict[str, dict[str, str]]
    kinds: dict[str, BothLanguages]
    findings: list[FindingOut]
    next: UUID | None = None


class ReportedAnswer(BaseModel):
    """The finding with your answer."""

    exchange_id: str
    as_of: datetime
    agreement: AgreementOut
    finding: AnsweredFinding


class FindingReport(BaseModel):
    """What became of a finding. Words of a closed list: describe no person."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    purpose: _Purpose
    answer: FindingAnswer
    reference: Reference = None


_EXAMPLES = {
    "died": {
        "summary": "The person has died indeed (as dinsos-jatim)",
        "value": {"purpose": "findings-follow-up", "answer": "confirmed", "reference": "460/112/2026"},
    }
}


def findings_router(regional: RegionalFindings, leave: Leaving, bearer: BearerCheck) -> APIRouter:
    """The two routes by which a region works off its findings."""
    router = APIRouter(tags=["findings"])
    allowed = Depends(bearer.requiring(FINDINGS))

    @router.get(_PATH, response_model=FindingsAnswer, responses=PROBLEMS, openapi_extra=CONSUMER_ONLY)
    async def fetch_findings(
        request: Request,
        consumer: Annotated[Consumer, allowed],
        purpose: Annotated[str, Query(min_length=1, max_length=64, examples=["findings-follow-up"])],
        region: Annotated[
            str | None, Query(pattern=r"^\d{2}(\.\d{2})?$", description="One of your regions, such as 35.78.")
        ] = None,
        kind: Annotated[Kind | None, Query(description="Of these kinds only one.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
        after: Annotated[UUID | None, Query(description="`next` of the page before.")] = None,
    ) -> Response:
        """The findings of your region's people that are not closed, page by page.

        Fetching one tells us that you have it. Each person counts towards your agreement's limits.
        """
        asked = PageQuestion(purpose, region, kind, limit, after, request.url.query.encode())
        return await leave(
            request, consumer, FINDINGS, lambda book, note: regional.page(consumer, asked, book, note)
        )

    @router.post(
        _PATH + "/{finding_id}/answer",
        response_model=ReportedAnswer,
        responses=PROBLEMS,
        openapi_extra=documented_body(FindingReport, _EXAMPLES),
    )
    async def answer_finding(
        request: Request,
        consumer: Annotated[Consumer, allowed],
        finding_id: Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])],
    ) -> Response:
        """Say what became of a finding of your region. A later answer replaces an earlier one."""
        message = await request.body()
        form = parsed(FindingReport, message, request.headers.get("content-type", ""))
        said = Report(form.purpose, finding_id, form.answer, form.reference, message)
        return await leave(
            request, consumer, FINDINGS, lambda book, note: regional.report(consumer, said, book, note)
        )

    return router


WIRE_MODELS: tuple[type[BaseModel], ...] = (FindingReport,)
MEMBER_NAMES = frozenset({*FindingReport.model_fields, "finding_id", "region", "kind", "limit", "after"})
