"""`/admin/v1/log`: how the log stands, its checkpoints and witnesses, checks of it, references in short."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import staff_route
from gateway.audit.checks import Check, LogChecks, State
from gateway.audit.listing import Listed
from gateway.audit.overview import overview
from gateway.audit.publication import standalone_verifier
from gateway.audit.reading import beginning_with
from gateway.audit.transparency import TransparentLog
from gateway.database import Database
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff

_PATH = "/admin/v1/log"
READERS: tuple[Role, ...] = ("auditor", "operator")
# As many as anybody would choose from: of eight digits two are rarely the same.
_MOST_REFERENCES = 20
_Digits = Annotated[str, Path(pattern="^[0-9a-f]{8,32}$", examples=["6f1e0f0e"])]
_Kind = Annotated[Listed, Query(description="Whether exchanges are looked for, or acts of staff.")]


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CosignatureOut(_Told):
    """That a witness cosigned, and when its cosignature came."""

    witness: str
    at: datetime


class HeadOut(_Told):
    """A signed checkpoint and its cosignatures."""

    size: int
    at: datetime
    root: str
    cosignatures: list[CosignatureOut]


class WitnessOut(_Told):
    """A witness, its key, and the last checkpoint that it cosigned."""

    name: str
    key: str
    added_at: datetime
    size: int | None
    at: datetime | None
    withdrawn_at: datetime | None = Field(description="Since when nothing of it is accepted any more.")


class LogKeyOut(_Told):
    """A key that signs, or signed, the log's checkpoints."""

    version: int
    public: str
    since: datetime
    until: datetime | None


class CheckOut(BaseModel):
    """A check of the whole log. `finding` is the first thing wrong with it."""

    id: UUID
    state: State
    asked_by: str
    begun_at: datetime
    ended_at: datetime | None
    done: int = Field(description="Entries checked so far.")
    total: int = Field(description="Entries to check; 0 until they are counted.")
    checkpoints: int | None = Field(description="Signed checkpoints that the entries agree with.")
    erased: int | None = Field(description="Entries erased under an order that the log holds.")
    finding: str | None

    @classmethod
    def of(cls, check: Check, now: datetime) -> "CheckOut":
        """A check as it stands at a moment."""
        told = {name: getattr(check, name) for name in cls.model_fields if name != "state"}
        return cls(**told, state=check.state(now))


class LogOut(BaseModel):
    """The log as it stands. `heads` and `checks` are the newest, newest first."""

    origin: str = Field(description="The log's name.")
    entries: int
    waiting: int = Field(description="Entries that get their place within a second.")
    heads: list[HeadOut]
    witnesses: list[WitnessOut]
    keys: list[LogKeyOut]
    checks: list[CheckOut]


class ReferencesOut(BaseModel):
    """References of the log, in their order."""

    references: list[UUID] = Field(max_length=_MOST_REFERENCES)


def log_router(
    log: TransparentLog,
    database: Database,
    checks: LogChecks,
    check: StaffCheck,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The routes about the log as a whole. They block, in FastAPI's threads."""
    router = APIRouter(tags=["exchange log"])
    reader = Depends(check.requiring(*READERS))

    @staff_route(router, "GET", _PATH, READERS)
    def get_log(_staff: Annotated[Staff, reader]) -> LogOut:
        """How the log stands: its checkpoints with the age of their cosignatures, its keys, its checks."""
        found, now = overview(database), clock()
        return LogOut(
            origin=log.origin,
            entries=found.entries,
            waiting=found.waiting,
            heads=[HeadOut.model_validate(one) for one in found.heads],
            witnesses=[WitnessOut.model_validate(one) for one in found.witnesses],
            keys=[LogKeyOut.model_validate(one) for one in log.keyring.versions("log")],
            checks=[CheckOut.of(one, now) for one in checks.recent()],
        )

    @staff_route(router, "POST", _PATH + "/verify", READERS, 409, status_code=202)
    def verify_log(staff: Annotated[Staff, reader]) -> CheckOut:
        """Check the whole log in the background: every entry, every hash, every signed checkpoint.

        One check at a time: 409 while one is under way. `GET /admin/v1/log` tells how far it is. A database
        that was rolled back as a whole looks sound from within: witnesses and kept checkpoints tell.
        """
        return CheckOut.of(checks.start(staff.actor), clock())

    @staff_route(
        router,
        "GET",
        _PATH + "/verifier",
        READERS,
        response_class=Response,
        responses={200: {"content": {"text/x-python": {}}, "description": "verify.py"}},
    )
    def get_verifier(_staff: Annotated[Staff, reader]) -> Response:
        """The stand-alone verifier: one file that needs Python and `cryptography` only."""
        return Response(standalone_verifier(), media_type="text/x-python; charset=utf-8")

    _reference_route(router, database, reader)
    return router


def _reference_route(router: APIRouter, database: Database, reader: Any) -> None:
    @staff_route(router, "GET", _PATH + "/references/{digits}", READERS, 422)
    def list_references(digits: _Digits, kind: _Kind, _staff: Annotated[Staff, reader]) -> ReferencesOut:
        """Which exchanges, or acts, have a reference that begins so: pages show the first eight digits."""
        return ReferencesOut(references=beginning_with(database, digits, kind, _MOST_REFERENCES))
