"""`gapura keys`: the keys that sign access tokens. The master key has no command: it never changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.keys import JWKS_MAX_AGE_S, Keys
from gateway.settings import load_settings

app = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


def _open() -> Keys:
    settings = load_settings()
    return Keys.open(settings.home / "keys")


@app.command("list")
def list_keys() -> None:
    """Show every signing key and where it is in its life."""
    for status in _open().statuses(datetime.now(UTC)):
        until = f"{status.published_until:%Y-%m-%d %H:%M:%S} UTC" if status.published_until else "open"
        since = f"{status.signs_from:%Y-%m-%d %H:%M:%S} UTC" if status.signs_from.timestamp() else "the start"
        print(f"{status.kid}  {status.state:9}  signs from {since}  published until {until}")


@app.command()
def rotate(
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Sign with it at once, for emergencies; readers of the JWKS may lag behind."
        ),
    ] = False,
) -> None:
    """Add a signing key: published now, used when every reader of the JWKS can know it."""
    key = _open().rotate(datetime.now(UTC), delay_s=0 if now else JWKS_MAX_AGE_S)
    print(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC. Running processes need no restart.")


@app.command()
def retire(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id.", show_default=False)],
) -> None:
    """Delete a signing key at once: every token that it signed is refused. For a key that leaked.

    A key that merely is old leaves by itself, after `rotate`.
    """
    _open().retire(kid, datetime.now(UTC))
    print(f"{kid} is retired: whatever it signed is refused.")
