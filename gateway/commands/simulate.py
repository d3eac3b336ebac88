"""`gapura simulate`: the outside sources as servers on invented people, to train against."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway import migrations
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.settings import load_settings


def simulate(
    port: Annotated[
        int, typer.Option(min=1, max=65000, help="Port of the first source; the others follow.")
    ] = 9101,
    people: Annotated[
        int,
        typer.Option(min=1, max=1_000_000, help="How many of the registry's people, beside the personas."),
    ] = 20_000,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave this source down, such as bpjs or programmes; repeatable."),
    ] = None,
    extract: Annotated[
        Path | None,
        typer.Option(
            help="Write what Dukcapil would hand over of these people into this CSV, and end.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve simulators of every source, of the programmes' lists and of BIG's maps until Ctrl-C.

    They know the registry's synthetic people, and refuse a registry that holds anybody else. Maps have real
    regions with invented borders. `GAPURA_HOME/sources.toml` is written to lead there, with training
    credentials in GAPURA_HOME/training: every command and `gapura serve` of this home find it.
    """
    from gateway.sources.training import (  # noqa: PLC0415 - only this command waits
        Training,
        simulator_names,
        training_people,
    )
    from gateway.sources.training_extract import write_extract  # noqa: PLC0415 - as above

    settings = load_settings()
    down = set(without or ())
    if down - set(simulator_names()):
        raise typer.BadParameter(f"The simulated sources are {', '.join(simulator_names())}.")
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.session_database_url)
    try:
        migrations.migrate(database)
        population = training_people(database, people)
    finally:
        database.close()
    if extract is not None:
        written = write_extract(population, extract, civil_day(datetime.now(UTC)))
        print(f"{extract}: {written} people. Next: gapura reconcile dukcapil --extract {extract}")
        return
    training = Training(population, settings.home, port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        for name in training.names:
            print(f"{name}: " + ("left down" if name in down else training.start(name)))
        print(f"\n{training.file}:\n\n{training.write_configuration()}")
        print("Serving until Ctrl-C.", flush=True)
        stop.wait()
    finally:
        training.close()
