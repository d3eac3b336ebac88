"""`/admin/v1/policies`: agreements, programme rules and the dictionary, from a first draft to their end.

Whoever changes something names the state that they saw (`If-Match`): of two who edit at once the second is
told how the texts differ, and nothing is lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from gateway.agreements.case_writing import with_case
from gateway.agreements.lifecycle import (
    IN_FORCE,
    JUDGED,
    NEEDS_REASON,
    NOT_JUDGED,
    ROLES_FOR,
    Act,
    Kind,
    Version,
    acts_possible,
    may_resume,
)
from gateway.agreements.listing import Wanted
from gateway.agreements.store import PolicyStore
from gateway.api.admin.case_adjusting import add_case_adjusting_routes
from gateway.api.admin.dictionary import add_dictionary_route
from gateway.api.admin.documentation import STAFF_ONLY, needs, problems
from gateway.api.admin.drafting import add_drafting_routes
from gateway.api.admin.policy_forms import (
    IfMatch,
    Name,
    NewCase,
    Number,
    PolicyDetail,
    PolicyDifference,
    PolicyText,
    PolicyVersion,
    ReasonToAct,
    act_out,
    difference_out,
    etag_of,
    summary_of_version,
    summary_out,
    version_out,
)
from gateway.api.admin.policy_list import add_list_route
from gateway.api.admin.programme_rules import add_rule_route
from gateway.errors import BadInput
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.dictionary import Text

_ALL = "/admin/v1/policies"
_ONE = _ALL + "/{kind}/{name}"
_VERSION = _ONE + "/versions/{number}"
_CHANGES = problems(400, 401, 403, 404, 409, 415, 422, 428)
_WORDS: Mapping[Act, str] = {
    "submit": "Hand a draft in for approval.",
    "withdraw": "Take a version that waits back into draft; an approval is forgotten.",
    "approve": "Approve a version; nobody approves what they wrote any part of, and no API token does.",
    "refuse": "Hand a version that waits back to its authors.",
    "discard": "End a version that never counted, whoever wrote it: it stays in the history, and a new draft "
    "may be begun.",
    "activate": "Put a version into force, on every worker at the next request: at once if it only narrows, "
    "else once it is approved.",
    "suspend": "Have an agreement answer nothing, on every worker from the next request on. The consumer "
    "is told since when, and the reason: name the letter.",
    "resume": "Have a suspended agreement answer again; not by whoever suspended it, nor by an API token.",
    "revoke": "End an agreement for good.",
}


@dataclass(frozen=True, slots=True)
class _Desk:
    store: PolicyStore
    check: StaffCheck

    def answer(self, response: Response, version: Version, staff: Staff) -> PolicyVersion:
        """A version as `staff` sees it, with its ETag."""
        response.headers["ETag"] = f'"{version.etag}"'
        possible = set(acts_possible(version.kind, version.state))
        judgement = self.store.judge(version) if possible & JUDGED else NOT_JUDGED
        return version_out(
            version,
            judgement,
            self.store.prospects(version, staff, judgement),
            self.difference(version.kind, version.name, None, version),
            self.resumable_by(version),
            self.resumable_afterwards(version, staff),
        )

    def resumable_by(self, version: Version) -> tuple[str, ...] | None:
        """Who can have a suspended version answer again; None for one that is not suspended."""
        if version.state != "suspended":
            return None
        return may_resume(version, self.check.holders("approver")["approver"])

    def resumable_afterwards(self, version: Version, staff: Staff) -> tuple[str, ...] | None:
        """Who could have an agreement answer again that `staff` suspends; None where there is none to."""
        if "suspend" not in acts_possible(version.kind, version.state):
            return None
        suspended = replace(version, suspended_by=staff.id)
        return may_resume(suspended, self.check.holders("approver")["approver"])

    def difference(self, kind: Kind, name: str, base: int | None, to: Version) -> PolicyDifference:
        """How a version differs from another one, or from what is in force."""
        if base is not None:
            against: Version | None = self.store.get(kind, name, base)
        else:
            against = _one_of(self.store.versions(kind, name), IN_FORCE)
        text = against.text if against is not None else None
        return difference_out(self.store.difference(kind, name, text, to.text), against)


def policy_router(store: PolicyStore, check: StaffCheck, clock: Callable[[], datetime]) -> APIRouter:
    """The routes by which staff make policies. All of them block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["policies"])
    desk = _Desk(store, check)
    add_list_route(router, store, check)
    add_drafting_routes(router, store, check, desk.answer)
    add_case_adjusting_routes(router, store, check, desk.answer)
    add_rule_route(router, store, check, clock)
    add_dictionary_route(router, store, check)
    _reading_routes(router, desk)
    _comparing_route(router, desk)
    _writing_routes(router, desk)
    _case_route(router, desk)
    for act, words in _WORDS.items():
        _add_act_route(router, desk, act, words)
    return router


def _reading_routes(router: APIRouter, desk: _Desk) -> None:
    reader = Annotated[Staff, Depends(desk.check.requiring(*ROLES))]

    @router.get(_ONE, responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_policy(kind: Kind, name: Name, _staff: reader) -> PolicyDetail:
        """One policy: how it stands, its versions and everything that was done with them."""
        desk.store.get(kind, name)
        listed = desk.store.listed(Wanted(kind=kind, name=name), 1, 1)[0][0]
        return PolicyDetail(
            **summary_out(listed),
            versions=[summary_of_version(version) for version in desk.store.versions(kind, name)],
            history=[act_out(done) for done in desk.store.history(kind, name)],
        )

    @router.get(_VERSION, responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def get_version(
        kind: Kind, name: Name, number: Number, response: Response, staff: reader
    ) -> PolicyVersion:
        """One version: its texts, what you may do with it, and in words what it would change for whom."""
        return desk.answer(response, desk.store.get(kind, name, number), staff)


def _comparing_route(router: APIRouter, desk: _Desk) -> None:
    reader = Annotated[Staff, Depends(desk.check.requiring(*ROLES))]

    @router.get(_ONE + "/diff", responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY)
    def compare_versions(
        kind: Kind,
        name: Name,
        _staff: reader,
        base: Annotated[
            int | None, Query(alias="from", ge=1, le=9999, description="Default: the version in force.")
        ] = None,
        to: Annotated[int | None, Query(ge=1, le=9999, description="Default: the newest version.")] = None,
    ) -> PolicyDifference:
        """What one version opens and closes compared with another, in Indonesian and English."""
        desk.store.get(kind, name)
        newest = desk.store.versions(kind, name)[0]
        return desk.difference(kind, name, base, newest if to is None else desk.store.get(kind, name, to))


def _writing_routes(router: APIRouter, desk: _Desk) -> None:
    author = Annotated[Staff, Depends(desk.check.requiring("author"))]

    @router.post(
        _ONE + "/drafts",
        status_code=201,
        responses=problems(400, 401, 403, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} The text need not load yet; `problems` says what it lacks.",
    )
    def add_draft(
        kind: Kind, name: Name, form: PolicyText, response: Response, staff: author
    ) -> PolicyVersion:
        """Begin a new version, of a policy that may be new itself."""
        text, cases = form.text.encode(), form.cases.encode()
        kept = desk.store.save_draft(kind, name, text, cases, staff, reason=form.reason)
        response.headers["Location"] = _VERSION.format(kind=kind, name=name, number=kept.version)
        return desk.answer(response, kept, staff)

    @router.put(_VERSION, responses=_CHANGES, openapi_extra=STAFF_ONLY, description=needs(["author"]))
    def edit_draft(
        kind: Kind,
        name: Name,
        number: Number,
        form: PolicyText,
        response: Response,
        staff: author,
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        """Write another text into a draft. You become one of its editors, and cannot approve it."""
        kept = desk.store.edit(
            *(kind, name, number, form.text.encode(), form.cases.encode(), staff),
            if_match=etag_of(if_match),
            reason=form.reason,
        )
        return desk.answer(response, kept, staff)


def _case_route(router: APIRouter, desk: _Desk) -> None:
    @router.post(
        _VERSION + "/cases",
        responses=_CHANGES,
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['author'])} What stands in the cases already stays byte for byte.",
    )
    def add_case(
        kind: Kind,
        name: Name,
        number: Number,
        form: NewCase,
        response: Response,
        staff: Annotated[Staff, Depends(desk.check.requiring("author"))],
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        """Put a case into a draft's cases, such as a preview offers it."""
        present = desk.store.get(kind, name, number)
        try:
            cases = with_case(present.cases, form.case)
        except (ValueError, IndexError):
            raise BadInput(_NO_CASE) from None
        kept = desk.store.edit(
            *(kind, name, number, present.text, cases, staff),
            if_match=etag_of(if_match),
            reason=form.reason,
        )
        return desk.answer(response, kept, staff)


_NO_CASE = Text(
    "case: diharapkan teks yang dimulai dengan `people:` lalu `cases:`, seperti yang ditawarkan pratinjau, "
    "untuk kasus yang ditulis demikian; tulis kasusnya dengan tangan.",
    "case: expected a text that begins with `people:` and goes on with `cases:`, as a preview offers it, for "
    "cases that are written so; write the case by hand.",
)


def _add_act_route(router: APIRouter, desk: _Desk, act: Act, words: str) -> None:
    also = " A `reason` is needed." if act in NEEDS_REASON else ""

    @router.post(
        f"{_VERSION}/acts/{act}",
        name=f"{act}_version",
        summary=f"{act.capitalize()} a version",
        description=f"{words} {needs(ROLES_FOR[act])}{also} If it is not possible, `unmet` says which "
        "conditions fail and who can meet each.",
        responses=_CHANGES,
        openapi_extra=STAFF_ONLY,
    )
    def do_act(
        kind: Kind,
        name: Name,
        number: Number,
        form: ReasonToAct,
        response: Response,
        staff: Annotated[Staff, Depends(desk.check.requiring(*ROLES_FOR[act]))],
        if_match: IfMatch = None,
    ) -> PolicyVersion:
        done = desk.store.act(
            *(kind, name, number, act, staff), reason=form.reason, if_match=etag_of(if_match)
        )
        return desk.answer(response, done, staff)


def _one_of(versions: list[Version], states: frozenset[str]) -> Version | None:
    return next((version for version in versions if version.state in states), None)
