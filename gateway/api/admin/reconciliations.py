"""`/admin/v1/reconciliations`: runs submitted, watched, paused, resumed and cancelled."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.errors import BadInput
from gateway.reconciliation.opening import Reconciling
from gateway.reconciliation.runs import Order, Run, RunState
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff

_PATH = "/admin/v1/reconciliations"
_ONE = _PATH + "/{run_id}"
_ACTORS: tuple[Role, ...] = ("operator",)
_READERS: tuple[Role, ...] = ("operator", "auditor")

_Id = Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])]
_Reason = Annotated[
    str, Field(min_length=1, max_length=500, description="Why, for the audit log. Names no person.")
]
_Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{8,64}$",
        description="The same key again gives the run that it made.",
        examples=["7f0c2a34-submission"],
    ),
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewReconciliation(_Form):
    """What is to be compared. An extract lies in the folder `extracts` of the gateway's home."""

    way: Literal["extract", "live"]
    extract: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            description="The name of a file or folder there.",
            examples=["dukcapil-2026-11.parquet"],
        ),
    ] = None
    region: Annotated[
        str | None,
        Field(pattern=r"^\d{2}(\.\d{2}(\.\d{2}(\.\d{4})?)?)?$", examples=["35.78"]),
    ] = None
    engine: Literal["duckdb", "spark"] = "duckdb"


class ReasonForRun(_Form):
    """Why something is done with a run."""

    reason: _Reason


class ReconciliationOut(BaseModel):
    """A run as it stands. Counts are of people; `seconds_left` is what the rate so far makes of the rest."""

    id: UUID
    way: str
    region: str | None
    engine: str
    state: RunState
    submitted_at: datetime
    submitted_by: str
    started_at: datetime | None
    finished_at: datetime | None
    waits_until: datetime | None
    as_of: date | None
    people: int | None
    checked: int
    changed: int
    statuses: dict[str, int]
    findings_opened: int
    findings_closed: int
    rate_per_s: float | None
    seconds_left: float | None
    failure: str | None
    problems: list[dict[str, Any]]


class ReconciliationReport(ReconciliationOut):
    """A run with its report: figures by status and region, beside the run before. Empty until it is over."""

    report: dict[str, Any] | None


class ReconciliationList(BaseModel):
    """The newest runs, newest first."""

    reconciliations: list[ReconciliationOut]


MEMBER_NAMES = frozenset({*NewReconciliation.model_fields, "reason", "run_id", "idempotency-key"})


def reconciliation_router(
    reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes for runs. They block, in FastAPI's threads."""
    router = APIRouter(tags=["reconciliations"])
    _reading_routes(router, reconciling, check, clock)
    _acting_routes(router, reconciling, check, clock)
    return router


def _documented(roles: tuple[Role, ...], *statuses: int) -> dict[str, Any]:
    return {
        "responses": problems(401, 403, *statuses),
        "openapi_extra": STAFF_ONLY,
        "description": needs(roles),
    }


def _reading_routes(
    router: APIRouter, reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    reader = Depends(check.requiring(*_READERS))

    @router.get(_PATH, **_documented(_READERS))
    def list_reconciliations(_staff: Annotated[Staff, reader]) -> ReconciliationList:
        """The newest runs with their progress."""
        now = clock()
        return ReconciliationList(
            reconciliations=[ReconciliationOut(**_out(run, now)) for run in reconciling.runs.newest()]
        )

    @router.get(_ONE, **_documented(_READERS, 404, 422))
    def get_reconciliation(run_id: _Id, _staff: Annotated[Staff, reader]) -> ReconciliationReport:
        """One run with its progress, and its report when it is completed."""
        return _report(reconciling.runs.get(run_id), clock())


def _acting_routes(
    router: APIRouter, reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    operator = Depends(check.requiring(*_ACTORS))

    @router.post(_PATH, status_code=201, **_documented(_ACTORS, 400, 409, 415, 422))
    def submit_reconciliation(
        form: NewReconciliation, key: _Key, staff: Annotated[Staff, operator]
    ) -> ReconciliationReport:
        """Submit a run; a worker begins with it within moments."""
        extract = reconciling.extract_path(form.extract) if form.extract is not None else None
        if form.way == "extract" and extract is None:
            raise BadInput("extract: expected the name of a file or folder in the folder `extracts`.")
        order = Order(form.way, extract, form.region, form.engine)
        run = reconciling.runs.submit(staff, order, f"{staff.id} {key}")
        reconciling.supervision.tend()
        return _report(run, clock())

    @router.post(_ONE + "/pause", **_documented(_ACTORS, 400, 404, 409, 415, 422))
    def pause_reconciliation(
        run_id: _Id, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationReport:
        """Have a run stop after the chunk under way."""
        return _report(reconciling.runs.pause(staff, run_id, form.reason), clock())

    @router.post(_ONE + "/resume", **_documented(_ACTORS, 400, 404, 409, 415, 422))
    def resume_reconciliation(
        run_id: _Id, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationReport:
        """Have a paused or failed run go on where it stopped."""
        run = reconciling.runs.resume(staff, run_id, form.reason)
        reconciling.supervision.tend()
        return _report(run, clock())

    @router.post(_ONE + "/cancel", **_documented(_ACTORS, 400, 404, 409, 415, 422))
    def cancel_reconciliation(
        run_id: _Id, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationReport:
        """End a run for good; what it stored stays."""
        return _report(reconciling.runs.cancel(staff, run_id, form.reason), clock())


# What is called the same in a run and in what is told of it.
_SAME = (
    *("id", "state", "submitted_at", "submitted_by", "started_at", "finished_at", "waits_until"),
    *("as_of", "people", "checked", "changed", "failure"),
)


def _report(run: Run, now: datetime) -> ReconciliationReport:
    return ReconciliationReport(**_out(run, now), report=dict(run.report) if run.report else None)


def _out(run: Run, now: datetime) -> dict[str, Any]:
    progress = run.progress(now)
    return {
        **{name: getattr(run, name) for name in _SAME},
        "way": run.order.way,
        "region": run.order.region,
        "engine": run.order.engine,
        "statuses": dict(run.counts),
        "findings_opened": run.opened,
        "findings_closed": run.closed,
        "rate_per_s": progress.rate_per_s,
        "seconds_left": progress.seconds_left,
        "problems": [dict(problem) for problem in run.problems],
    }
