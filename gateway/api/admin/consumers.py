"""`/admin/v1/consumers`: who may call, let in by two people; jurisdiction, binding, sandbox and state."""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from gateway.api.admin.consumer_forms import (
    CONSUMER_ID,
    ConsumerId,
    ConsumerList,
    ConsumerSummary,
    IfMatch,
    NewConsumer,
    ReasonToChange,
    RegistrationChange,
    SandboxChange,
    answer,
    codes_of,
    contact_of,
    summary_of,
    version_of,
)
from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
from gateway.oauth.consumers import ConsumerStore, Wanted
from gateway.oauth.registration import Change, Registration, State
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff
from gateway.staff.sessions import Session

_PATH = "/admin/v1/consumers"
_ONE = _PATH + "/{consumer_id}"
_MOST = 200
MEMBER_NAMES = frozenset({"search", "state", "sandbox", "waits", "after", "limit"})
_PROPOSERS: tuple[Role, ...] = ("author", "operator")
_STOPPERS: tuple[Role, ...] = ("operator", "approver")
_WAITS = "What opens more waits for a second person, the rest counts at once."


def consumer_router(store: ConsumerStore, check: StaffCheck) -> APIRouter:
    """The routes by which staff administer consumers. All of them block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["consumers"])
    _reading_routes(router, store, check)
    _proposing_route(router, store, check)
    _changing_routes(router, store, check)
    _settling_routes(router, store, check)
    _state_routes(router, store, check)
    return router


def _reading_routes(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.get(_PATH, responses=problems(401, 403, 422), openapi_extra=STAFF_ONLY)
    def list_consumers(
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
        search: Annotated[
            str | None, Query(max_length=100, description="A part of the id, the name or the sector.")
        ] = None,
        state: State | None = None,
        sandbox: bool | None = None,
        waits: Annotated[bool | None, Query(description="Whether it waits for a second person.")] = None,
        after: Annotated[
            str, Query(pattern=rf"^$|{CONSUMER_ID}", description="The `next` of the page before.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> ConsumerList:
        """The consumers by id, page by page."""
        found, total = store.page(Wanted(search, state, sandbox, waits), after, limit)
        return ConsumerList(
            consumers=[summary_of(registration, store.clock()) for registration in found],
            total=total,
            next=found[-1].consumer.id if len(found) == limit else None,
        )

    @router.get(_ONE, responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_consumer(
        consumer_id: ConsumerId,
        response: Response,
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
    ) -> ConsumerSummary:
        """One consumer, with the ETag that changes ask for."""
        return answer(response, store.get(consumer_id), store.clock())


def _proposing_route(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.post(
        _PATH,
        status_code=201,
        responses=problems(400, 401, 403, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=needs(_PROPOSERS),
    )
    def propose_consumer(
        form: NewConsumer,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_PROPOSERS))],
    ) -> ConsumerSummary:
        """Propose a consumer with its public keys. It cannot call before it is approved."""
        proposed = store.register(
            staff,
            id=form.id,
            name=form.name,
            sector=form.sector,
            jwks=form.jwks,
            reason=form.reason,
            regions=codes_of(form.regions),
            contact=contact_of(form.contact),
            sandbox=form.sandbox,
            certificate_bound=form.tls_client_certificate_bound_access_tokens,
        )
        return answer(response, proposed, store.clock())


def _changing_routes(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.patch(
        _ONE,
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{_WAITS} {needs(_PROPOSERS)}",
    )
    def change_consumer(
        consumer_id: ConsumerId,
        form: RegistrationChange,
        if_match: IfMatch,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_PROPOSERS))],
    ) -> ConsumerSummary:
        """Correct a registration."""
        change = Change(
            sector=form.sector,
            regions=None if form.regions is None else codes_of(form.regions),
            certificate_bound=form.tls_client_certificate_bound_access_tokens,
        )
        changed = store.change(
            staff,
            consumer_id,
            change,
            form.reason,
            name=form.name,
            contact=contact_of(form.contact) if form.contact else None,
            if_match=version_of(if_match),
        )
        return answer(response, changed, store.clock())

    @router.put(
        _ONE + "/sandbox",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{_WAITS} {needs(_PROPOSERS)}",
    )
    def set_sandbox(
        consumer_id: ConsumerId,
        form: SandboxChange,
        if_match: IfMatch,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_PROPOSERS))],
    ) -> ConsumerSummary:
        """Answer the consumer from synthetic people only, or from real ones."""
        change, version = Change(sandbox=form.sandbox), version_of(if_match)
        return answer(
            response, store.change(staff, consumer_id, change, form.reason, if_match=version), store.clock()
        )


def _settling_routes(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    @router.post(
        _ONE + "/approve",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(['approver'])} In person, and by somebody who had no hand in it.",
    )
    def approve_consumer(
        consumer_id: ConsumerId,
        form: ReasonToChange,
        if_match: IfMatch,
        response: Response,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring("approver"))],
    ) -> ConsumerSummary:
        """Let a proposed consumer in, or let the change count that waits."""
        version = version_of(if_match)
        return answer(
            response, store.approve(staff, consumer_id, form.reason, if_match=version), store.clock()
        )

    @router.post(
        _ONE + "/refuse",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=needs((*_PROPOSERS, "approver")),
    )
    def refuse_consumer(
        consumer_id: ConsumerId,
        form: ReasonToChange,
        if_match: IfMatch,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_PROPOSERS, "approver"))],
    ) -> ConsumerSummary:
        """End what waits: the change is dropped, the proposed consumer disabled."""
        version = version_of(if_match)
        return answer(
            response, store.refuse(staff, consumer_id, form.reason, if_match=version), store.clock()
        )


def _state_routes(router: APIRouter, store: ConsumerStore, check: StaffCheck) -> None:
    acts: Mapping[str, tuple[Callable[[Staff, str, str], Registration], str]] = {
        "disable": (store.disable, "Refuse the consumer and every token that it holds, from now on."),
        "enable": (
            store.enable,
            "Let a disabled consumer call again, by another person; one never approved awaits approval.",
        ),
    }
    for name, (act, words) in acts.items():
        _add_state_route(router, store, check, name, act, words)


def _add_state_route(
    router: APIRouter,
    store: ConsumerStore,
    check: StaffCheck,
    name: str,
    act: Callable[[Staff, str, str], Registration],
    words: str,
) -> None:
    @router.post(
        f"{_ONE}/{name}",
        name=f"{name}_consumer",
        summary=f"{name.capitalize()} Consumer",
        description=f"{words} {needs(_STOPPERS)}",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
    )
    def change_state(
        consumer_id: ConsumerId,
        form: ReasonToChange,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring(*_STOPPERS))],
    ) -> ConsumerSummary:
        return answer(response, act(staff, consumer_id, form.reason), store.clock())
