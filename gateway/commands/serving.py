"""`gapura serve` and `gapura migrate`."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from typing import Annotated, Literal, TypedDict

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from gateway import migrations
from gateway.agreements.store import PolicyStore
from gateway.audit.months import LogMonths
from gateway.commands.opening import opened_database
from gateway.grants import grant
from gateway.settings import Settings, load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8080.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; more than one needs PostgreSQL.")] = None,
) -> None:
    """Serve the gateway until it is told to stop.

    Settings come from GAPURA_* variables or the TOML file named by GAPURA_SETTINGS_FILE; the options here
    win over both. All problems are told at once, before anything listens.
    """
    settings = load_settings(host=host, port=port, workers=workers)
    run_server(settings)


def run_server(settings: Settings) -> None:
    """Check that the gateway can start, then serve with uvicorn in this process or its workers."""
    # Workers read the environment, so what the command line said goes there too.
    os.environ.update(settings.environment())
    if settings.workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        # Before prometheus_client is imported by a worker: it decides at import how it counts.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="gapura-metrics-")
    from gateway.app import build_app, build_services  # noqa: PLC0415 - after the environment is complete

    services = build_services(settings)  # tells every problem here, once, instead of in each worker
    if settings.workers > 1:
        services.close()
    how = _Serving(
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Whose certificate counts is asked of the peer itself: no header may say who it is.
        proxy_headers=False,
        loop="uvloop",
        http="httptools",
    )
    if settings.workers == 1:
        uvicorn.run(build_app(services), **how)
    else:
        config = uvicorn.Config("gateway.app:create_app", factory=True, workers=settings.workers, **how)
        _Workers(config, [config.bind_socket()]).run()


def _waits(done: migrations.Migrated) -> str:
    return (
        f"The schema serves this version and the one before it. {', '.join(done.waiting)} waits: run `gapura "
        "migrate --contract` once every node has this version and stays with it."
    )


class _Serving(TypedDict):
    """What uvicorn is told of every process."""

    host: str
    port: int
    log_config: None
    access_log: bool
    server_header: bool
    proxy_headers: bool
    loop: Literal["uvloop"]
    http: Literal["httptools"]


class _Workers(Multiprocess):
    """uvicorn's workers, with one door less when they leave.

    The one that this process holds open would let in callers whom no worker serves any more.
    """

    def terminate_all(self) -> None:
        for one in self.sockets:
            one.close()
        super().terminate_all()


def migrate(
    to_roles: Annotated[
        bool,
        typer.Option("--grant", help="Then give the roles of deploy/postgresql/roles.sql what they need."),
    ] = False,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Also take away what only older versions need, once none of them serves. There is no way "
            "back.",
        ),
    ] = False,
) -> None:
    """Bring the database to the newest schema while others serve. Safe to repeat, anywhere, at any time.

    What older versions still need is left until --contract. A database without policies takes those of
    GAPURA_POLICIES (default: the shipped examples), once: from then on `gapura agreements apply` brings them
    in.
    """
    folder = load_settings().policies
    with opened_database(migrated=False) as database:
        done = migrations.migrate(database, contract=contract, tell=typer.echo)
        store = PolicyStore(database, lambda: datetime.now(UTC))
        filled = store.seed(folder)
        LogMonths(database, lambda: datetime.now(UTC)).tend()
        policies = len({(version.kind, version.name) for version in store.versions()})
        granted = grant(database) if to_roles else 0
    typer.echo("The schema is current." if not done.waiting else _waits(done))
    if granted:
        typer.echo(f"The roles have what they need of {granted} tables, and no more.")
    if filled:
        typer.echo(f"The empty store of policies was filled from {folder}: {policies} policies are in force.")
    else:
        typer.echo(f"The store holds {policies} policies already; {folder} was not read.")
