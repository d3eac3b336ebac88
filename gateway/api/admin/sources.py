"""`/admin/v1/sources`: how each source stands, and testing one now."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.live import LivePolicies
from gateway.api.admin.documentation import staff_route
from gateway.api.exchanges import BothLanguages
from gateway.areas.editions import layers
from gateway.database import Database
from gateway.rights.access import both
from gateway.rights.wording import field_label
from gateway.sources.standing import Kind, SourceBoard, SourceStanding, Standing
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff

_PATH = "/admin/v1/sources"
_ONE = _PATH + "/{name}"
# Whether a source is down concerns everybody; asking it costs a call of its quota.
_READERS: tuple[Role, ...] = ROLES
_TESTERS: tuple[Role, ...] = ("operator",)
_Name = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,64}$", examples=["dukcapil"])]


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SeenOut(_Told):
    """A source over all serving processes that reported within a minute: the worst breaker of all of them.

    `last_cause` is of the last failure; `recovered` says that somebody was answered after it.
    """

    processes: int
    reachable: bool | None = Field(description="As the process knows that heard from the source last.")
    breaker: str = Field(examples=["closed"])
    latency_s: float | None = Field(description="Moving average over good answers, seconds.")
    last_success: datetime | None
    last_failure: datetime | None
    last_cause: str | None
    unavailable_since: datetime | None
    recovered: bool


class QuotaOut(_Told):
    """Calls of a source's day (Jakarta), counted over all processes."""

    day: date
    made: int
    left: int


class FieldOut(BaseModel):
    """A field that a source provides."""

    field: str
    label: BothLanguages


class SourceOut(BaseModel):
    """One source. `seen` is None where no process reported of it within a minute, or it is our own."""

    name: str
    kind: Kind
    standing: Standing
    simulated: bool = Field(description="Whether it is a double that knows invented people only.")
    fields: list[FieldOut]
    seen: SeenOut | None
    quota: QuotaOut | None
    programme: str | None = Field(description="Of a list: the programme.")
    list_as_of: date | None = Field(description="Of a list: the day that the last pull told of.")


class SourceList(BaseModel):
    """Every source: the gateway's own stores, outside sources, programmes' lists."""

    sources: list[SourceOut]


class ProcessOut(BaseModel):
    """What one serving process told of a source: its own breaker, its own causes, counts since it began."""

    process: str
    reported_at: datetime
    reachable: bool | None
    breaker: str
    next_probe_in_s: float
    latency_s: float | None
    last_success: datetime | None
    last_failure: datetime | None
    last_cause: str | None
    in_flight: int
    waiting: int
    questions: int
    attempts: int
    retries: int
    refused: int = Field(description="Questions that the breaker spared the source.")
    coalesced: int = Field(description="Callers who shared the answer to somebody else's question.")


class RememberedOut(BaseModel):
    """The days of the oldest and newest verdict that is remembered of a field."""

    field: str
    label: BothLanguages
    oldest: date
    newest: date


class LayerOut(BaseModel):
    """One level of an edition of the maps, as it was imported."""

    edition: str
    valid_from: date
    level: str
    source: str
    areas: int
    imported_at: datetime


class SourceDetail(SourceOut):
    """A source with what each process sees, what is remembered of it, and, of the maps, their editions."""

    processes: list[ProcessOut]
    remembered: list[RememberedOut]
    layers: list[LayerOut]


class TestedOut(_Told):
    """What asking the source just now came to, from the process that served this request."""

    answered: bool
    took_s: float
    cause: str | None


def source_router(
    board: SourceBoard, policies: LivePolicies, database: Database, check: StaffCheck
) -> APIRouter:
    """The routes about sources; awaited, because what a process knows of them belongs to its event loop."""
    router = APIRouter(tags=["sources"])
    reader = Depends(check.requiring(*_READERS))

    @staff_route(router, "GET", _PATH, _READERS)
    async def list_sources(_staff: Annotated[Staff, reader]) -> SourceList:
        """Every source and how it stands, over all serving processes."""
        return SourceList(sources=[SourceOut(**_out(one, policies)) for one in await board.all()])

    @staff_route(router, "GET", _ONE, _READERS, 404, 422)
    async def get_source(name: _Name, _staff: Annotated[Staff, reader]) -> SourceDetail:
        """One source: also what each process sees of it, and how old its remembered verdicts are."""
        one = await board.get(name)
        dictionary = policies.present.dictionary
        held = await asyncio.to_thread(_layers, database) if one.kind == "maps" else []
        return SourceDetail(
            **_out(one, policies),
            processes=[_process(report) for report in await board.reports(name)],
            remembered=[
                RememberedOut(
                    field=kept.field,
                    label=_label(kept.field, dictionary),
                    oldest=kept.oldest,
                    newest=kept.newest,
                )
                for kept in await board.verdicts(one)
            ],
            layers=held,
        )

    @staff_route(router, "POST", _ONE + "/test", _TESTERS, 404, 415, 422)
    async def test_source(
        name: _Name, staff: Annotated[Staff, Depends(check.requiring(*_TESTERS))]
    ) -> TestedOut:
        """Ask the source now, about nobody, and say whether it answers us. Costs one call of a quota.

        It is asked by the process that serves this request; an act of the log says so.
        """
        return TestedOut.model_validate(await board.try_now(staff, name))

    return router


def _out(one: SourceStanding, policies: LivePolicies) -> dict[str, Any]:
    dictionary = policies.present.dictionary
    fields = [FieldOut(field=name, label=_label(name, dictionary)) for name in sorted(one.provides)]
    return {
        "name": one.name,
        "kind": one.kind,
        "standing": one.standing,
        "simulated": one.simulated,
        "fields": fields,
        "seen": None if one.seen is None else SeenOut.model_validate(one.seen),
        "quota": None if one.quota is None else QuotaOut.model_validate(one.quota),
        "programme": one.programme,
        "list_as_of": one.list_as_of,
    }


def _process(report: Any) -> ProcessOut:
    apart = {"process": report.process, "reported_at": report.reported_at}
    seen = {name: getattr(report.state, name) for name in ProcessOut.model_fields if name not in apart}
    return ProcessOut(**apart, **seen)


def _layers(database: Database) -> list[LayerOut]:
    return [
        LayerOut(
            edition=one.edition.name,
            valid_from=one.edition.valid_from,
            level=one.level,
            source=one.source,
            areas=one.areas,
            imported_at=one.imported_at,
        )
        for one in layers(database)
    ]


def _label(name: str, dictionary: Mapping[str, Any]) -> BothLanguages:
    return BothLanguages(**both(field_label(name, dictionary)))
