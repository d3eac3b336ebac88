"""`/admin/v1/acts`: what staff did, found in the log and proven: policy changes, sign-ins, rotations."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from gateway.api.admin.documentation import staff_route
from gateway.api.admin.evidence import Evidence
from gateway.api.admin.exchange_forms import (
    ActDetail,
    ActFilters,
    ActList,
    ActOut,
    After,
    BundleForm,
    InclusionOut,
    Limit,
    Reference,
    Since,
    Until,
    Word,
)
from gateway.audit.reading import entries_of
from gateway.audit.search import Asked, search, words
from gateway.database import Database
from gateway.errors import NotFound
from gateway.replica import Reports
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff
from policies.dictionary import Text

_PATH = "/admin/v1/acts"
_ONE = _PATH + "/{act_id}"
READERS: tuple[Role, ...] = ("auditor", "operator")
_SAID_APART = frozenset({"actor", "act", "object", "object_sha256", "reason", "act_id", "at", "kind", "v"})
# Keyed hashes of people, for whoever checks the log; of no use to a reader.
_NOT_TOLD = frozenset({"subjects_sha256"})


def act_router(database: Database, reports: Reports, evidence: Evidence, check: StaffCheck) -> APIRouter:
    """The routes by which acts of staff are found and proven. They block, in FastAPI's threads."""
    router = APIRouter(tags=["staff acts"])
    _search_routes(router, database, reports, check)
    _one_routes(router, database, evidence, check)
    return router


def _search_routes(router: APIRouter, database: Database, reports: Reports, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*READERS))

    @staff_route(router, "GET", _PATH, READERS, 404, 422)
    def list_acts(
        _staff: Annotated[Staff, reader],
        actor: Word = None,
        act: Word = None,
        since: Since = None,
        until: Until = None,
        after: After = None,
        limit: Limit = 50,
    ) -> ActList:
        """Acts of staff, the newest first, page by page; each filter narrows.

        `actor` is an account, whether in person, by token or on the machine; `act` may end in a dot, and
        then all acts count that begin so (`policy.`). An act is listed within a second.
        """
        asked = Asked("act", actor, act, since=since, until=until)
        told = reports(lambda read: search(read, asked, limit=limit, after=after))
        acts = [ActOut.of(hit) for hit in told.value.hits]
        return ActList(acts=acts, next=told.value.following, as_of=told.as_of)

    @staff_route(router, "GET", _PATH + "/filters", READERS)
    def list_act_filters(_staff: Annotated[Staff, reader]) -> ActFilters:
        """By which accounts and acts can be searched now."""
        found = words(database, "act")
        return ActFilters(actors=list(found.who), acts=list(found.what))


def _one_routes(router: APIRouter, database: Database, evidence: Evidence, check: StaffCheck) -> None:
    @staff_route(router, "GET", _ONE, READERS, 404, 422)
    def get_act(act_id: Reference, _staff: Annotated[Staff, Depends(check.requiring(*READERS))]) -> ActDetail:
        """One act, all that the log says of it, and where it stands. `inclusion` is checked just now."""
        hit = entries_of(database, act_id).get("act")
        if hit is None or hit.entry is None:
            raise NotFound(
                Text(
                    "Log tidak mempunyai tindakan dengan nomor ini.", "The log has no act of this reference."
                )
            )
        details = {
            name: value
            for name, value in hit.entry.items()
            if name not in _SAID_APART and name not in _NOT_TOLD
        }
        return ActDetail(
            **ActOut.of(hit).model_dump(),
            object_sha256=hit.entry.get("object_sha256"),
            details=details,
            inclusion=InclusionOut.of(evidence.check(act_id, "act")),
        )

    @staff_route(
        router,
        "POST",
        _ONE + "/bundle",
        READERS,
        *(400, 404, 409, 415, 422),
        response_model=dict[str, Any],
    )
    def make_act_bundle(
        act_id: Reference,
        form: BundleForm,
        staff: Annotated[Staff, Depends(check.requiring(*READERS))],
    ) -> Any:
        """One file that proves the act offline, with the verifier of `gapura audit verifier`. An act too."""
        if "act" not in entries_of(database, act_id):
            raise NotFound(
                Text(
                    "Log tidak mempunyai tindakan dengan nomor ini.", "The log has no act of this reference."
                )
            )
        return evidence.bundle(staff, act_id, form.reason)
