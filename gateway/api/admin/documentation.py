"""What every route of the admin API says of itself in the contract: who may call it, what can go wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter

from gateway.api.problems import MEDIA_TYPE
from gateway.staff.roles import Role

Route = TypeVar("Route", bound=Callable[..., Any])

SECURITY_SCHEMES: dict[str, Any] = {
    "staff_session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-gapura",
        "description": "The session of somebody who signed in (`gapura` over http on this machine). All but "
        "GET also needs the header `X-CSRF-Token` with the session's `csrf_token`.",
    },
    "staff_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token of staff, `gpr_...`: in some of its owner's roles, until a day. Where a "
        "policy needs two people it is none: it approves and resumes nothing, activates nothing that opens.",
    },
}
STAFF_ONLY: dict[str, Any] = {"security": [{"staff_session": []}, {"staff_token": []}]}
IN_PERSON_ONLY: dict[str, Any] = {"security": [{"staff_session": []}]}

# What the forms' members are called: a problem's pointer repeats no other name.
MEMBER_NAMES = frozenset(
    {
        *(
            "nik",
            "person_id",
            "before",
            "first",
            "last",
            "known_at",
            "incident_id",
            "whom",
            "how",
            "handling",
        ),
        *("text", "cases", "case", "from", "to"),
        *("copy_of", "version", "title", "title_id", "title_en", "pks", "documents", "choices", "release"),
        *("years", "show_first", "ranges", "basis", "valid_from", "valid_until", "operations", "programmes"),
        *("enrolled_in", "subjects_per_request", "limits", "requests_per_minute", "subjects_per_day"),
        *("new_people_per_day", "pseudonym_sector", "reasons", "on_source_failure", "en"),
        *("last_known_max_age_days", "search", "standing", "open_state", "ends_by", "order", "page"),
        *("per_page", "within", "limit"),
        *("semester", "agreement_id", "output"),
        *("id", "name", "password", "present", "new", "secret", "roles", "email", "oidc_issuer"),
        *("oidc_subject", "reason", "days", "staff_id", "token_id", "if-match", "next"),
        *("consumer_id", "kid", "sector", "regions", "contact", "office", "jwks", "jwk", "sandbox"),
        *("overlap_days", "not_before", "not_after", "mode", "tls_client_certificate_bound_access_tokens"),
        *("pseudonyms", "legal_basis", "reference", "reversal_id"),
        *("persona", "nik", "operation", "purpose", "programme", "fields", "on_date", "claims"),
        *("consumer", "ask_sources", "exchange_id", "field", "kind", "number", "agreement_id"),
    }
)

_WORDS = {
    400: "The values cannot be used; `detail` says which, and what is expected.",
    401: "Nobody is signed in; or what was presented does not hold.",
    403: "Not permitted to this staff member; `held_by` names who has the role, where one is missing.",
    404: "There is no such thing.",
    409: "In conflict with the present state; `detail` says which, `unmet` who can meet each condition.",
    415: "The body is not `application/json`.",
    422: "The request is malformed; `errors` says where, what was expected, what stood there, what to do.",
    428: "`If-Match` is missing: which state of it was seen?",
    503: "Nothing was done; try again after `Retry-After` seconds.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for its `responses`; 503 can always happen."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _WORDS[status], "content": content} for status in (*statuses, 503)}


def needs(roles: Iterable[Role]) -> str:
    """The sentence of a route's description that names who may call it."""
    return f"Needs the role {' or '.join(roles)}."


def staff_route(
    router: APIRouter,
    method: str,
    path: str,
    roles: Sequence[Role],
    *statuses: int,
    in_person: bool = False,
    more: str = "",
    **options: Any,
) -> Callable[[Route], Route]:
    """Declare a route of staff: /docs shows its docstring, who may call it, and what can go wrong.

    `statuses` are its problems besides 401, 403 and 503; `more` goes on where the roles are told.
    """
    responses = {**problems(401, 403, *statuses), **options.pop("responses", {})}

    def declared(route: Route) -> Route:
        """Add the route to the router."""
        who = f"{needs(roles)} In person{more}." if in_person else f"{needs(roles)}{more}"
        router.add_api_route(
            path,
            route,
            methods=[method],
            description=f"{inspect.getdoc(route) or ''}\n\n{who}",
            responses=responses,
            openapi_extra=IN_PERSON_ONLY if in_person else STAFF_ONLY,
            **options,
        )
        return route

    return declared
