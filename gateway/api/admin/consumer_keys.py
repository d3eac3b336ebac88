"""`/admin/v1/consumers/{id}/keys`: a second person approves a new key, which says when the old ones end."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import AwareDatetime, Field

from gateway.api.admin.consumer_forms import (
    JWK_EXAMPLE,
    ConsumerId,
    ConsumerSummary,
    Form,
    IfMatch,
    ReasonToChange,
    answer,
    version_of,
)
from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
from gateway.oauth.consumer_keys import LONGEST_OVERLAP_DAYS, OVERLAP_DAYS
from gateway.oauth.consumers import ConsumerStore
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff
from gateway.staff.sessions import Session

_KEYS = "/admin/v1/consumers/{consumer_id}/keys"
# A kid may hold a slash.
_KEY = _KEYS + "/{kid:path}"
_PROPOSERS: tuple[Role, ...] = ("author", "operator")
_STOPPERS: tuple[Role, ...] = ("operator", "approver")
_Kid = Annotated[str, Path(min_length=1, max_length=128, examples=["2026-11"])]


class NewKey(Form):
    """One more public key. Once approved, it tells when the others end."""

    jwk: Annotated[dict[str, Any], Field(examples=[JWK_EXAMPLE])]
    overlap_days: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_DAYS)] | None = Field(
        OVERLAP_DAYS,
        description="For how long the other keys stay good once this one counts; null: for ever.",
    )
    not_before: AwareDatetime | None = Field(None, description="When it begins; left out, when approved.")
    not_after: AwareDatetime | None = Field(None, description="When it ends; left out, never.")


def consumer_key_router(store: ConsumerStore, check: StaffCheck) -> APIRouter:
    """The routes by which staff change a consumer's keys. They block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["consumers"])
    _proposing_route(router, store, check)
    _approving_route(router, store, check)
    _removing_route(router, store, check)
    return router


def _proposing_route(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.post(
        _KEYS,
        status_code=201,
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(_PROPOSERS)} A key is a way in: a second person approves it.",
    )
    def propose_key(
        consumer_id: ConsumerId,
        form: NewKey,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_PROPOSERS))],
    ) -> ConsumerSummary:
        """Propose one more public key, and tell when the others end."""
        times = {"not_before": form.not_before, "not_after": form.not_after}
        added = store.keys.add(
            staff, consumer_id, form.jwk, form.reason, overlap_days=form.overlap_days, **times
        )
        return answer(response, added, store.clock())


def _approving_route(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.post(
        _KEY + "/approve",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(['approver'])} In person, and by somebody who had no hand in it.",
    )
    def approve_key(
        consumer_id: ConsumerId,
        kid: _Kid,
        form: ReasonToChange,
        if_match: IfMatch,
        response: Response,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring("approver"))],
    ) -> ConsumerSummary:
        """Accept a key; the others end as it announced."""
        version = version_of(if_match)
        return answer(
            response,
            store.keys.approve(staff, consumer_id, kid, form.reason, if_match=version),
            store.clock(),
        )


def _removing_route(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.post(
        _KEY + "/remove",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=needs(_STOPPERS),
    )
    def remove_key(
        consumer_id: ConsumerId,
        kid: _Kid,
        form: ReasonToChange,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_STOPPERS))],
    ) -> ConsumerSummary:
        """Accept a key no more, at once. The last good one stays: disable the consumer instead."""
        return answer(response, store.keys.remove(staff, consumer_id, kid, form.reason), store.clock())
