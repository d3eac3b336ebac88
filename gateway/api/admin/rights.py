"""`/admin/v1/rights`: what auditors do for a person, and in an incident. A person is named in bodies only."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.agreements.live import LivePolicies
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.rights import HistoryPage
from gateway.database import Database
from gateway.errors import NotFound
from gateway.replica import Reports
from gateway.rights.access import told
from gateway.rights.desk import RightsDesk, Whom
from gateway.rights.exposure import Exposure
from gateway.rights.history import consumer_names
from gateway.rights.incidents import Incident, Incidents, Told
from gateway.rights.notices import Account, notice_to_authority, notice_to_people
from gateway.rights.opening import Rights
from gateway.rights.pages import copy_as_html, copy_as_json, record_as_html
from gateway.rights.processing import Span, record_of_processing
from gateway.rights.usage_report import as_csv, usage_report
from gateway.rights.wording import HEAD_FOR_STAFF
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Staff
from policies.dictionary import Text

_Format = Annotated[Literal["json", "html"], Query(description="JSON, or one printable page.")]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log. Names no person of the registry.",
        examples=["Permohonan subjek data 31/PDP/2026"],
    ),
]
_IncidentId = Annotated[UUID, Path(description="As `POST /admin/v1/rights/incidents` gave it.")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PersonForm(_Form):
    """Whom a request is about, by exactly one of `nik` and `person_id`, and why it is served."""

    nik: Annotated[str | None, Field(max_length=64, description="16 digits, as text.")] = None
    person_id: Annotated[UUID | None, Field(description="As an access history tells it.")] = None
    reason: _Reason


class HistoryForm(PersonForm):
    """Whose history; `before` leads to the older page."""

    before: UUID | None = None


class IncidentForm(_Form):
    """What one consumer received from `first` on and before `last`; the clock runs from `known_at`."""

    consumer_id: Annotated[str, Field(min_length=1, max_length=64, examples=["bpjs-kesehatan"])]
    first: AwareDatetime
    last: AwareDatetime
    known_at: AwareDatetime
    reason: _Reason


class ReasonForm(_Form):
    """Why something is done."""

    reason: _Reason


class NoticeForm(_Form):
    """What only people can say. What is left out stands in the notice as a gap."""

    how: Annotated[str | None, Field(max_length=4000)] = None
    handling: Annotated[str | None, Field(max_length=4000)] = None
    contact: Annotated[str | None, Field(max_length=500)] = None


class StaffHistory(HistoryPage):
    """A page of a history, and whom the registry knows under the identifier: several share some NIKs."""

    people: list[UUID]
    as_of: datetime = Field(description="Every access that was committed at this moment is in the history.")


class IncidentOut(BaseModel):
    """An incident and its clock: `tell_by` is three times 24 hours after `known_at`."""

    id: UUID
    consumer_id: str
    first: datetime
    last: datetime
    known_at: datetime
    tell_by: datetime
    reason: str
    opened_by: str
    people_told_at: datetime | None
    authority_told_at: datetime | None


class IncidentReport(IncidentOut):
    """What the consumer received, as the log says: how many people, and how many with which field."""

    exchanges: int
    people: int
    fields: dict[str, int]
    forms: dict[str, dict[str, int]] = Field(
        description="Of each field, how many people by the form in which it was told, as agreements spell it."
    )
    decisions: dict[str, int]
    erased: int = Field(description="Exchanges whose entries were erased under an order: not counted.")


class IncidentList(BaseModel):
    """Every incident, the newest first."""

    incidents: list[IncidentOut]


class IncidentPeople(BaseModel):
    """Whom an incident concerns, as far as the registry still has them."""

    people: list[UUID]
    unresolved: int


class Notices(BaseModel):
    """The notices of UU 27/2022 art. 46, in Indonesian."""

    to_people: str
    to_authority: str


def rights_admin_router(
    rights: Rights,
    policies: LivePolicies,
    database: Database,
    reports: Reports,
    check: StaffCheck,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The routes for auditors. Those about a person are awaited; the others block, in FastAPI's threads."""
    router = APIRouter(prefix="/admin/v1/rights", tags=["rights"])
    auditor = Depends(check.requiring("auditor"))
    _person_routes(router, rights.desk, policies, auditor)
    _incident_routes(router, rights.incidents, auditor)
    _incident_documents(router, rights.incidents, policies, database, auditor)
    _report_routes(router, policies, database, reports, auditor, clock)
    return router


def _documented(*statuses: int, what: str = "", also: str | None = None) -> dict[str, Any]:
    """`also`: a content type of the answer beside JSON."""
    responses = problems(401, 403, *statuses)
    if also is not None:
        responses[200] = {"content": {also: {"schema": {"type": "string"}}}}
    return {
        "responses": responses,
        "openapi_extra": STAFF_ONLY,
        "description": f"{what} {needs(['auditor'])}".strip(),
    }


def _person_routes(router: APIRouter, desk: RightsDesk, policies: LivePolicies, auditor: Any) -> None:
    @router.post(
        "/access-history",
        response_model=StaffHistory,
        **_documented(400, 404, 415, 422, what="Who looked at a person. Itself an entry of that history."),
    )
    async def access_history(form: HistoryForm, staff: Annotated[Staff, auditor]) -> Any:
        whom = Whom(form.nik, form.person_id)
        people, page = await desk.history(staff, whom, form.reason, before=form.before)
        said = told(page, policies.present.dictionary, head=HEAD_FOR_STAFF)
        return {"people": people, "as_of": page.as_of, **said}

    @router.post(
        "/copy",
        response_model=dict[str, Any],
        **_documented(
            400, 409, 415, 422, what="Everything held of a person, and who received what.", also="text/html"
        ),
    )
    async def copy(form: PersonForm, staff: Annotated[Staff, auditor], output: _Format = "json") -> Any:
        made = await desk.copy(staff, Whom(form.nik, form.person_id), form.reason)
        dictionary = policies.present.dictionary
        if output == "html":
            return Response(copy_as_html(made, dictionary), media_type="text/html")
        return copy_as_json(made, dictionary)


def _incident_routes(router: APIRouter, incidents: Incidents, auditor: Any) -> None:
    @router.get("/incidents", **_documented(what="Every incident with its clock."))
    def list_incidents(_staff: Annotated[Staff, auditor]) -> IncidentList:
        return IncidentList(incidents=[_incident(one) for one in incidents.list()])

    @router.post(
        "/incidents", status_code=201, **_documented(400, 415, 422, what="Begin an incident and its clock.")
    )
    def open_incident(form: IncidentForm, staff: Annotated[Staff, auditor]) -> IncidentReport:
        opened = incidents.open(
            staff,
            consumer_id=form.consumer_id,
            first=form.first,
            last=form.last,
            known_at=form.known_at,
            reason=form.reason,
        )
        return _report(opened, incidents.exposure(opened))

    @router.get("/incidents/{incident_id}", **_documented(404, 422, what="What an incident comes to."))
    def get_incident(incident_id: _IncidentId, _staff: Annotated[Staff, auditor]) -> IncidentReport:
        incident = incidents.get(incident_id)
        return _report(incident, incidents.exposure(incident))

    @router.post(
        "/incidents/{incident_id}/people",
        **_documented(400, 404, 415, 422, what="Whom it concerns: a second step, on record by itself."),
    )
    def resolve_people(
        incident_id: _IncidentId, form: ReasonForm, staff: Annotated[Staff, auditor]
    ) -> IncidentPeople:
        exposed, found = incidents.resolve(staff, incidents.get(incident_id), form.reason)
        people = list(found)
        return IncidentPeople(people=people, unresolved=exposed - len(people))

    @router.post(
        "/incidents/{incident_id}/told/{whom}",
        **_documented(400, 404, 409, 415, 422, what="Note that the people or the authority were told."),
    )
    def note_told(
        incident_id: _IncidentId, whom: Told, form: ReasonForm, staff: Annotated[Staff, auditor]
    ) -> IncidentOut:
        return _incident(incidents.told(staff, incidents.get(incident_id), whom, form.reason))


def _incident_documents(
    router: APIRouter, incidents: Incidents, policies: LivePolicies, database: Database, auditor: Any
) -> None:
    @router.post(
        "/incidents/{incident_id}/notices",
        **_documented(404, 415, 422, what="The notices of UU 27/2022 art. 46, with the facts filled in."),
    )
    def notices(incident_id: _IncidentId, form: NoticeForm, _staff: Annotated[Staff, auditor]) -> Notices:
        incident = incidents.get(incident_id)
        consumer = consumer_names(database).get(incident.consumer_id, incident.consumer_id)
        account = Account(form.how, form.handling, form.contact)
        facts = (incident, incidents.exposure(incident), consumer, policies.present.dictionary, account)
        return Notices(to_people=notice_to_people(*facts), to_authority=notice_to_authority(*facts))


def _report_routes(
    router: APIRouter,
    policies: LivePolicies,
    database: Database,
    reports: Reports,
    auditor: Any,
    clock: Callable[[], datetime],
) -> None:
    @router.get(
        "/processing/{agreement_id}",
        response_model=dict[str, Any],
        **_documented(
            *(400, 404, 422),
            what="The record of processing (UU 27/2022 art. 31) of an agreement.",
            also="text/html",
        ),
    )
    def processing(
        agreement_id: Annotated[str, Path(min_length=1, max_length=64)],
        first: date,
        last: date,
        _staff: Annotated[Staff, auditor],
        output: _Format = "json",
    ) -> Any:
        book = policies.present
        agreement = next((one for one in book.agreements if one.id == agreement_id), None)
        if agreement is None:
            raise NotFound(Text("Tidak ada perjanjian dengan id ini.", "There is no agreement of this id."))
        name = consumer_names(database).get(agreement.consumer, agreement.consumer)
        record = record_of_processing(database, agreement, book.dictionary, name, Span(first, last), clock())
        return Response(record_as_html(record), media_type="text/html") if output == "html" else record

    @router.get(
        "/usage/{semester}",
        response_model=dict[str, Any],
        **_documented(
            *(400, 422),
            what="The usage report that Dukcapil gets each semester, such as 2026-S2.",
            also="text/csv",
        ),
    )
    def usage(
        semester: Annotated[str, Path(max_length=16)],
        _staff: Annotated[Staff, auditor],
        output: Annotated[Literal["json", "csv"], Query()] = "json",
    ) -> Any:
        told = reports(lambda read: usage_report(read, semester))
        report = {**told.value, "as_of": told.as_of.isoformat(timespec="seconds")}
        return Response(as_csv(report), media_type="text/csv") if output == "csv" else report


def _incident(incident: Incident) -> IncidentOut:
    return IncidentOut(**_head(incident))


def _report(incident: Incident, exposure: Exposure) -> IncidentReport:
    return IncidentReport(
        **_head(incident),
        exchanges=exposure.exchanges,
        people=exposure.people_count,
        fields=dict(exposure.fields),
        forms={name: dict(counts) for name, counts in exposure.forms.items()},
        decisions=dict(exposure.decisions),
        erased=exposure.erased,
    )


def _head(incident: Incident) -> Mapping[str, Any]:
    return {name: getattr(incident, name) for name in IncidentOut.model_fields}
