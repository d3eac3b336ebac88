"""`gapura areas`: the maps in the store, bringing them in, and asking where a point lies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.civil_day import civil_day
from gateway.commands.opening import opened_database
from gateway.errors import BadInput
from gateway.settings import load_settings

if TYPE_CHECKING:
    # Shapely and numpy take a third of a second to import: only these commands wait for them.
    from gateway.areas.importing import ImportReport, Wanted
    from gateway.areas.themes import ValuesReport
    from gateway.database import Database

app = typer.Typer(help="Maps: names and borders of regions, and what is said of them.", no_args_is_help=True)

_FROM_SERVER = "big"
_Level = Literal["province", "regency", "district", "village"]
_LevelOption = Annotated[_Level, typer.Option(help="What each feature or row is.", show_default=False)]
_AcceptShrink = Annotated[
    bool,
    typer.Option(
        "--accept-shrink",
        help="Go on although more would go than GAPURA_MOST_SHRINK_PERCENT (default 20) allows unasked.",
    ),
]
_Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], show_default=False)]
_MapSource = Annotated[
    str,
    typer.Argument(
        metavar="big|FILE",
        help="`big`: the map server of sources.toml, else BIG's own; or a .geojson or .geojson.gz.",
        show_default=False,
    ),
]
_EditionOption = Annotated[
    str, typer.Option(help="The state of the country, such as big-2025.", show_default=False)
]
_LastDay = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day; default: until a later edition.")
]
_Within = Annotated[
    str | None, typer.Option(help="Only what lies in this region, such as 35; its rest stays.")
]
_Rejects = Annotated[
    Path | None,
    typer.Option(help="Where to list features not taken; default GAPURA_HOME/areas-rejected.csv."),
]
_SourcesFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="The sources.toml to use; default GAPURA_SOURCES or GAPURA_HOME/sources.toml."
    ),
]


@app.command("import")
def import_map(
    source: _MapSource,
    level: _LevelOption,
    edition: _EditionOption,
    valid_from: _Day,
    valid_until: _LastDay = None,
    within: _Within = None,
    rejects: _Rejects = None,
    file: _SourcesFile = None,
    accept_shrink: _AcceptShrink = False,
) -> None:
    """Bring one level of an edition into the store, from a map server or a file.

    The store changes once, when all has come: an import that fails leaves it as it was. The same again
    changes nothing. Areas that come no more are removed.

    A file is a GeoJSON FeatureCollection in WGS 84, longitude first, of Polygons or MultiPolygons. Of a
    feature's properties these are read, in upper or lower case: BIG's where the first feature has its code,
    else plain `code` and `name`.

    \b
    level      code                     name
    province   KDPPUM            code   WADMPR  name
    regency    KDPKAB or KDBPUM  code   WADMKK  name
    district   KDCPUM            code   WADMKC  name
    village    KDEPUM            code   WADMKD  name

    Both are text. A code is dotted as Kemendagri writes it, such as "35.78" or "35.78.08.1001": a number has
    lost its dots and is rejected. BIG's codes of the levels above must agree where they are given, and its
    METADATA dates the border.
    """  # noqa: D301 - the backspace is meant: behind it lines are not joined
    wanted = _wanted(level, edition, valid_from.date(), valid_until, within)
    rejects = rejects or load_settings().home / "areas-rejected.csv"
    with opened_database() as database:
        try:
            report = asyncio.run(
                _import(database, source, wanted, rejects, file, _most_gone_percent(accept_shrink))
            )
        except BadInput:
            if rejects.exists():
                sys.stderr.write(f"What was rejected, one by one: {rejects}\n")
            raise
    _print_imported(report, f"{level} of edition {edition}", rejects)


def _print_imported(report: ImportReport, layer: str, rejects: Path) -> None:
    """What the import of a layer came to, and how it stands beside the registry's regions."""
    print(
        f"{layer}: {report.read} features read; {report.new} areas new, "
        f"{report.changed} changed, {report.unchanged} unchanged, {report.gone} gone."
    )
    _print_rejected(report.rejected, report.kept, rejects)
    if (compared := report.registry) is not None:
        print(
            f"Against the registry's regions: {compared.both} codes in both, {compared.map_only} only on the "
            f"map, {compared.registry_only} only in the registry."
        )


def _most_gone_percent(accept_shrink: bool) -> int | None:
    return None if accept_shrink else load_settings().most_shrink_percent


def _wanted(
    level: _Level, edition: str, valid_from: date, valid_until: datetime | None, within: str | None
) -> Wanted:
    from gateway.areas.importing import wanted_layer  # noqa: PLC0415 - see above

    return wanted_layer(level, edition, valid_from, valid_until.date() if valid_until else None, within)


async def _import(
    database: Database,
    source: str,
    wanted: Wanted,
    rejects: Path,
    file: Path | None,
    most_gone_percent: int | None,
) -> ImportReport:
    from connectors.transport.failures import SourceFailure  # noqa: PLC0415 - see above
    from gateway.areas import configured, files, importing  # noqa: PLC0415
    from gateway.areas.rejects import RejectFile  # noqa: PLC0415

    if source == _FROM_SERVER:
        server = configured.read_map_server(file or load_settings().sources_file)
        name, pages = server.settings.authority, server.pull(wanted.level, wanted.edition, wanted.within)
    else:
        name, pages = Path(source).name, files.read_file(Path(source), wanted)
    with RejectFile(rejects) as rejected, _progress() as bars:
        task = bars.add_task("", total=None)
        import_layer = importing.AreaImport(
            database,
            wanted,
            source=name,
            clock=lambda: datetime.now(UTC),
            most_gone_percent=most_gone_percent,
            on_rejected=lambda one: rejected.write(one.number, one.code, one.reason, one.detail),
            progress=lambda read, total: bars.update(task, completed=read, total=total),
        )
        try:
            async with aclosing(pages):
                return await import_layer(pages)
        except SourceFailure as failure:
            sys.stderr.write(f"The map server gave no complete layer, nothing changed: {failure.cause}\n")
            raise typer.Exit(1) from None


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield bars


@app.command("values")
def import_table(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with columns code,value.")],
    theme: Annotated[str, typer.Option(help="A field of the dictionary, such as disaster_risk.")],
    level: _LevelOption,
    as_of: _Day,
    source: Annotated[str, typer.Option(help="Who says so, in a word or two.")] = "file",
    rejects: Annotated[
        Path | None, typer.Option(help="Where to list rows not taken; default FILE.rejects.csv.")
    ] = None,
    accept_shrink: _AcceptShrink = False,
) -> None:
    """Make a table the values of a theme at one level, as of one day.

    The same again changes nothing. Values that come no more are removed.
    """
    from gateway.areas import themes  # noqa: PLC0415 - see above
    from gateway.areas.rejects import RejectFile  # noqa: PLC0415

    rejects = rejects or file.with_name(f"{file.name}.rejects.csv")
    table = themes.Table(theme, level, as_of.date(), source)
    with opened_database() as database, RejectFile(rejects) as rejected:
        report = themes.import_values(
            database,
            file,
            table,
            most_gone_percent=_most_gone_percent(accept_shrink),
            on_rejected=rejected.write,
        )
    _print_values(report, table.as_of, theme, rejects)


def _print_values(report: ValuesReport, as_of: date, theme: str, rejects: Path) -> None:
    print(
        f"{theme} as of {as_of}: {report.new} values new, {report.changed} changed, "
        f"{report.unchanged} unchanged, {report.gone} gone."
    )
    _print_rejected(report.rejected, report.kept, rejects)


def _print_rejected(rejected: Mapping[str, int], kept: int, rejects: Path) -> None:
    from gateway.areas.rejects import REASONS  # noqa: PLC0415 - see above

    for reason, count in sorted(rejected.items()):
        print(f"  {count} rejected: {REASONS[reason][1]}")
    if rejected:
        print(f"  {kept} of their codes stay as they were. One by one: {rejects}")


@app.command("list")
def list_layers() -> None:
    """Show the editions in the store, level by level."""
    from gateway.areas.editions import layers  # noqa: PLC0415 - see above

    with opened_database() as database:
        found = layers(database)
    if not found:
        print("No map has been imported.")
        return
    headings = ("edition", "valid from", "until", "level", "areas", "from", "imported")
    table = Table(*headings, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for one in found:
        table.add_row(
            one.edition.name,
            str(one.edition.valid_from),
            str(one.edition.valid_until or "-"),
            one.level,
            str(one.areas),
            one.source,
            f"{one.imported_at:%Y-%m-%d}",
        )
    Console().print(table)


# A latitude south of the equator is a negative number, and not an option of this command.
@app.command(context_settings={"ignore_unknown_options": True})
def locate(
    longitude: Annotated[float, typer.Argument(metavar="LON", help="Degrees east, such as 112.75.")],
    latitude: Annotated[float, typer.Argument(metavar="LAT", help="Degrees north, such as -7.25.")],
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], help="The day; default today in Jakarta."),
    ] = None,
) -> None:
    """Say in which region a point lies, per level, by the edition that is in force on the day."""
    from gateway.areas.locating import locate as located  # noqa: PLC0415 - see above

    day = on.date() if on else civil_day(datetime.now(UTC))
    with opened_database() as database:
        found = located(database, longitude, latitude, day)
    if not found:
        raise BadInput(f"No edition in the store is in force on {day}: see `gapura areas list`.")
    for one in found:
        print(f"{one.level} ({one.edition.name}): {_where(one.regions)}")


def _where(regions: tuple[tuple[str, str], ...]) -> str:
    match [f"{code} {name}" for code, name in regions]:
        case []:
            return "none; the point is at sea, or outside what was imported"
        case [region]:
            return region
        case several:
            return f"on the border of {' and '.join(several)}: nobody can tell"
