"""`/admin/v1/maps`: borders to draw, and figures by region to shade them by, none about a few people."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, Field

from connectors.big.codes import edition_on
from gateway.agreements.live import LivePolicies
from gateway.api.admin.documentation import staff_route
from gateway.api.admin.reconciliation_forms import labels
from gateway.api.exchanges import BothLanguages
from gateway.areas.editions import levels_of, read_editions
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput
from gateway.figures.by_region import Figure, Figures, RegionFigures
from gateway.figures.classes import bounds, class_of
from gateway.figures.small_counts import FEWEST
from gateway.reconciliation.statuses import Status
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Role, Staff

if TYPE_CHECKING:
    from gateway.areas.drawing import Drawings

_PATH = "/admin/v1/maps"
_READERS: tuple[Role, ...] = tuple(ROLES)
Measure = Literal["match_rate", "status", "programme"]
_LevelQuery = Annotated[Literal["province", "regency"], Query(description="What each region is.")]
_Province = Annotated[
    str | None,
    Query(pattern=r"^\d{2}$", description="Only what lies in this province.", examples=["35"]),
]
MEMBER_NAMES = frozenset({"level", "province", "measure", "of", "if-none-match"})


class FigureOut(BaseModel):
    """One region. `value` is null where nothing is known of it, or where it is `kept_back`."""

    code: str = Field(description="Kemendagri's, dotted.", examples=["35.78"])
    name: str = Field(examples=["Kota Surabaya"])
    value: float | None = Field(description="A share from 0 to 1, or a count of people.", examples=[0.972])
    people: int | None = Field(description="Of how many people a share is.", examples=[6630])
    kept_back: bool = Field(description="There is a figure, of too few people to be told.")
    shade: int | None = Field(description="Its class, from 0.", examples=[3])


class FiguresOut(BaseModel):
    """A measure over regions. Counts below `fewest` are kept back, shares rounded to steps of as many people.

    To a count that is kept back, as many others of its province are as it takes that it cannot be worked out.
    """

    measure: Measure
    of: str | None = Field(description="The status, or the programme.", examples=["deceased"])
    level: Literal["province", "regency"]
    province: str | None
    kind: Literal["share", "count"]
    as_of: date | None = Field(description="Of when it is; null where nothing was counted yet.")
    fewest: int = Field(examples=[FEWEST])
    total: float | None = Field(description="Of the counts that are told; null for shares.", examples=[48110])
    kept_back: int = Field(description="How many regions have a figure that is not told.", examples=[4])
    bounds: list[float] = Field(
        description="Where the classes begin, and the last ends: at most six numbers.",
        examples=[[0.91, 0.94, 0.96, 0.97, 0.985, 1.0]],
    )
    regions: list[FigureOut]


class MapRegion(BaseModel):
    """A region in force."""

    code: str = Field(examples=["35"])
    name: str = Field(examples=["Jawa Timur"])


class MapRegions(BaseModel):
    """The regions of a level, by code."""

    regions: list[MapRegion]


class ChoicesOut(BaseModel):
    """What there is to choose from. `edition` is the map in force; null where none is imported."""

    edition: str | None = Field(examples=["big-2025"])
    statuses: dict[str, BothLanguages] = Field(
        description="Every status in words.", examples=[{"matched": {"id": "padan", "en": "matched"}}]
    )
    programmes: list[str] = Field(examples=[["BPNT", "PKH"]])
    provinces: list[MapRegion]


def map_router(
    database: Database,
    policies: LivePolicies,
    check: StaffCheck,
    clock: Callable[[], datetime],
) -> APIRouter:
    """The routes for maps. They block, in FastAPI's threads."""
    router = APIRouter(tags=["maps"])
    figures = RegionFigures(database, clock)
    _area_route(router, database, check, clock)
    _figure_route(router, figures, check)
    _choice_route(router, figures, policies, database, check, clock)
    _name_route(router, figures, check)
    return router


def _area_route(
    router: APIRouter, database: Database, check: StaffCheck, clock: Callable[[], datetime]
) -> None:
    opened: list[Drawings] = []

    def drawings() -> "Drawings":
        """Opened at the first question: importing shapely takes a third of a second."""
        from gateway.areas.drawing import Drawings  # noqa: PLC0415 - see above

        if not opened:
            opened.append(Drawings(database))
        return opened[0]

    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "The borders are as they were."}}

    @staff_route(
        *(router, "GET", _PATH + "/areas", _READERS, 404, 422),
        response_class=_GeoJson,
        responses={200: {"content": {_GeoJson.media_type: {"schema": {"type": "object"}}}}, **unchanged},
    )
    def get_areas(
        _staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
        level: _LevelQuery = "regency",
        province: _Province = None,
        if_none_match: Annotated[str | None, Header(description="The `ETag` that is held.")] = None,
    ) -> Response:
        """The borders of the edition in force as GeoJSON, simplified for a screen: at most 1.2 MB.

        404 where none are imported. Provinces are put together from regencies where the map has no layer of
        them.
        """
        drawing = drawings().of(level, province, civil_day(clock()))
        etag = f'"{drawing.mark}"'
        kept = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if if_none_match is not None and etag in {one.strip() for one in if_none_match.split(",")}:
            return Response(status_code=304, headers=kept)
        return _GeoJson(drawings().draw(drawing), headers=kept)


class _GeoJson(Response):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


def _figure_route(router: APIRouter, figures: RegionFigures, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*_READERS))

    @staff_route(router, "GET", _PATH + "/measures", _READERS, 400, 422)
    def get_measure(
        _staff: Annotated[Staff, reader],
        measure: Measure = "match_rate",
        of: Annotated[
            str | None,
            Query(
                max_length=32,
                description="Which status, or which programme: see `GET /admin/v1/maps/choices`.",
                examples=["deceased"],
            ),
        ] = None,
        level: _LevelQuery = "regency",
        province: _Province = None,
    ) -> FiguresOut:
        """A figure of every region of a level, with the classes to shade them by. Few people are not told."""
        match measure:
            case "match_rate":
                found = figures.match_rate(level, province)
            case "status":
                found = figures.of_status(_status(of), level, province)
            case "programme":
                if not of:
                    raise BadInput("of: expected a programme, such as PKH; see GET /admin/v1/maps/choices.")
                found = figures.recipients(of, level, province)
        return _out(found, measure, None if measure == "match_rate" else of, level, province)


def _choice_route(
    router: APIRouter,
    figures: RegionFigures,
    policies: LivePolicies,
    database: Database,
    check: StaffCheck,
    clock: Callable[[], datetime],
) -> None:
    @staff_route(router, "GET", _PATH + "/choices", _READERS)
    def get_choices(_staff: Annotated[Staff, Depends(check.requiring(*_READERS))]) -> ChoicesOut:
        """The statuses, the programmes that have rules, the provinces, and the map in force."""
        with database.reading() as connection:
            drawn = [one for one in read_editions(connection) if "regency" in levels_of(connection, one)]
        edition = edition_on(drawn, civil_day(clock()))
        return ChoicesOut(
            edition=edition.name if edition else None,
            statuses=labels(),
            programmes=sorted(policies.present.programmes),
            provinces=_named(figures.names("province", None)),
        )


def _name_route(router: APIRouter, figures: RegionFigures, check: StaffCheck) -> None:
    @staff_route(router, "GET", _PATH + "/regions", _READERS, 422)
    def get_region_names(
        _staff: Annotated[Staff, Depends(check.requiring(*_READERS))],
        level: _LevelQuery = "regency",
        province: _Province = None,
    ) -> MapRegions:
        """What the regions in force are called, by Kemendagri's code."""
        return MapRegions(regions=_named(figures.names(level, province)))


def _named(names: Mapping[str, str]) -> list[MapRegion]:
    return [MapRegion(code=code, name=name) for code, name in sorted(names.items())]


def _status(word: str | None) -> Status:
    if word not in set(Status):
        raise BadInput(f"of: expected a status, one of {', '.join(Status)}.")
    return Status(word)


def _out(
    found: Figures,
    measure: Measure,
    of: str | None,
    level: Literal["province", "regency"],
    province: str | None,
) -> FiguresOut:
    values = [one.value for one in found.regions if one.value is not None]
    limits = bounds(values)
    counts = measure != "match_rate"
    return FiguresOut(
        measure=measure,
        of=of,
        level=level,
        province=province,
        kind="count" if counts else "share",
        as_of=found.as_of,
        fewest=FEWEST,
        total=sum(values) if counts else None,
        kept_back=sum(one.kept_back for one in found.regions),
        bounds=limits,
        regions=[_figure(one, limits) for one in found.regions],
    )


def _figure(one: Figure, limits: list[float]) -> FigureOut:
    shade = None if one.value is None else class_of(one.value, limits)
    return FigureOut(
        code=one.code,
        name=one.name,
        value=one.value,
        people=one.people,
        kept_back=one.kept_back,
        shade=shade,
    )
