"""`/admin/v1/reconciliations`: runs submitted, watched, paused, resumed, cancelled, and what came of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from gateway.api.admin.documentation import staff_route
from gateway.api.admin.reconciliation_forms import (
    ExtractList,
    ExtractOut,
    NewReconciliation,
    ReasonForRun,
    ReconciliationList,
    ReconciliationOut,
    RegionsOut,
    ReportOut,
    RunId,
    SubmissionKey,
    labels,
)
from gateway.errors import BadInput, NotFound
from gateway.reconciliation.alone import somebody_works
from gateway.reconciliation.opening import Reconciling
from gateway.reconciliation.runs import Order, Run
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff
from policies.dictionary import Text

_PATH = "/admin/v1/reconciliations"
_ONE = _PATH + "/{run_id}"
_ACTORS: tuple[Role, ...] = ("operator",)
_READERS: tuple[Role, ...] = ("operator", "auditor")
_MOST = 200
MEMBER_NAMES = frozenset(
    {*NewReconciliation.model_fields, "reason", "run_id", "idempotency-key", "after", "limit"}
)


def reconciliation_router(
    reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> APIRouter:
    """The routes for runs. They block, in FastAPI's threads."""
    router = APIRouter(tags=["reconciliations"])
    _reading_routes(router, reconciling, check, clock)
    _outcome_routes(router, reconciling, check)
    _acting_routes(router, reconciling, check, clock)
    return router


def _reading_routes(
    router: APIRouter, reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    reader = Depends(check.requiring(*_READERS))

    @staff_route(router, "GET", _PATH, _READERS, 404, 422)
    def list_reconciliations(
        _staff: Annotated[Staff, reader],
        after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> ReconciliationList:
        """The runs with their progress, newest first, page by page."""
        runs, now = reconciling.runs.newest(limit, after), clock()
        worked_on = somebody_works(reconciling.database)
        return ReconciliationList(
            reconciliations=[ReconciliationOut.of(run, now, worked_on=worked_on) for run in runs],
            total=reconciling.runs.total(),
            next=runs[-1].id if len(runs) == limit else None,
        )

    @staff_route(router, "GET", _PATH + "/extracts", _READERS)
    def list_extracts(_staff: Annotated[Staff, reader]) -> ExtractList:
        """The files and folders with which a run can be submitted.

        Somebody with access to the machine puts them into the folder `extracts` of the gateway's home
        (`GAPURA_HOME`); their names are letters, digits, dots, dashes and underscores.
        """
        found = reconciling.extracts.all()
        return ExtractList(extracts=[ExtractOut.model_validate(one, from_attributes=True) for one in found])

    @staff_route(router, "GET", _ONE, _READERS, 404, 422)
    def get_reconciliation(run_id: RunId, _staff: Annotated[Staff, reader]) -> ReconciliationOut:
        """One run: its state, how far and how fast it is, and what it has counted so far."""
        return _out(reconciling, reconciling.runs.get(run_id), clock())


def _outcome_routes(router: APIRouter, reconciling: Reconciling, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*_READERS))

    @staff_route(router, "GET", _ONE + "/regions", _READERS, 404, 422)
    def get_reconciliation_by_region(run_id: RunId, _staff: Annotated[Staff, reader]) -> RegionsOut:
        """People by status and the match rate of every regency and city, beside the run before.

        Of a run under way, as far as it is. `code` joins with any map of Kemendagri's codes.
        """
        return RegionsOut.of(reconciling.runs.regions(run_id))

    @staff_route(router, "GET", _ONE + "/report", _READERS, 404, 422)
    def get_reconciliation_report(run_id: RunId, _staff: Annotated[Staff, reader]) -> ReportOut:
        """What a completed run came to: statuses beside the run before, findings, regions, data quality.

        404 as long as the run is not completed.
        """
        run = reconciling.runs.get(run_id)
        if run.report is None:
            raise NotFound(f"There is no report yet: the reconciliation is {run.state}.")
        return ReportOut.model_validate({**run.report, "labels": labels()})


def _acting_routes(
    router: APIRouter, reconciling: Reconciling, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    operator = Depends(check.requiring(*_ACTORS))
    refusals = (400, 404, 409, 415, 422)

    @staff_route(router, "POST", _PATH, _ACTORS, *refusals, status_code=201)
    def submit_reconciliation(
        form: NewReconciliation, staff: Annotated[Staff, operator], key: SubmissionKey = None
    ) -> ReconciliationOut:
        """Submit a run: with an extract, or by asking Dukcapil itself (`live`). A worker begins at once.

        One run at a time: 409 while another is under way or paused.
        """
        if key is None:
            raise BadInput(
                Text(
                    "Idempotency-Key: diharapkan kunci untuk perintah ini, dalam tanda petik.",
                    "Idempotency-Key: expected a key for this order, in quotes.",
                ),
                code="idempotency_key_missing",
            )
        extract = reconciling.extracts.path_of(form.extract) if form.extract is not None else None
        if form.way == "extract" and extract is None:
            raise BadInput("extract: expected the name of a file or folder in the folder `extracts`.")
        order = Order(form.way, extract, form.region, form.engine)
        run = reconciling.runs.submit(staff, order, f"{staff.id} {key}")
        reconciling.supervision.tend()
        return _out(reconciling, run, clock())

    @staff_route(router, "POST", _ONE + "/pause", _ACTORS, *refusals)
    def pause_reconciliation(
        run_id: RunId, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationOut:
        """Have a run stop after the chunk under way; `resume` takes it up again there."""
        return _out(reconciling, reconciling.runs.pause(staff, run_id, form.reason), clock())

    @staff_route(router, "POST", _ONE + "/resume", _ACTORS, *refusals)
    def resume_reconciliation(
        run_id: RunId, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationOut:
        """Have a paused or failed run go on where it stopped; nothing is done twice."""
        run = reconciling.runs.resume(staff, run_id, form.reason)
        reconciling.supervision.tend()
        return _out(reconciling, run, clock())

    @staff_route(router, "POST", _ONE + "/cancel", _ACTORS, *refusals)
    def cancel_reconciliation(
        run_id: RunId, form: ReasonForRun, staff: Annotated[Staff, operator]
    ) -> ReconciliationOut:
        """End a run for good; what it stored stays, with its history."""
        return _out(reconciling, reconciling.runs.cancel(staff, run_id, form.reason), clock())


def _out(reconciling: Reconciling, run: Run, now: datetime) -> ReconciliationOut:
    return ReconciliationOut.of(run, now, worked_on=somebody_works(reconciling.database))
