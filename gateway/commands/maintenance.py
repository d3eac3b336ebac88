"""`gapura maintenance`: close the gateway with word of until when, open it again, and see how it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.civil_day import wib
from gateway.database import Database
from gateway.errors import BadInput, StoreUnavailable
from gateway.maintenance.orders import Orders
from gateway.maintenance.switch import FILE_NAME, lay_down, read_switch, take_away
from gateway.maintenance.window import Window, planned
from gateway.settings import Settings, load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff

app = typer.Typer(
    help="Close the gateway for maintenance, with word of until when, and open it again.",
    no_args_is_help=True,
)

_As = Annotated[
    str | None, typer.Option("--as", help="The staff account as whom you act; none means the installation.")
]
_ThisNode = Annotated[
    bool,
    typer.Option(
        "--this-node",
        help=f"By the file {FILE_NAME} in this machine's home folder, without the database: for when it is "
        "the database that is being maintained. Say it on every node.",
    ),
]


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _orders(settings: Settings, acting_as: str | None) -> Iterator[tuple[Orders, Staff]]:
    """Never migrates: a window may be what a migration waits for."""
    database = Database(settings.session_database_url)
    try:
        accounts = StaffAccounts(database, _now, record_in_audit_log)
        actor = INSTALLATION if acting_as is None else accounts.on_console(acting_as, "operator")
        yield Orders(database, record_in_audit_log, _now), actor
    except StoreUnavailable:
        raise StoreUnavailable(
            "The database did not answer. To close this machine without it: the same with --this-node."
        ) from None
    finally:
        database.close()


@app.command("on")
def begin(
    until: Annotated[str, typer.Option(help="What partners are told, such as 2026-12-01T02:00+07:00.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log; partners are not told.")],
    begins_at: Annotated[
        str, typer.Option("--from", help="When it begins, announced until then; left out: now.")
    ] = "",
    this_node: _ThisNode = False,
    acting_as: _As = None,
) -> None:
    """Answer exchanges and changes with a 503 that says until when; reading goes on.

    Every node and worker obeys within seconds. It lasts until `gapura maintenance off`, not until the moment
    that was told: nothing opens by itself while somebody is still at work.
    """
    settings = load_settings()
    first, last = _moment("--from", begins_at) if begins_at else None, _moment("--until", until)
    if this_node:
        if first is not None:
            raise BadInput("--from: expected nothing with --this-node; the file closes at once.")
        window = planned(begins_at=None, until=last, reason=reason, ordered_by="file", now=_now())
        typer.echo(f"Closed by {lay_down(settings.home, window)}: this node alone, and not on record.")
        return
    with _orders(settings, acting_as) as (orders, actor):
        window = orders.order(actor, begins_at=first, until=last, reason=reason)
    _print(window)


@app.command("off")
def end(
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "done",
    this_node: _ThisNode = False,
    acting_as: _As = None,
) -> None:
    """Serve again, or take an announcement back; every node and worker within seconds."""
    settings = load_settings()
    if this_node:
        there = take_away(settings.home)
        typer.echo("The file is gone." if there else f"There was no {FILE_NAME} in {settings.home}.")
        return
    with _orders(settings, acting_as) as (orders, actor):
        orders.end(actor, reason)
    typer.echo("The gateway serves again within seconds.")
    if read_switch(settings.home) is not None:
        typer.echo(f"This node does not: {settings.home / FILE_NAME} closes it. Add --this-node.")


@app.command()
def status(
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Say whether the gateway is open, closed or announced to be: by the database, by this node's file."""
    settings = load_settings()
    switched = read_switch(settings.home)
    try:
        with _orders(settings, None) as (orders, _):
            ordered, answers = orders.present(), True
    except StoreUnavailable:
        ordered, answers = None, False
    if output == "json":
        told = {"database": _as_json(ordered) if answers else "no answer", "file": _as_json(switched)}
        typer.echo(json.dumps(told, indent=2))
        return
    if not answers:
        typer.echo("The database did not answer; what it said last stands.")
    elif ordered is None:
        typer.echo("No maintenance is ordered.")
    else:
        _print(ordered)
    if switched is not None:
        _print_file(settings.home / FILE_NAME, switched)


def _moment(option: str, text: str) -> datetime:
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"{option}: expected a moment with its zone, such as 2026-12-01T02:00+07:00.")
    return moment


def _shown(moment: datetime) -> str:
    """As the clocks on the wall say it, with their zone."""
    return wib(moment).isoformat(timespec="minutes")


def _print(window: Window) -> None:
    state = "CLOSED" if window.in_force(_now()) else "announced"
    assert window.until is not None  # noqa: S101 - only a file says nothing of it
    typer.echo(
        f"{state}: from {_shown(window.begins_at)} until {_shown(window.until)}, "
        f"ordered by {window.ordered_by}: {window.reason}"
    )
    if window.in_force(_now()) and window.until <= _now():
        typer.echo("It lasts longer than partners were told. `gapura maintenance on` tells them a new end.")


def _print_file(file: Path, window: Window) -> None:
    until = "no end told" if window.until is None else f"until {_shown(window.until)}"
    typer.echo(f"CLOSED by {file}: {until}; {window.reason or 'no reason given'}")


def _as_json(window: Window | None) -> dict[str, str | bool | None] | None:
    if window is None:
        return None
    return {
        "in_force": window.in_force(_now()),
        "begins_at": window.begins_at.isoformat(),
        "until": window.until.isoformat() if window.until else None,
        "reason": window.reason,
        "ordered_by": window.ordered_by,
    }
