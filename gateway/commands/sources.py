"""`gapura sources`: how the outside sources fare, pulling a programme's list, returning data to Dukcapil."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import select

from connectors.dukcapil.feedback import FeedbackSettings
from connectors.programmes.rows import REJECTIONS
from connectors.transport.client import Transport
from connectors.transport.failures import SourceFailure
from gateway import migrations
from gateway.audit.entry import SubjectHasher
from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.errors import BadInput, NotFound
from gateway.installation import open_keys
from gateway.settings import SOURCES_FILE, Settings, load_settings
from gateway.sources.configured import FEEDBACK, MAPS, read_sources
from gateway.sources.feedback import FeedbackReport, FeedbackRow, deliver_rows, read_feedback
from gateway.sources.feedback_acts import record_begun, record_ended
from gateway.sources.folder import Sources, build_sources
from gateway.sources.programme_lists import FoundDouble, NotTaken, ProgrammePull, PullReport
from gateway.sources.reports import FRESH_FOR, SourceOverview, overviews
from gateway.sources.tables import programme_cursors
from gateway.staff.roles import INSTALLATION

app = typer.Typer(
    help="The outside sources: how they fare, checking one, pulling a programme's list, feedback to Dukcapil."
)

_PROBLEMS: Mapping[str, tuple[str, str]] = {
    **REJECTIONS,
    "unknown": ("NIK ini tidak ada dalam registri", "nobody in the registry holds this NIK"),
    "ambiguous": ("NIK ini milik beberapa orang", "several people of the registry hold this NIK"),
}
_MOMENT = "%Y-%m-%d %H:%M:%SZ"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 0))
_File = Annotated[
    Path | None,
    typer.Option(
        "--file", help="The sources.toml to use; default GAPURA_SOURCES or GAPURA_HOME/sources.toml."
    ),
]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def _opened(settings: Settings, file: Path | None) -> AsyncIterator[tuple[Sources, Database]]:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.session_database_url)
    try:
        await asyncio.to_thread(migrations.migrate, database)
        sources = build_sources(file or settings.sources_file, database, _utc_now)
        try:
            yield sources, database
        finally:
            await sources.aclose()
    finally:
        database.close()


@app.callback(invoke_without_command=True)
def show(context: typer.Context, file: _File = None) -> None:
    """Show each source as the serving processes see it: reachable, breaker, latency, quota, last events."""
    if context.invoked_subcommand is not None and file is not None:
        raise BadInput(
            f"--file belongs behind the command: gapura sources {context.invoked_subcommand} --file ..."
        )
    if context.invoked_subcommand is None:
        asyncio.run(_show(load_settings(), file))


async def _show(settings: Settings, file: Path | None) -> None:
    async with _opened(settings, file) as (sources, database):
        names = [state.name for state in sources.states()]
        if not names:
            print(_nothing(settings, file or settings.sources_file))
            return
        seen = {one.name: one for one in await asyncio.to_thread(overviews, database, _utc_now())}
        quotas = {name: await sources.quota_left(name) for name in names}
        pulled = await asyncio.to_thread(_pulled, database)
    _print_table(names, seen, quotas, _utc_now())
    for programme, one in sources.lists.items():
        as_of = pulled.get(one.source.name)
        print(f"List of {programme}: " + (f"as of {as_of}" if as_of else "never pulled"))


def _nothing(settings: Settings, file: Path | None) -> str:
    if file is not None:
        return f"No outside source is configured in {file}."
    own = settings.home / SOURCES_FILE
    return f"No outside source is configured: there is no {own}, and GAPURA_SOURCES names no other file."


def _pulled(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        rows = connection.execute(select(programme_cursors.c.source, programme_cursors.c.as_of))
        return {row.source: row.as_of for row in rows}


def _print_table(
    names: list[str], seen: Mapping[str, SourceOverview], quotas: Mapping[str, int | None], now: datetime
) -> None:
    headings = ("source", "reachable", "breaker", "latency", "quota left", "success", "failure")
    table = Table(*headings, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in names:
        one, quota = seen.get(name), quotas[name]
        table.add_row(
            name,
            {None: "not asked", True: "yes", False: "no"}[one.reachable if one else None],
            one.breaker.replace("_", " ") if one else "-",
            f"{one.latency_s * 1000:.0f} ms" if one and one.latency_s is not None else "-",
            "-" if quota is None else str(quota),
            _age(one.last_success if one else None, now),
            _age(one.last_failure if one else None, now),
        )
    Console().print(table)
    for name in names:
        if (told := seen.get(name)) and told.last_cause:
            print(last_failure_told(told, now))
    if silent := [name for name in names if name not in seen]:
        print(
            f"No serving process reported within {FRESH_FOR.seconds} s on {', '.join(silent)}. "
            "`gapura sources check NAME` asks now."
        )


def last_failure_told(one: SourceOverview, now: datetime) -> str:
    """The last failure with its cause, as what is or as what has been."""
    failed = f"{one.last_failure:{_MOMENT}} ({_age(one.last_failure, now)}): {one.last_cause}"
    if one.recovered:
        again = f"answers again since {one.last_success:{_MOMENT}} at the latest"
        return f"{one.name}: {again}. Last failure {failed}"
    if one.unavailable_since is not None:
        return f"{one.name}: DOWN since {one.unavailable_since:{_MOMENT}}: {one.last_cause}"
    # What concerned one question only says nothing of the source.
    return f"{one.name}: its last question failed at {failed}"


def _age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    if moment is None:
        return "-"
    seconds = max(0, int((now - moment).total_seconds()))
    unit, size = next(pair for pair in _UNITS if seconds >= pair[1])
    return f"{seconds // max(size, 1)} {unit} ago"


@app.command()
def check(
    name: Annotated[
        str,
        typer.Argument(help="A source, such as dukcapil, a programme with a list, or big, the map server."),
    ],
    file: _File = None,
) -> None:
    """Ask one source now, about nobody, and say whether it answers us. Costs one call of a quota."""
    asyncio.run(_check(load_settings(), name, file))


async def _check(settings: Settings, name: str, file: Path | None) -> None:
    async with _opened(settings, file) as (sources, _):
        began = time.perf_counter()
        try:
            if name == MAPS:
                await _check_maps(file or settings.sources_file)
            else:
                await sources.check(name)
        except SourceFailure as failure:
            sys.stderr.write(f"{name} does not answer us: {failure.cause}\n")
            raise typer.Exit(1) from None
        print(f"{name} answers ({(time.perf_counter() - began) * 1000:.0f} ms).")


async def _check_maps(file: Path | None) -> None:
    """Maps are no source that is asked about people: their layers are looked at, no area is pulled."""
    from gateway.areas.configured import read_map_server  # noqa: PLC0415 - Shapely takes its time to import

    await read_map_server(file).check()


@app.command()
def pull(
    programme: Annotated[str, typer.Argument(help="A programme whose list is configured, such as PKH.")],
    file: _File = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to list rows not taken and double memberships; default GAPURA_HOME/pulls."),
    ] = None,
    within_s: Annotated[float, typer.Option(min=1, help="Stop after this many seconds.")] = 3600,
    accept_shrink: Annotated[
        bool,
        typer.Option(
            "--accept-shrink",
            help="Go on although more would end than GAPURA_MOST_SHRINK_PERCENT (default 20) allows unasked.",
        ),
    ] = False,
) -> None:
    """Bring what is new in a programme's membership list into the registry's enrolments.

    A pull that is cut short goes on where it stopped. One that would end a large share of the list's
    memberships is held: nothing is taken without --accept-shrink. The double memberships that it finds are
    written with both memberships as evidence, by internal person id.
    """
    settings = load_settings()
    folder = folder or settings.home / "pulls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    most_percent = None if accept_shrink else settings.most_shrink_percent
    report = asyncio.run(_pull(settings, programme, file, folder, within_s, most_percent))
    print(
        f"{programme} as of {report.as_of or 'the last pull'}: {report.pages} pages, {report.taken} "
        f"memberships new or changed, {report.unchanged} unchanged, {report.not_taken.total()} not taken."
    )
    if report.begun_anew:
        print("The publisher had forgotten where we stopped: the whole list came again.")
    if report.superseded:
        print(f"  {report.superseded} enrolments of other sources gave way to the list's own word")
    for problem, count in sorted(report.not_taken.items()):
        print(f"  {count} not taken: {_PROBLEMS[problem][1]}")
    for pair, count in sorted(report.doubles.items(), key=lambda item: sorted(item[0])):
        print(f"  {count} memberships overlap: {' and '.join(sorted(pair))}")


async def _pull(
    settings: Settings,
    programme: str,
    file: Path | None,
    folder: Path,
    within_s: float,
    most_ended_percent: int | None,
) -> PullReport:
    if settings.registry_file:
        raise BadInput(
            "The registry is an existing database, which is only read: a list cannot be pulled into it."
        )
    async with _opened(settings, file) as (sources, database):
        one = sources.list_of(programme)
        with ExitStack() as files:
            write_row = files.enter_context(_csv(folder / f"{programme}-not-taken.csv", _NOT_TAKEN))
            write_double = files.enter_context(_csv(folder / f"{programme}-doubles.csv", _DOUBLES))
            pulling = ProgrammePull(
                database,
                one.source,
                exclusive=one.exclusive_pairs,
                most_ended_percent=most_ended_percent,
                on_not_taken=lambda row: write_row(_not_taken(row)),
                on_double=lambda double: write_double(_double(double)),
            )
            try:
                return await pulling(asyncio.get_running_loop().time() + within_s)
            except SourceFailure as failure:
                sys.stderr.write(f"The pull stopped, and its pages so far are kept: {failure.cause}\n")
                raise typer.Exit(1) from None


@app.command()
def feedback(
    returned: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV: a column NIK, one column per parameter.", show_default=False
        ),
    ],
    file: _File = None,
) -> None:
    """Deliver data balikan to Dukcapil: what every user of population data owes it in return.

    Safe to run again after anything that went wrong: Dukcapil tells what it has already, and nothing counts
    twice. The file must not be changed in between. Ends with 1 when Dukcapil does not have everything. The
    audit log holds about whom Dukcapil was told, as their access history does.
    """
    settings = load_settings()
    service = read_sources(file or settings.sources_file).feedback
    if service is None:
        raise NotFound(f"No feedback service is configured: give sources.toml a section [{FEEDBACK}].")
    rows = read_feedback(returned)
    with opened_database() as database:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        record_begun(database, SubjectHasher(keys.audit_key), INSTALLATION, rows, _utc_now())
        report = asyncio.run(_deliver(rows, service))
        record_ended(database, INSTALLATION, report, _utc_now())
    print(
        f"{len(rows)} people: {report.delivered} delivered, {report.already_there} already at Dukcapil, "
        f"{len(report.refused)} messages refused."
    )
    _tell_what_is_missing(report)
    if not report.complete:
        raise typer.Exit(1)


async def _deliver(rows: tuple[FeedbackRow, ...], service: FeedbackSettings) -> FeedbackReport:
    columns = (TextColumn("Delivering"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=len(rows))
        async with Transport(service.source) as transport:
            return await deliver_rows(
                rows, transport, service, lambda done, total: bars.update(task, completed=done, total=total)
            )


def _tell_what_is_missing(report: FeedbackReport) -> None:
    for first, last in report.refused:
        sys.stderr.write(f"Rows {first} to {last} were refused: check the institution and the parameters.\n")
    if report.stopped_at is not None:
        sys.stderr.write(
            f"The delivery stopped before row {report.stopped_at}: {report.cause}\n"
            "Run the same command again when that is mended.\n"
        )


_NOT_TAKEN = ("page", "position", "column", "problem_id", "problem_en")
_DOUBLES = (
    "person_id",
    *(f"{half}_{part}" for half in ("first", "second") for part in ("programme", "from", "to", "source")),
    *("since", "until"),
)


@contextmanager
def _csv(path: Path, headings: tuple[str, ...]) -> Iterator[Callable[[tuple[object, ...]], None]]:
    """A file of mode 0600 that takes rows."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), 0o600)
        writer = csv.writer(file)
        writer.writerow(headings)
        yield writer.writerow


def _not_taken(row: NotTaken) -> tuple[object, ...]:
    return row.page, row.position, row.column, *_PROBLEMS[row.problem]


def _double(double: FoundDouble) -> tuple[object, ...]:
    evidence = double.evidence
    halves = [
        value
        for one in (evidence.first, evidence.second)
        for value in (one.programme, one.starts_on, one.ends_on, one.source)
    ]
    return double.person_id, *halves, evidence.since, evidence.until
