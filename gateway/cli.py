"""`gapura`: one command, its groups, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import sys

import httpx
import typer

from gateway.commands import (
    agreements,
    areas,
    audit,
    consumers,
    exchange,
    keys,
    people,
    registry,
    reversals,
    rights,
    serving,
    simulate,
    sources,
    staff,
    trying,
)
from gateway.errors import GapuraError
from gateway.oauth.client import TokenRequestRefused
from policies.errors import PolicyError

app = typer.Typer(
    name="gapura",
    help="Inter-agency data-exchange gateway for the social-welfare registry.\n\n"
    "Begin with `gapura demo`: it sets everything up on synthetic people and walks through the main job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those hold people
    add_completion=False,
)
app.add_typer(consumers.app, name="consumers")
app.add_typer(agreements.app, name="agreements")
app.add_typer(people.app, name="people")
app.add_typer(registry.app, name="registry")
app.add_typer(keys.app, name="keys")
app.add_typer(reversals.app, name="reversals")
app.add_typer(audit.app, name="audit")
app.add_typer(sources.app, name="sources")
app.add_typer(staff.app, name="staff")
app.add_typer(rights.app, name="rights")
app.add_typer(areas.app, name="areas")
trying.add_to(agreements.app)
app.command("demo")(exchange.demo)
app.command("ask")(exchange.ask)
app.command("serve")(serving.serve)
app.command("simulate")(simulate.simulate)
app.command("migrate")(serving.migrate)


def main() -> None:
    """Run the command; a foreseen error is told in its own words, without a traceback, with exit code 2."""
    try:
        app()
    except (GapuraError, PolicyError, TokenRequestRefused) as error:
        sys.stderr.write(f"gapura: {error}\n")
        raise SystemExit(2) from None
    except httpx.TransportError as error:
        sys.stderr.write(f"gapura: no gateway answers there ({type(error).__name__}); is one started?\n")
        raise SystemExit(2) from None
