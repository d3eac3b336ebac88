"""`gapura reconcile`: the registry beside the population register, watched, paused, resumed, reported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gateway.commands import likely, reconcile_outcomes
from gateway.commands.reconcile_office import AsOperator, Office, opened_office, utc_now
from gateway.errors import BadInput
from gateway.reconciliation.alone import somebody_works
from gateway.reconciliation.runs import Engine, Order, Run
from gateway.staff.roles import Staff

app = typer.Typer(
    help="Reconcile the registry with Dukcapil: runs, findings, likely persons.", no_args_is_help=True
)
_Id = Annotated[UUID, typer.Argument(metavar="ID", help="The run's id.", show_default=False)]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log; names no person.")]
_LOOK_EVERY_S = 0.5


@app.command()
def dukcapil(
    extract: Annotated[
        Path | None,
        typer.Option(help="File or folder from the population register, CSV or Parquet.", show_default=False),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask Dukcapil itself, within its daily quota.")
    ] = False,
    region: Annotated[str | None, typer.Option(help="Only this region, such as 35 or 35.78.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb or spark.")] = "duckdb",
    resume_id: Annotated[
        UUID | None, typer.Option("--resume", metavar="ID", help="Go on with a run.", show_default=False)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Only submit; `serve` or `work` does it.")] = False,
    acting_as: AsOperator = None,
) -> None:
    """Compare the registry with the population register, and store statuses and findings.

    Safe to interrupt and to kill: `--resume ID`, the same command or a serving gateway goes on where it was.
    """
    with opened_office() as office:
        staff = office.staff(acting_as)
        if resume_id is not None:
            run = _taken_up(office, staff, resume_id)
        else:
            order = _order(extract, live, region, engine)
            run = office.runs.submit(staff, order)
        print(f"Reconciliation {run.id}")
        if detach:
            return
        ended = _carried_out(office, run.id)
    _print_run(ended)
    if ended.state == "failed":
        raise typer.Exit(1)


def _order(extract: Path | None, live: bool, region: str | None, engine: str) -> Order:
    if (extract is None) != live:
        raise BadInput("Give --extract FILE, or --live: one of the two.")
    if extract is not None and not extract.exists():
        raise BadInput(f"{extract}: there is no such file or folder.")
    engines: dict[str, Engine] = {"duckdb": "duckdb", "spark": "spark"}
    if engine not in engines:
        raise BadInput("--engine: expected duckdb or spark.")
    path = str(extract.resolve()) if extract is not None else None
    return Order("live" if live else "extract", path, region, engines[engine])


def _taken_up(office: Office, staff: Staff, run_id: UUID) -> Run:
    """A run that goes on: one that a dead process left needs nobody's word for it."""
    run = office.runs.get(run_id)
    return run if run.is_under_way else office.runs.resume(staff, run_id)


def _carried_out(office: Office, run_id: UUID) -> Run:
    """Work on it here, or watch who does; the run as it stands when it is no longer under way."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("Comparing", total=None, rate="")

        def watch(seen: Run) -> bool:
            """Show how far it is; whether to go on watching."""
            run = office.runs.get(run_id)
            if run.people:
                bars.update(
                    task, description="Storing", completed=run.checked, total=run.people, rate=_rate(run)
                )
            return seen.id != run_id or run.is_under_way

        work, told = office.runner(_LOOK_EVERY_S), False
        # Whoever works may end before the run does: then it is ours.
        while not work(watch) and watch(office.runs.get(run_id)):
            if not told:
                bars.console.print("Another process works on reconciliations; watching it.")
                told = True
            time.sleep(_LOOK_EVERY_S)
    return office.runs.get(run_id)


def _rate(run: Run) -> str:
    rate = run.progress(utc_now()).rate_per_s
    return "" if rate is None else f"{rate:,.0f}/s"


@app.command()
def work() -> None:
    """Work on whatever runs are under way, until none is. A serving gateway starts this by itself."""
    with opened_office() as office:
        if not office.runner(_LOOK_EVERY_S)():
            print("Another process works on reconciliations.")


@app.command()
def status(
    run_id: Annotated[
        UUID | None, typer.Argument(metavar="ID", help="One run in full.", show_default=False)
    ] = None,
) -> None:
    """Show the newest runs, or one of them with its figures."""
    with opened_office() as office:
        worked_on = somebody_works(office.database)
        if run_id is not None:
            _print_run(office.runs.get(run_id), worked_on=worked_on)
            return
        table = Table(
            "id", "state", "way", "region", "checked", "submitted", box=SIMPLE_HEAD, show_edge=False
        )
        for run in office.runs.newest():
            state = run.state if worked_on or not run.is_under_way else f"{run.state}, nobody is at it"
            of = f"{run.checked} of {run.people}" if run.people is not None else str(run.checked)
            submitted = f"{run.submitted_at:%Y-%m-%d %H:%MZ}"
            table.add_row(str(run.id), state, run.order.way, run.order.region or "all", of, submitted)
    Console(width=130).print(table)


@app.command()
def pause(run_id: _Id, acting_as: AsOperator = None, reason: _Reason = "") -> None:
    """Have a run stop after the chunk under way."""
    with opened_office() as office:
        print(f"{run_id} is {office.runs.pause(office.staff(acting_as), run_id, reason).state}.")


@app.command()
def resume(
    run_id: _Id,
    acting_as: AsOperator = None,
    reason: _Reason = "",
    detach: Annotated[bool, typer.Option("--detach", help="Only say so; `serve` or `work` does it.")] = False,
) -> None:
    """Have a paused or failed run go on where it stopped."""
    with opened_office() as office:
        run = office.runs.resume(office.staff(acting_as), run_id, reason)
        if not detach:
            run = _carried_out(office, run_id)
    _print_run(run)


@app.command()
def cancel(run_id: _Id, acting_as: AsOperator = None, reason: _Reason = "") -> None:
    """End a run for good; what it stored stays, with its history."""
    with opened_office() as office:
        print(f"{run_id} is {office.runs.cancel(office.staff(acting_as), run_id, reason).state}.")


def _print_run(run: Run, *, worked_on: bool = True) -> None:
    print(f"{run.id}: {run.state}" + (f": {run.failure}" if run.failure else ""))
    if run.is_under_way and not worked_on:
        print("  Nobody is at it: no process works on reconciliations. A serving gateway goes on with it,")
        print(f"  or: gapura reconcile dukcapil --resume {run.id}")
    of = f" of {run.people}" if run.people is not None else ""
    print(f"  {run.checked}{of} people gone through, as of {run.as_of or 'today'}")
    print(f"  {run.changed} statuses changed; {run.opened} findings opened, {run.closed} closed")
    for word, count in sorted(run.counts.items(), key=lambda item: -item[1]):
        print(f"    {count:>12,}  {word.replace('_', ' ')}")
    if run.accepted_by_rule:
        print(f"  {run.accepted_by_rule} likely persons were accepted by a rule: `rules list` shows it")
    for problem in run.problems:
        print(f"  not used: {problem['said']['en']}")


likely.add_to(app)
reconcile_outcomes.add_to(app)
