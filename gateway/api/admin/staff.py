"""`/admin/v1/staff`: accounts and their roles. Giving a role always takes two people."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
from gateway.errors import BadInput
from gateway.staff.account import Account
from gateway.staff.accounts import StaffAccounts
from gateway.staff.check import StaffCheck
from gateway.staff.opening import StaffDesk
from gateway.staff.roles import ROLES, Role, Staff
from gateway.staff.sessions import Session
from policies.dictionary import Text

_StaffId = Annotated[str, Path(min_length=1, max_length=64, examples=["ani.wulandari"])]
_IfMatch = Annotated[
    str,
    Header(description="The ETag of the account as you saw it.", examples=['"3"'], max_length=32),
]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log. Names no person of the registry.",
        examples=["Surat tugas 12/PDK/2026"],
    ),
]
_Roles = Annotated[list[Role], Field(max_length=len(ROLES), examples=[["author"]])]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Reason(_Form):
    """Why something is done."""

    reason: _Reason


class NewAccount(_Form):
    """An account to register. It signs in by OpenID Connect, or after `gapura staff enrolment ID`."""

    id: Annotated[str, Field(min_length=1, max_length=64, examples=["budi.santoso"])]
    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Budi Santoso"])]
    roles: Annotated[_Roles, Field(min_length=1)]
    email: Annotated[str | None, Field(max_length=254, examples=["budi@example.go.id"])] = None
    oidc_issuer: Annotated[str | None, Field(max_length=255)] = None
    oidc_subject: Annotated[str | None, Field(max_length=255)] = None
    reason: _Reason


class RoleChange(_Form):
    """The roles that the account is to have: fewer count at once, more wait for a second person."""

    roles: _Roles
    reason: _Reason


class AccountSummary(BaseModel):
    """One account. `proposed_roles` wait until somebody other than `proposed_by` confirms them."""

    id: str
    name: str
    roles: list[Role]
    proposed_roles: list[Role]
    proposed_by: str | None
    state: Literal["active", "disabled"]
    enrolled: bool = Field(description="Whether a password is set.")
    locked_until: datetime | None = Field(description="UTC; wrong passwords lock an account for a while.")
    email: str | None
    oidc_issuer: str | None
    registered_at: datetime


class AccountList(BaseModel):
    """Every account, disabled ones too, by id."""

    staff: list[AccountSummary]


def staff_router(desk: StaffDesk) -> APIRouter:
    """The routes by which staff administer staff. All of them block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["staff"])
    _reading_routes(router, desk.accounts, desk.check)
    _adding_route(router, desk.accounts, desk.check)
    _role_routes(router, desk.accounts, desk.check)
    _state_routes(router, desk.accounts, desk.check)
    return router


def _reading_routes(router: APIRouter, accounts: StaffAccounts, check: StaffCheck) -> None:
    @router.get("/admin/v1/staff", responses=problems(401, 403), openapi_extra=STAFF_ONLY)
    def list_accounts(_staff: Annotated[Staff, Depends(check.requiring(*ROLES))]) -> AccountList:
        """Every staff account."""
        return AccountList(staff=[_summary(account) for account in accounts.list()])

    @router.get(
        "/admin/v1/staff/{staff_id}", responses=problems(401, 403, 404, 422), openapi_extra=STAFF_ONLY
    )
    def get_account(
        staff_id: _StaffId, response: Response, _staff: Annotated[Staff, Depends(check.requiring(*ROLES))]
    ) -> AccountSummary:
        """One staff account, with the ETag that changes ask for."""
        return _answer(response, accounts.get(staff_id))


def _adding_route(router: APIRouter, accounts: StaffAccounts, check: StaffCheck) -> None:
    @router.post(
        "/admin/v1/staff",
        status_code=201,
        responses=problems(400, 401, 403, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['operator'])} Its roles wait for a second person.",
    )
    def add_account(
        form: NewAccount, response: Response, staff: Annotated[Staff, Depends(check.requiring("operator"))]
    ) -> AccountSummary:
        """Register an account, with its roles as a proposal."""
        added = accounts.add(
            staff,
            id=form.id,
            name=form.name,
            roles=frozenset(form.roles),
            reason=form.reason,
            email=form.email,
            oidc=_identity_of(form),
        )
        return _answer(response, added)


def _identity_of(form: NewAccount) -> tuple[str, str] | None:
    """Whom an identity provider knows the account's person as; None where none does."""
    if form.oidc_issuer is None and form.oidc_subject is None:
        return None
    if form.oidc_issuer is None or form.oidc_subject is None:
        raise BadInput(
            Text(
                "Penyedia identitas dan subjek: isi keduanya, atau kosongkan keduanya.",
                "oidc_issuer and oidc_subject: expected both, or neither.",
            )
        )
    return form.oidc_issuer, form.oidc_subject


def _role_routes(router: APIRouter, accounts: StaffAccounts, check: StaffCheck) -> None:
    @router.put(
        "/admin/v1/staff/{staff_id}/roles",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
        description=f"{needs(['operator'])} Nobody changes their own.",
    )
    def set_roles(
        staff_id: _StaffId,
        form: RoleChange,
        if_match: _IfMatch,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("operator"))],
    ) -> AccountSummary:
        """Take roles away at once; propose those that are more."""
        roles, version = frozenset(form.roles), _version(if_match)
        return _answer(response, accounts.set_roles(staff, staff_id, roles, form.reason, if_match=version))

    @router.post(
        "/admin/v1/staff/{staff_id}/roles/confirmation",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
        description=f"{needs(['operator', 'approver'])} In person, and by somebody who neither proposed the "
        "roles nor gets them.",
    )
    def confirm_roles(
        staff_id: _StaffId,
        form: Reason,
        if_match: _IfMatch,
        response: Response,
        _session: Annotated[Session, Depends(check.in_person())],
        staff: Annotated[Staff, Depends(check.requiring("operator", "approver"))],
    ) -> AccountSummary:
        """Give the roles that wait."""
        version = _version(if_match)
        return _answer(response, accounts.confirm_roles(staff, staff_id, form.reason, if_match=version))


def _state_routes(router: APIRouter, accounts: StaffAccounts, check: StaffCheck) -> None:
    acts: Mapping[str, tuple[Callable[[Staff, str, str], Account], str]] = {
        "disable": (accounts.disable, "Refuse the account, its sessions and its tokens from now on."),
        "enable": (accounts.enable, "Let a disabled account sign in again; its live tokens are good again."),
        "unlock": (accounts.unlock, "Let an account that wrong passwords locked be tried again at once."),
    }
    for name, (act, words) in acts.items():
        _add_state_route(router, check, name, act, words)


def _add_state_route(
    router: APIRouter,
    check: StaffCheck,
    name: str,
    act: Callable[[Staff, str, str], Account],
    words: str,
) -> None:
    @router.post(
        f"/admin/v1/staff/{{staff_id}}/{name}",
        name=name,
        summary=name.capitalize(),
        description=f"{words} {needs(['operator'])}",
        responses=problems(400, 401, 403, 404, 409, 415, 422),
        openapi_extra=STAFF_ONLY,
    )
    def change_state(
        staff_id: _StaffId,
        form: Reason,
        response: Response,
        staff: Annotated[Staff, Depends(check.requiring("operator"))],
    ) -> AccountSummary:
        return _answer(response, act(staff, staff_id, form.reason))


def _version(if_match: str) -> int:
    version = if_match.strip().strip('"')
    if not (version.isascii() and version.isdigit()):
        raise BadInput('If-Match: expected the ETag of the account, such as "3".')
    return int(version)


def _answer(response: Response, account: Account) -> AccountSummary:
    response.headers["ETag"] = f'"{account.version}"'
    return _summary(account)


def _summary(account: Account) -> AccountSummary:
    return AccountSummary(
        id=account.id,
        name=account.name,
        roles=sorted(account.roles),
        proposed_roles=sorted(account.proposed_roles),
        proposed_by=account.proposed_by,
        state="active" if account.active else "disabled",
        enrolled=account.enrolled,
        locked_until=account.locked_until,
        email=account.email,
        oidc_issuer=account.oidc_issuer,
        registered_at=account.registered_at,
    )
