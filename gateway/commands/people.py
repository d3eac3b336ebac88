"""`gapura people`: invented people to try, test and train with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

app = typer.Typer(help="Synthetic people, recognisable as such.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `generate` a command of a group, where more will join it."""


@app.command()
def generate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write; .parquet or .csv.", show_default=False)
    ],
    count: Annotated[int, typer.Option(min=1, help="How many people.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed invents the same people.")],
    population: Annotated[
        Path | None,
        typer.Option(
            help="CSV with the columns code, population_male, population_female that says how many people "
            "live in each regency; without it a regency weighs by its villages within its province."
        ),
    ] = None,
    personas: Annotated[
        bool, typer.Option("--personas", help="Begin with the fixed people of the demo and the examples.")
    ] = False,
) -> None:
    """Invent people in families, with the columns of a DTKS export and the faults of real data.

    Every NIK has a serial from 9000 to 9999, every row says `Sintetis`. A million take seconds.
    """
    from gateway.errors import FileUnusable  # noqa: PLC0415 - here and below: as in commands.registry
    from gateway.registry.synthetic import generate_people  # noqa: PLC0415

    columns = (TextColumn("Inventing people"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=1.0)
        try:
            rows = generate_people(
                file,
                count,
                seed,
                population=population,
                with_personas=personas,
                progress=lambda share: bars.update(task, completed=share),
            )
        except OSError as error:
            raise FileUnusable(f"{file} cannot be written: {error.strerror}") from None
    print(f"{rows} synthetic people are in {file}.")
