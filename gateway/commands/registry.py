"""`gapura registry`: what the registry holds, and bringing files into it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.commands.opening import opened_database
from gateway.errors import BadInput
from gateway.settings import load_settings

if TYPE_CHECKING:
    # DuckDB and the table of villages take half a second to import: only these commands wait for them.
    from gateway.registry.existing.sample import SampledPart
    from gateway.registry.imports import ImportReport

app = typer.Typer(help="The registry (DTKS): regions, imports, an existing database.", no_args_is_help=True)


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
    from gateway.reconciliation.settled_niks import settled_niks  # noqa: PLC0415 - see above
    from gateway.registry.imports import import_registry  # noqa: PLC0415 - see above

    settings = load_settings()
    if mapped := settings.registry_file:
        raise BadInput(
            f"The registry is the existing database that {mapped} maps, and it is only read: what is "
            "imported here would answer nobody. Unset GAPURA_REGISTRY_FILE to use the gateway's own tables."
        )
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
            keep_settled=settled_niks(database, settings),
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
        print(f"Why rows were rejected: {rejects} (its row numbers count the headings as row 1)")
    for warning, count in sorted(report.warnings.items()):
        print(f"  {count} people with {WARNINGS[warning]}")
    if report.niks_kept:
        print(
            f"  {report.niks_kept} people keep the NIK that was accepted for them: the file still has the "
            "one before; have it corrected at the source"
        )
    for name, heading in report.unstated.items():
        print(f"  No column for {name.replace('_', ' ')} (such as {heading}): what was known of it stays")
    if report.ignored:
        print(f"Columns without meaning here: {', '.join(report.ignored)}")


@app.command("check-mapping")
def check_mapping(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The mapping, a TOML file.", show_default=False)
    ],
    rows: Annotated[int, typer.Option(min=1, help="Rows of each table to look at.")] = 10_000,
) -> None:
    """Try the mapping of an existing DTKS database: connect, count, and see how much of it can be read.

    Shows columns, types and shares, and no value. Ends with 1 when the gateway would not start on it.
    """
    from gateway.registry.existing.connector import provided_by  # noqa: PLC0415 - see above
    from gateway.registry.existing.database import can_be_locked  # noqa: PLC0415
    from gateway.registry.existing.mapping import PROVIDABLE, read_mapping  # noqa: PLC0415
    from gateway.registry.existing.sample import sample  # noqa: PLC0415

    mapping = read_mapping(file)
    for part in sample(mapping, rows):
        _print_part(part)
    provided = provided_by(mapping)
    print(f"Provided: {', '.join(sorted(provided))}")
    if missing := PROVIDABLE - provided:
        print(f"Not mapped, so not provided: {', '.join(sorted(missing))}")
    if not can_be_locked(mapping.url):
        print("This kind of database cannot be told to refuse writes: give the account SELECT rights only.")


def _print_part(part: SampledPart) -> None:
    headings = ("field", "column", "type", "usable", "empty", "unusable")
    table = Table(*headings, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for one in part.columns:
        counts = (one.usable, one.empty, one.unusable)
        table.add_row(one.role, one.name, one.type, *(_share(count, part.sampled) for count in counts))
    print(f"{part.name}: {part.table}, {part.rows} rows, the first {part.sampled} of them read")
    Console(width=120).print(table)
    for sentence in part.advice:
        print(f"  {sentence}")
    print()


def _share(count: int, of: int) -> str:
    return "-" if not count else f"{100 * count / of:.1f} %"
