"""`gapura reconcile findings | export | report`: what came of the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.commands.reconcile_office import AsOperator, opened_office, utc_now
from gateway.errors import BadInput
from gateway.reconciliation.exporting import export_regency, write_report
from gateway.reconciliation.findings import Findings, FindingState
from policies.regions import is_region_code

_Reason = Annotated[str, typer.Option(help="Why, for the audit log; names no person.", show_default=False)]

_STATES = get_args(FindingState)
_REGENCY_CHARS = 5


def add_to(app: typer.Typer) -> None:
    """Add the commands to `gapura reconcile`."""
    app.command("findings")(show_findings)
    app.command("export")(export)
    app.command("report")(report)


def show_findings(
    region: Annotated[
        str | None, typer.Option(help="Only this province or regency, such as 35 or 35.78.")
    ] = None,
) -> None:
    """Show how many findings each regency has, by state, and all of them together."""
    if region is not None and not is_region_code(region[:_REGENCY_CHARS]):
        raise BadInput("--region: expected a province or a regency, such as 35 or 35.78.")
    table = Table("regency", *_STATES, "total", box=SIMPLE_HEAD, show_edge=False, show_footer=True)
    with opened_office() as office:
        counted = Findings(office.database, utc_now).counts(region)
    totals: Counter[str] = Counter()
    for regency, counts in counted.items():
        totals.update(counts)
        table.add_row(*_cells(regency, counts))
    for column, cell in zip(table.columns, _cells("total", totals), strict=True):
        column.footer = cell
    Console(width=100).print(table)


def _cells(heading: str, counts: Mapping[str, int]) -> list[str]:
    return [heading, *(str(counts.get(state, 0)) for state in _STATES), str(sum(counts.values()))]


def export(
    regency: Annotated[str, typer.Argument(metavar="CODE", help="Such as 35.78.", show_default=False)],
    reason: _Reason,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("findings"),
    acting_as: AsOperator = None,
) -> None:
    """Write a regency's findings, only of people who live there, as CSV with schema. They count as sent."""
    with opened_office() as office:
        staff = office.staff(acting_as)
        made = export_regency(office.database, staff, regency, reason, utc_now())
    path = made.write(folder)
    print(f"{made.findings} findings of {regency}: {path} and {path.with_suffix('.schema.json').name}")


def report(
    run_id: Annotated[UUID, typer.Argument(metavar="ID", help="The run's id.", show_default=False)],
    folder: Annotated[Path | None, typer.Option(help="Where to write; default report-ID.")] = None,
) -> None:
    """Write a run's report: JSON, CSVs that join by region code, and plots as Vega-Lite."""
    with opened_office() as office:
        for path in write_report(office.runs.get(run_id), folder or Path(f"report-{run_id}")):
            print(path)
