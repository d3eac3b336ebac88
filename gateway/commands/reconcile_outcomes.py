"""`gapura reconcile findings | export | report`: what came of the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.commands.reconcile_office import AsOperator, opened_office, utc_now
from gateway.reconciliation.exporting import export_regency, write_report
from gateway.reconciliation.findings import Findings, mark_sent
from gateway.staff.acts import Act, record_in_audit_log

_Reason = Annotated[str, typer.Option(help="Why, for the audit log; names no person.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `gapura reconcile`."""
    app.command("findings")(show_findings)
    app.command("export")(export)
    app.command("report")(report)


def show_findings() -> None:
    """Show how many findings each regency has, by state."""
    states = ("open", "sent", "answered", "closed")
    table = Table("regency", *states, box=SIMPLE_HEAD, show_edge=False)
    with opened_office() as office:
        for region, counts in Findings(office.database, utc_now).counts().items():
            table.add_row(region, *(str(counts.get(state, 0)) for state in states))
    Console(width=100).print(table)


def export(
    regency: Annotated[str, typer.Argument(metavar="CODE", help="Such as 35.78.", show_default=False)],
    reason: _Reason,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("findings"),
    acting_as: AsOperator = None,
) -> None:
    """Write a regency's findings, only of people who live there, as CSV with schema. They count as sent."""
    with opened_office() as office:
        staff = office.staff(acting_as)
        path, written = export_regency(office.database, regency, folder)
        with office.database.unit_of_work() as connection:
            act = Act(
                *(staff.actor, "findings.exported", f"region/{regency}", utc_now(), reason),
                details={"findings": len(written)},
            )
            record_in_audit_log(connection, act)
            mark_sent(connection, written, utc_now())
    print(f"{len(written)} findings of {regency}: {path} and {path.with_suffix('.schema.json').name}")


def report(
    run_id: Annotated[UUID, typer.Argument(metavar="ID", help="The run's id.", show_default=False)],
    folder: Annotated[Path | None, typer.Option(help="Where to write; default report-ID.")] = None,
) -> None:
    """Write a run's report: JSON, CSVs that join by region code, and plots as Vega-Lite."""
    with opened_office() as office:
        for path in write_report(office.runs.get(run_id), folder or Path(f"report-{run_id}")):
            print(path)
