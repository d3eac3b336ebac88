"""`gapura`: one command, its groups, and the one place where an error becomes a sentence and an exit code.

A command's module is imported when that command is called: `gapura consumers list` need not wait for a web
framework. It MUST NOT hold what a command does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# Where each command is: a module whose `app` is the group, or a module and the function that is the command.
_COMMANDS = {
    "demo": "exchange:demo",
    "ask": "ask:ask",
    "serve": "serving:serve",
    "migrate": "serving:migrate",
    "maintenance": "maintenance",
    "backup": "backup",
    "restore": "restore",
    "simulate": "simulate:simulate",
    "consumers": "consumers",
    "agreements": "agreements",
    "people": "people",
    "registry": "registry",
    "keys": "keys",
    "reversals": "reversals",
    "audit": "audit",
    "sources": "sources",
    "staff": "staff",
    "rights": "rights",
    "areas": "areas",
    "reconcile": "reconcile",
    "doctor": "doctor:doctor",
}


class _Commands(TyperGroup):
    """The commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        name, _, function = _COMMANDS[cmd_name].partition(":")
        module = import_module(f"gateway.commands.{name}")
        if not function:
            group = get_command(module.app)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(cmd_name, no_args_is_help=cmd_name == "ask")(getattr(module, function))
        return get_command(alone)


app = typer.Typer(
    name="gapura",
    cls=_Commands,
    help="Inter-agency data-exchange gateway for the social-welfare registry.\n\n"
    "Begin with `gapura demo`: it sets everything up on synthetic people and walks through the main job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those hold people
    add_completion=False,
)


@app.callback()
def _gapura() -> None: ...


def main() -> None:
    """Run the command; a foreseen error is told in its own words, without a traceback, with exit code 2."""
    try:
        app()
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        sys.stderr.write(f"gapura: {told}\n")
        raise SystemExit(2) from None


def _told(error: Exception) -> str | None:
    """What to say of a foreseen error; None for one that nobody foresaw."""
    import httpx  # noqa: PLC0415 - here and below: only a command that failed has to wait for these

    from gateway.errors import GapuraError  # noqa: PLC0415
    from gateway.oauth.client import TokenRequestRefused  # noqa: PLC0415
    from policies.errors import PolicyError  # noqa: PLC0415

    if isinstance(error, GapuraError | PolicyError | TokenRequestRefused):
        return str(error)
    if isinstance(error, httpx.TransportError):
        asked, kind = error.request.url.netloc.decode(), type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return f"this machine does not trust the certificate of {asked}; deploy/README.md: TLS, in A."
        return f"no gateway answers at {asked} ({kind}); is one started, and is GAPURA_PORT its port?"
    return None
