"""Peta: regions shaded by a measure, with the same figures as a table; what is shown stands in the address.

The API keeps figures of few people back: this page gets none to hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.console.language import NONE, Speech
from gateway.console.screen import Page
from gateway.console.visit import Visit

_MATCH_RATE = "match_rate"
_LEVELS = ("regency", "province")


async def regions(visit: Visit) -> Response:
    """The map of the measure, level and province in the query.

    Without: the match rate of all regencies, or a programme's recipients where nothing was reconciled; of
    provinces where regencies are too small to be told.
    """
    choices = await visit.get("/admin/v1/maps/choices")
    shown = _shown(visit, choices)
    codes = {one["code"] for one in choices["provinces"]}
    province = visit.asked("province") if visit.asked("province") in codes else None
    level = visit.asked("level") if visit.asked("level") in _LEVELS else ""
    figures = await _figures(visit, shown, level or "regency", province)
    if not visit.asked("show") and figures["as_of"] is None and choices["programmes"]:
        shown = f"programme-{choices['programmes'][0]}"
        figures = await _figures(visit, shown, level or "regency", province)
    if not level and province is None and _mostly_kept_back(figures):
        figures = await _figures(visit, shown, "province", province)
    where = {"level": figures["level"], "province": province}
    query = urlencode({name: value for name, value in where.items() if value})
    return visit.show(
        "map/regions.html",
        figures=figures,
        rows=_known(figures["regions"]),
        choices=choices,
        shown=shown,
        level=figures["level"],
        province=province,
        areas=f"/admin/v1/maps/areas?{query}" if choices["edition"] else "",
        told=lambda value: told(visit.speech, figures["kind"], value),
        classes=classes(figures["kind"], figures["bounds"], figures["fewest"]),
    )


async def _figures(visit: Visit, shown: str, level: str, province: str | None) -> Mapping[str, Any]:
    measure, _, of = shown.partition("-")
    figures: Mapping[str, Any] = await visit.get(
        "/admin/v1/maps/measures", measure=measure, of=of or None, level=level, province=province
    )
    return figures


def _mostly_kept_back(figures: Mapping[str, Any]) -> bool:
    """Whether of the regions with a figure most are of too few people: a larger level tells more then."""
    told = sum(one["value"] is not None for one in figures["regions"])
    return bool(figures["kept_back"] > told)


def told(speech: Speech, kind: str, value: float | None) -> str:
    """A figure as a person reads it: a share as a percentage, a count as a whole number."""
    if value is None:
        return NONE
    return speech.percent(value) if kind == "share" else speech.number(value)


def classes(kind: str, bounds: Sequence[float], fewest: int) -> list[tuple[float, float]]:
    """Where each class of a legend begins and ends, from the bounds that the API gives.

    Of counts, a class ends below where the next begins, and at nothing where it has none but those below
    `fewest`, which are not told. Classes of shares meet.

    >>> classes("count", [0, 5, 20, 31], 5), classes("share", [0.8, 0.9, 1.0], 5)
    ([(0, 0), (5, 19), (20, 31)], [(0.8, 0.9), (0.9, 1.0)])
    """
    found = list(pairwise(bounds))
    if kind != "count":
        return found
    ends_at = [(begins, ends - 1) for begins, ends in found[:-1]] + found[-1:]
    return [(begins, begins if ends < fewest else ends) for begins, ends in ends_at]


def _shown(visit: Visit, choices: Mapping[str, Any]) -> str:
    """The measure of the query in one word, as `status-deceased`; the match rate for what there is not."""
    known = {f"status-{word}" for word in choices["statuses"]}
    known |= {f"programme-{word}" for word in choices["programmes"]}
    asked = visit.asked("show")
    return asked if asked in known else _MATCH_RATE


def _known(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The regions of which something is told or kept back."""
    return [one for one in found if one["value"] is not None or one["kept_back"]]


PAGES: Sequence[Page] = (Page("/map", regions),)
SAID: Mapping[str, str] = {}
