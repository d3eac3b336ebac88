"""`gapura consumers signatures`: for which consumers messages are signed (RFC 9421)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.commands.opening import opened_database
from gateway.errors import BadInput
from gateway.signatures.terms import MODES, all_modes, set_mode
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION


def add_to(app: typer.Typer) -> None:
    """Add the command to `gapura consumers`."""
    app.command("signatures")(signatures)


def signatures(
    consumer_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The consumer's id; without it, all are listed.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Argument(
            metavar="[off|responses|both]",
            help="responses: we sign our answers. both: its requests must be signed as well.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
    acting_as: Annotated[
        str | None, typer.Option("--as", help="The staff account as whom you act; none: the installation.")
    ] = None,
) -> None:
    """Switch signed messages (RFC 9421) for a consumer. It counts at once; tell the partner beforehand."""
    with opened_database() as database:
        if consumer_id is None or mode is None:
            for one, present in sorted(all_modes(database).items()):
                if consumer_id in {None, one}:
                    print(f"{one}  {present}")
            return
        if mode not in MODES:
            raise BadInput(f"Expected one of {', '.join(MODES)}, got {mode}.")
        actor = INSTALLATION
        if acting_as is not None:
            actor = StaffAccounts(database, _now, record_in_audit_log).on_console(acting_as)
        before = set_mode(database, actor, consumer_id, mode, reason, _now())
    print(f"{consumer_id}: {mode} (before: {before}).")


def _now() -> datetime:
    return datetime.now(UTC)
