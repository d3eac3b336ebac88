"""`/admin/v1/findings`: what the regencies have to look into, and how far they are, as staff see it.

Lists hold ids, words and days. The one exception is a regency's work list, which is handed to somebody who is
signed in, for that regency alone, and is on record before.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from gateway.api.admin.documentation import staff_route
from gateway.api.admin.reconciliation_forms import Form, Reason
from gateway.api.exchanges import BothLanguages
from gateway.api.findings import Kind, Reference
from gateway.reconciliation.exporting import export_regency, table_schema
from gateway.reconciliation.finding_history import status_changes, steps_of
from gateway.reconciliation.findings import Finding, FindingAnswer, FindingState, Which
from gateway.reconciliation.kinds import KINDS
from gateway.reconciliation.opening import Reconciling
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff

_PATH = "/admin/v1/findings"
_ONE = _PATH + "/{finding_id}"
_ACTORS: tuple[Role, ...] = ("operator",)
_READERS: tuple[Role, ...] = ("operator", "auditor")
_MOST = 200
_Id = Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])]
_Region = Annotated[
    str | None,
    Query(
        pattern=r"^(\d{2}(\.\d{2})?|-)$",
        description="A province or a regency; `-` for those without one.",
        examples=["35.78"],
    ),
]


class FindingForStaff(BaseModel):
    """A finding as it stands: of whom by id, what in words. `evidence` holds verdicts and days.

    Found since `opened_at` by the run `opened_run`, last by `last_run`; `state_at` is since when its state.
    """

    id: UUID
    person_id: UUID
    kind: str = Field(examples=["deceased"])
    evidence: dict[str, str] = Field(examples=[{"since": "2026-03-04"}])
    region: str = Field(description="The regency that looks into it.", examples=["35.78"])
    state: FindingState
    opened_at: datetime
    state_at: datetime
    answer: FindingAnswer | None
    answer_reference: str | None = Field(examples=["460/112/2026"])
    answered_by: str | None = Field(
        description="The region's consumer, or who wrote it down.", examples=["dinsos-jatim"]
    )
    opened_run: UUID
    last_run: UUID
    closed_run: UUID | None


class FindingPage(BaseModel):
    """A page of findings; `next` is the `after` of the following page, null on the last."""

    findings: list[FindingForStaff]
    total: int = Field(description="Of all pages; 10001 stands for more than 10000.", examples=[288])
    next: UUID | None
    kinds: dict[str, BothLanguages] = Field(description="Every kind in words.")


class StepOut(BaseModel):
    """A step: since when which state, by whom or by which run.

    When a finding was sent is known as long as it stands so.
    """

    at: datetime
    state: FindingState
    by: str | None
    run_id: UUID | None
    answer: FindingAnswer | None
    reason: str | None


class StatusChangeOut(BaseModel):
    """What a run made of the person's status; `before` is null where there was none."""

    run_id: UUID
    at: datetime | None
    as_of: date
    before: str | None
    after: str


class FindingWithHistory(FindingForStaff):
    """A finding with what became of it, and of the person's status, the oldest first."""

    history: list[StepOut]
    statuses: list[StatusChangeOut]


class RegencyCounts(BaseModel):
    """How many findings a regency has, by state."""

    region: str = Field(examples=["35.78"])
    open: int = 0
    sent: int = 0
    answered: int = 0
    closed: int = 0


class FindingCounts(BaseModel):
    """The findings of every regency by state, and of all of them together."""

    regions: list[RegencyCounts]
    total: int


class StaffAnswer(Form):
    """What a regency said of a finding, by letter or by telephone."""

    answer: FindingAnswer
    reference: Reference = None
    reason: Reason


class ReasonToClose(Form):
    """Why a finding is ended."""

    reason: Reason


class WorkListOrder(Form):
    """Whose work list, and why it leaves the gateway."""

    region: Annotated[str, Field(pattern=r"^\d{2}\.\d{2}$", description="A regency.", examples=["35.78"])]
    reason: Reason


class WorkListResponse(Response):
    """A work list as it leaves: it holds NIK, names and addresses."""

    media_type = "text/csv"


MEMBER_NAMES = frozenset(
    {
        *StaffAnswer.model_fields,
        *WorkListOrder.model_fields,
        *("finding_id", "region", "kind", "state", "run", "person_id", "after", "limit"),
    }
)


def finding_router(reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]) -> APIRouter:
    """The routes by which staff follow findings up. They block, in FastAPI's threads."""
    router = APIRouter(tags=["findings"])
    _list_routes(router, reconciling, check)
    _work_list_routes(router, reconciling, check, clock)
    _one_routes(router, reconciling, check)
    return router


def _list_routes(router: APIRouter, reconciling: Reconciling, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*_READERS))
    findings = reconciling.findings

    @staff_route(router, "GET", _PATH, _READERS, 422)
    def list_findings(
        _staff: Annotated[Staff, reader],
        region: _Region = None,
        kind: Annotated[Kind | None, Query(description="Of this kind only.")] = None,
        state: Annotated[
            list[FindingState] | None, Query(description="May be repeated. Without it: all but closed.")
        ] = None,
        run: Annotated[
            UUID | None, Query(description="Those that this run opened, found again or closed.")
        ] = None,
        person_id: Annotated[UUID | None, Query(description="Those of one person.")] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> FindingPage:
        """The findings, in the order of their ids, page by page. Looking at them sends nothing."""
        regions = None if region is None else frozenset({region})
        which = Which(regions, tuple(state or ()), kind, run, person_id)
        found = findings.page(which, limit, after)
        return FindingPage(
            findings=[_out(one) for one in found],
            total=findings.total(which),
            next=found[-1].id if len(found) == limit else None,
            kinds={kind: BothLanguages(id=words.id, en=words.en) for kind, words in KINDS.items()},
        )

    @staff_route(router, "GET", _PATH + "/counts", _READERS, 422)
    def count_findings(_staff: Annotated[Staff, reader], region: _Region = None) -> FindingCounts:
        """How many findings each regency has, by state: who still has what to do."""
        counted = [RegencyCounts(region=code, **of) for code, of in findings.counts(region).items()]
        total = sum(one.open + one.sent + one.answered + one.closed for one in counted)
        return FindingCounts(regions=counted, total=total)


def _work_list_routes(
    router: APIRouter, reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    @staff_route(
        *(router, "POST", _PATH + "/export", _ACTORS, 400, 415, 422),
        in_person=True,
        response_class=WorkListResponse,
    )
    def export_findings(
        form: WorkListOrder, staff: Annotated[Staff, Depends(check.in_person_as(*_ACTORS))]
    ) -> WorkListResponse:
        """A regency's work list as CSV, of the people who live there now: for that regency alone.

        Its open findings count as sent from then on. Who exported it, and why, is in the audit log.
        """
        made = export_regency(reconciling.database, staff, form.region, form.reason, clock())
        named = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
        return WorkListResponse(made.csv.encode(), headers=named)

    @staff_route(router, "GET", _PATH + "/export/schema", _READERS)
    def get_work_list_schema(
        _staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
    ) -> dict[str, object]:
        """What the columns of a work list are, as a Frictionless Table Schema; identifiers are texts."""
        return table_schema()


def _one_routes(router: APIRouter, reconciling: Reconciling, check: StaffCheck) -> None:
    operator = Depends(check.requiring(*_ACTORS))
    findings, database = reconciling.findings, reconciling.database

    @staff_route(router, "GET", _ONE, _READERS, 404, 422)
    def get_finding(
        finding_id: _Id, _staff: Annotated[Staff, Depends(check.requiring(*_READERS))]
    ) -> FindingWithHistory:
        """One finding with its history: when it was found, sent, answered and closed, and by whom."""
        found = findings.get(finding_id)
        steps = [StepOut.model_validate(one, from_attributes=True) for one in steps_of(database, found)]
        changes = status_changes(database, found.person_id)
        statuses = [StatusChangeOut.model_validate(one, from_attributes=True) for one in changes]
        return FindingWithHistory(**dict(_out(found)), history=steps, statuses=statuses)

    @staff_route(router, "POST", _ONE + "/answer", _ACTORS, 404, 409, 415, 422)
    def answer_finding_for_region(
        finding_id: _Id, form: StaffAnswer, staff: Annotated[Staff, operator]
    ) -> FindingForStaff:
        """Write down what a regency said of a finding; a later answer replaces an earlier one.

        A region that calls the API itself answers at `POST /v1/findings/{finding_id}/answer`.
        """
        return _out(findings.answer(staff.actor, finding_id, form.answer, form.reference, form.reason))

    @staff_route(router, "POST", _ONE + "/close", _ACTORS, 404, 409, 415, 422)
    def close_finding(
        finding_id: _Id, form: ReasonToClose, staff: Annotated[Staff, operator]
    ) -> FindingForStaff:
        """End a finding. A run that finds the same again opens a new one."""
        return _out(findings.close(staff, finding_id, form.reason))


def _out(finding: Finding) -> FindingForStaff:
    return FindingForStaff.model_validate(finding, from_attributes=True)
