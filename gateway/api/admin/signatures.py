"""`/admin/v1/consumers/{id}/signatures`: whether messages of a consumer are signed (RFC 9421)."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.api.admin.consumer_forms import ConsumerId, Form
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.database import Database
from gateway.signatures.terms import Mode, mode_of, set_mode
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff

_PATH = "/admin/v1/consumers/{consumer_id}/signatures"
_SWITCHERS: tuple[Role, ...] = ("author", "operator")
_MEANING = "off; responses: our answers are signed; both: its requests have to be signed as well."


class SignatureMode(Form):
    """What is signed from the next request on."""

    mode: Mode = Field(description=_MEANING)


class Signed(BaseModel):
    """What is signed now."""

    mode: Mode = Field(description=_MEANING)


def signature_router(database: Database, check: StaffCheck, clock: Callable[[], datetime]) -> APIRouter:
    """The routes by which staff demand signatures. They block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["consumers"])

    @router.get(_PATH, responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_signatures(
        consumer_id: ConsumerId, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> Signed:
        """Whether messages of this consumer are signed."""
        return Signed(mode=mode_of(database, consumer_id))

    @router.put(
        _PATH,
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"Less than before is demanded on the machine alone. {needs(_SWITCHERS)}",
    )
    def put_signatures(
        consumer_id: ConsumerId,
        form: SignatureMode,
        staff: Annotated[Staff, Depends(check.requiring(*_SWITCHERS))],
    ) -> Signed:
        """Sign our answers to this consumer, or demand that it signs its requests as well."""
        set_mode(database, staff, consumer_id, form.mode, form.reason, clock())
        return Signed(mode=form.mode)

    return router
