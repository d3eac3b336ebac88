"""`gapura reversals`: from pseudonyms back to people, by two people who say who they are.

Pseudonyms are read from a file, never from the command line. On the machine itself nobody proves who they
are; that two accounts are named is in the audit log, and so is that it was done here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.app import build_services
from gateway.commands.opening import opened_database
from gateway.errors import FileUnusable
from gateway.pseudonyms.reversals import LEGAL_BASES, Reversal, Reversals
from gateway.settings import load_settings
from gateway.staff.accounts import StaffAccounts

app = typer.Typer(help="Undo pseudonyms, by two people, where the law names a basis.", no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The reversal's id.", show_default=False)]
_As = Annotated[str, typer.Option("--as", help="The staff account as whom you act.")]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log. Names no person.")]
_File = Annotated[
    Path, typer.Option("--from", metavar="FILE", help="The pseudonyms of one sector, one to a line.")
]


@contextmanager
def _desk() -> Iterator[tuple[Reversals, StaffAccounts]]:
    with opened_database():
        pass  # the newest schema, before the services ask for it
    services = build_services(load_settings())
    try:
        yield services.names.reversals, services.staff.accounts
    finally:
        services.close()


@app.command("list")
def list_reversals() -> None:
    """Show every reversal that was ever asked for."""
    with _desk() as (reversals, _):
        for one in reversals.list():
            print(_line(one))


@app.command()
def request(
    sector: Annotated[str, typer.Argument(metavar="SECTOR", help="Such as kesehatan.", show_default=False)],
    source: _File,
    legal_basis: Annotated[str, typer.Option(help=f"{', '.join(LEGAL_BASES)}.")],
    reference: Annotated[str, typer.Option(help="The number of the order or letter.")],
    reason: _Reason,
    acting_as: _As,
) -> None:
    """Ask for the people behind pseudonyms. Somebody else has to approve it."""
    names = _names(source)
    with _desk() as (reversals, accounts):
        actor = accounts.on_console(acting_as, "operator", "auditor")
        asked = reversals.request(
            actor, sector, names, legal_basis=legal_basis, reference=reference, reason=reason
        )
    print(_line(asked))


@app.command()
def approve(reversal_id: _Id, reason: _Reason, acting_as: _As) -> None:
    """Allow a reversal, as somebody else than who asked."""
    with _desk() as (reversals, accounts):
        settled = reversals.approve(accounts.on_console(acting_as, "approver"), reversal_id, reason)
    print(_line(settled))


@app.command()
def refuse(reversal_id: _Id, reason: _Reason, acting_as: _As) -> None:
    """End a reversal before it is performed."""
    with _desk() as (reversals, accounts):
        actor = accounts.on_console(acting_as, "operator", "auditor", "approver")
        settled = reversals.refuse(actor, reversal_id, reason)
    print(_line(settled))


@app.command()
def perform(reversal_id: _Id, source: _File, acting_as: _As) -> None:
    """Print who is behind the pseudonyms, as JSON in their order: once, and to who asked."""
    names = _names(source)
    with _desk() as (reversals, accounts):
        actor = accounts.on_console(acting_as, "operator", "auditor")
        people = asyncio.run(reversals.perform(actor, reversal_id, names))
    for one in people:
        print(json.dumps({"person_id": str(one.person_id) if one.person_id else None, "nik": one.nik}))


def _names(source: Path) -> list[str]:
    try:
        return [line.strip() for line in source.read_text(encoding="ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnusable(
            f"{source} cannot be read as lines of pseudonyms ({type(error).__name__})."
        ) from None


def _line(one: Reversal) -> str:
    until = f", to be performed before {one.perform_until:%Y-%m-%d %H:%M} UTC" if one.perform_until else ""
    return (
        f"{one.id}  {one.state}{until}  {one.names} of {one.sector}, {one.legal_basis} {one.reference}, "
        f"asked by {one.requested_by}"
    )
