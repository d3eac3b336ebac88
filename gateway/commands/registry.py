"""`gapura registry`: what the registry holds, and bringing files into it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.commands.opening import opened_database

if TYPE_CHECKING:
    # DuckDB and the table of villages take half a second to import: only these commands wait for them.
    from gateway.registry.imports import ImportReport

app = typer.Typer(help="The registry (DTKS): regions and imports.", no_args_is_help=True)


@app.command()
def regions() -> None:
    """Load the provinces, regencies, districts and villages. An import does it too, if there are none."""
    from gateway.registry.regions import EDITION, load_regions  # noqa: PLC0415 - see above

    with opened_database() as database:
        added = load_regions(database)
    print(f"{added} regions added; edition {EDITION}." if added else f"Edition {EDITION} is there already.")


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="DTKS flat export or DTSEN extract; .csv or .parquet.", show_default=False
        ),
    ],
    period: Annotated[
        str | None, typer.Option(help="Quarter of the deciles, like 2026-Q3, where no column says it.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day the file speaks of; default today in Jakarta."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where to list the rows that were not taken; default FILE.rejects.csv."),
    ] = None,
) -> None:
    """Bring the people of a file into the registry.

    Faulty rows are listed with their reason and the others are taken. The same file again changes nothing,
    and an import that was interrupted is simply run again. Ends with 1 when no row could be taken.
    """
    from gateway.registry.imports import import_registry  # noqa: PLC0415 - see above

    rejects = rejects or file.with_name(f"{file.name}.rejects.csv")
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with opened_database() as database, Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=None)
        report = import_registry(
            database,
            file,
            period=period,
            as_of=as_of.date() if as_of else None,
            rejects=rejects,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    _print_report(report, rejects)
    if report.rejected and not report.imported + report.unchanged:
        raise typer.Exit(1)


def _print_report(report: ImportReport, rejects: Path) -> None:
    from gateway.registry.rejects import WARNINGS  # noqa: PLC0415 - see above

    print(
        f"{report.read} rows read as of {report.as_of}: {report.imported} imported, "
        f"{report.unchanged} unchanged, {report.rejected} rejected."
    )
    if report.rejected:
        print(f"Why rows were rejected: {rejects}")
    for warning, count in sorted(report.warnings.items()):
        print(f"  {count} people with {WARNINGS[warning]}")
    if report.ignored:
        print(f"Columns without meaning here: {', '.join(report.ignored)}")
