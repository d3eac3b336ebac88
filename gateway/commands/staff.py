"""`gapura staff`: accounts, roles, lock-outs and API tokens, by whoever runs commands on the machine.

What is done here needs no second person (see `gateway.staff.accounts`); the audit log says that it was done
here, and as whom with `--as`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from gateway.commands.opening import opened_database
from gateway.errors import BadInput
from gateway.staff.account import Account
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, ROLES, Role, Staff, known_roles
from gateway.staff.tokens import ApiTokens

app = typer.Typer(help="The people who administer the gateway, and their API tokens.", no_args_is_help=True)
token_app = typer.Typer(help="API tokens of one account, for automation.", no_args_is_help=True)
app.add_typer(token_app, name="token")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The account's id.", show_default=False)]
_Roles = Annotated[list[str], typer.Option("--role", help=f"{', '.join(ROLES)}; repeatable.")]
_As = Annotated[
    str | None, typer.Option("--as", help="The staff account as whom you act; none means the installation.")
]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]
_Format = Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")]
_ON_THE_CONSOLE = "on the console"


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _accounts(acting_as: str | None = None) -> Iterator[tuple[StaffAccounts, ApiTokens, Staff]]:
    with opened_database() as database:
        accounts = StaffAccounts(database, _now, record_in_audit_log)
        actor = INSTALLATION if acting_as is None else accounts.on_console(acting_as)
        yield accounts, ApiTokens(database, _now, record_in_audit_log), actor


@app.command()
def add(
    staff_id: _Id,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: _Roles,
    email: Annotated[str | None, typer.Option(help="Address by which OpenID Connect may know them.")] = None,
    oidc_issuer: Annotated[
        str | None, typer.Option(help="The identity provider, with --oidc-subject.")
    ] = None,
    oidc_subject: Annotated[str | None, typer.Option(help="The person's `sub` at that provider.")] = None,
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Register a staff member, with roles that count at once, and print a one-time enrolment secret."""
    if (oidc_issuer is None) != (oidc_subject is None):
        raise BadInput("--oidc-issuer and --oidc-subject: expected both, or neither.")
    identity = (oidc_issuer, oidc_subject) if oidc_issuer is not None and oidc_subject is not None else None
    with _accounts(acting_as) as (accounts, _, actor):
        account = accounts.add(
            actor, id=staff_id, name=name, roles=_known(role), reason=reason, email=email, oidc=identity
        )
        _print_account(account)
        _print_enrolment(account.id, accounts.issue_enrolment(actor, account.id, reason))


@app.command()
def enrolment(staff_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Print a new one-time secret for a person who has lost the password; earlier secrets end."""
    with _accounts(acting_as) as (accounts, _, actor):
        _print_enrolment(staff_id, accounts.issue_enrolment(actor, staff_id, reason))


@app.command("list")
def list_accounts(output: _Format = "text") -> None:
    """Show every account, disabled ones too."""
    with _accounts() as (accounts, _, _actor):
        found = accounts.list()
    if output == "json":
        print(json.dumps([_as_json(account) for account in found], indent=2))
        return
    if not found:
        print("There is no staff account. `gapura staff add --help` says how to make the first.")
    for account in found:
        _print_account(account)


@app.command()
def roles(staff_id: _Id, role: _Roles, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Make these the account's roles, all of them, at once, on every worker."""
    with _accounts(acting_as) as (accounts, _, actor):
        _print_account(accounts.set_roles(actor, staff_id, _known(role), reason))


@app.command()
def disable(staff_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Refuse the account, its sessions and its tokens from now on."""
    _change(lambda accounts, actor: accounts.disable(actor, staff_id, reason), acting_as)


@app.command()
def enable(staff_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Let a disabled account sign in again; its live tokens are good again."""
    _change(lambda accounts, actor: accounts.enable(actor, staff_id, reason), acting_as)


@app.command()
def unlock(staff_id: _Id, acting_as: _As = None, reason: _Reason = _ON_THE_CONSOLE) -> None:
    """Let an account that wrong passwords locked be tried again at once."""
    _change(lambda accounts, actor: accounts.unlock(actor, staff_id, reason), acting_as)


@token_app.command("add")
def add_token(
    staff_id: _Id,
    name: Annotated[str, typer.Option(help="What the token is for.")],
    role: _Roles,
    days: Annotated[int, typer.Option(help="How long it is good, 1 to 366.")],
    acting_as: _As = None,
) -> None:
    """Make an API token in some of the account's roles. It is printed this once.

    With it automation drafts, submits, suspends, and activates what only narrows. Whatever its roles, it
    never approves, resumes, or activates what opens more: that takes a person.
    """
    with _accounts(acting_as) as (_, tokens, actor):
        token, secret = tokens.add(actor, staff_id, name=name, roles=_known(role), days=days)
    print(
        f"Token {token.id} of {staff_id}, good until {token.expires_at:%Y-%m-%d %H:%M} UTC. Shown this once:"
    )
    print(secret)


@token_app.command("list")
def list_tokens(staff_id: _Id) -> None:
    """Show the tokens of an account, ended ones too."""
    with _accounts() as (accounts, tokens, _):
        accounts.get(staff_id)
        for token in tokens.list(staff_id):
            state = "REVOKED" if token.revoked_at else "expired" if token.expires_at <= _now() else "good"
            until = f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
            print(f"{token.id}  {state}  {token.name}; {', '.join(sorted(token.roles))}; until {until}")


@token_app.command("revoke")
def revoke_token(
    staff_id: _Id,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="As `token list` shows it.")],
    acting_as: _As = None,
    reason: _Reason = _ON_THE_CONSOLE,
) -> None:
    """Refuse a token from now on."""
    with _accounts(acting_as) as (_, tokens, actor):
        tokens.revoke(actor, staff_id, token_id, reason)
    print(f"{token_id} of {staff_id} is refused from now on.")


def _change(act: Callable[[StaffAccounts, Staff], Account], acting_as: str | None) -> None:
    with _accounts(acting_as) as (accounts, _, actor):
        _print_account(act(accounts, actor))


def _known(words: list[str]) -> frozenset[Role]:
    if unknown := set(words) - set(ROLES):
        raise BadInput(f"role: {', '.join(sorted(unknown))} is none; expected {', '.join(ROLES)}.")
    return known_roles(words)


def _print_account(account: Account) -> None:
    state = "active" if account.active else "DISABLED"
    print(f"{account.id}  {state}  {account.name}")
    print(f"    roles {', '.join(sorted(account.roles)) or 'none'}")
    if account.proposed_roles:
        waiting = ", ".join(sorted(account.proposed_roles))
        print(f"    waits for a second person: {waiting} (proposed by {account.proposed_by})")
    if account.locked_until is not None and account.locked_until > _now():
        print(f"    LOCKED until {account.locked_until:%Y-%m-%d %H:%M:%S} UTC, after wrong passwords")


def _print_enrolment(staff_id: str, secret: str) -> None:
    print(f"One-time enrolment secret for {staff_id}, good for 24 hours, shown this once:")
    print(secret)
    print("With it the person sets a password: at /console/enrol, or POST /admin/v1/session/enrolment.")


def _as_json(account: Account) -> dict[str, object]:
    return {
        "id": account.id,
        "name": account.name,
        "roles": sorted(account.roles),
        "proposed_roles": sorted(account.proposed_roles),
        "proposed_by": account.proposed_by,
        "state": "active" if account.active else "disabled",
        "locked_until": account.locked_until.isoformat() if account.locked_until else None,
    }
