"""API tokens of staff: one's own under `/admin/v1/session/tokens`, others' under their account."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.documentation import IN_PERSON_ONLY, STAFF_ONLY, needs, problems
from gateway.staff.check import StaffCheck
from gateway.staff.opening import StaffDesk
from gateway.staff.roles import ROLES, Role, Staff
from gateway.staff.sessions import Session
from gateway.staff.tokens import LONGEST_DAYS, ApiToken, ApiTokens

_MINE = "/admin/v1/session/tokens"
_OF_ACCOUNT = "/admin/v1/staff/{staff_id}/tokens"
_StaffId = Annotated[str, Path(min_length=1, max_length=64, examples=["ani.wulandari"])]
_TokenId = Annotated[str, Path(min_length=1, max_length=16, examples=["3fa1c07b"])]


class NewToken(BaseModel):
    """An API token to make: its use in words, its roles out of one's own, its life in days."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["nightly export"])]
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(ROLES), examples=[["author"]])]
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, examples=[90])]


class TokenSummary(BaseModel):
    """An API token, without what makes it one."""

    id: str
    name: str
    roles: list[Role]
    added_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class TokenList(BaseModel):
    """Every API token of an account, ended ones too."""

    tokens: list[TokenSummary]


class MadeToken(TokenSummary):
    """A new API token: the only time that `token` is shown."""

    token: str = Field(examples=["gpr_hQ8mV0c7gQ2yZ5r1n4t7w0z3C6F9I2L5O8R1U4X7a0k"])


def token_router(desk: StaffDesk) -> APIRouter:
    """The routes by which tokens are made, seen and revoked. They block, so FastAPI runs them in threads."""
    router = APIRouter(tags=["staff tokens"])
    _own_routes(router, desk.tokens, desk.check)
    _account_routes(router, desk.tokens, desk.check)
    return router


def _own_routes(router: APIRouter, tokens: ApiTokens, check: StaffCheck) -> None:
    @router.get(_MINE, responses=problems(401), openapi_extra=STAFF_ONLY)
    def list_own_tokens(staff: Annotated[Staff, Depends(check.anybody())]) -> TokenList:
        """One's own API tokens."""
        return TokenList(tokens=[_token(token) for token in tokens.list(staff.id)])

    @router.post(
        _MINE,
        status_code=201,
        responses=problems(400, 401, 403, 409, 415, 422),
        openapi_extra=IN_PERSON_ONLY,
    )
    def add_token(
        form: NewToken,
        session: Annotated[Session, Depends(check.in_person())],
        _staff: Annotated[Staff, Depends(check.anybody())],
    ) -> MadeToken:
        """Make an API token for automation, in some of one's own roles. It is shown this once."""
        owner = session.staff
        made, secret = tokens.add(
            owner, owner.id, name=form.name, roles=frozenset(form.roles), days=form.days
        )
        return MadeToken(**_token(made).model_dump(), token=secret)

    @router.delete(
        _MINE + "/{token_id}",
        status_code=204,
        responses=problems(401, 403, 404, 422),
        openapi_extra=STAFF_ONLY,
    )
    def revoke_own_token(token_id: _TokenId, staff: Annotated[Staff, Depends(check.anybody())]) -> None:
        """Refuse one of one's own tokens from now on."""
        tokens.revoke(staff, staff.id, token_id)


def _account_routes(router: APIRouter, tokens: ApiTokens, check: StaffCheck) -> None:
    @router.get(
        _OF_ACCOUNT,
        responses=problems(401, 403, 422),
        openapi_extra=STAFF_ONLY,
        description=needs(["operator", "auditor"]),
    )
    def list_tokens(
        staff_id: _StaffId, _staff: Annotated[Staff, Depends(check.requiring("operator", "auditor"))]
    ) -> TokenList:
        """The API tokens of an account."""
        return TokenList(tokens=[_token(token) for token in tokens.list(staff_id)])

    @router.delete(
        _OF_ACCOUNT + "/{token_id}",
        status_code=204,
        responses=problems(401, 403, 404, 422),
        openapi_extra=STAFF_ONLY,
        description=needs(["operator"]),
    )
    def revoke_token(
        staff_id: _StaffId,
        token_id: _TokenId,
        staff: Annotated[Staff, Depends(check.requiring("operator"))],
    ) -> None:
        """Refuse a token of an account from now on."""
        tokens.revoke(staff, staff_id, token_id)


def _token(token: ApiToken) -> TokenSummary:
    return TokenSummary(
        id=token.id,
        name=token.name,
        roles=sorted(token.roles),
        added_at=token.added_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
