"""Where one can go: the areas of the menu with their tabs, and who finds something there.

The one list of them: nobody is led to a page that the API would refuse them. MUST NOT be taken for a right:
what is answered to whom, the API decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gateway.console.language import N_

_EVERYBODY = ("author", "approver", "auditor", "operator")
_WATCHERS = ("auditor", "operator")
_SETTLERS = ("auditor", "operator", "approver")


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of an area, for whoever has one of the roles."""

    name: str
    path: str
    text: str
    roles: Collection[str] = _EVERYBODY


@dataclass(frozen=True, slots=True)
class Area:
    """One entry of the menu, with its tabs; its other pages lie below `path`. `name` is its icon's too."""

    name: str
    path: str
    text: str
    tabs: Sequence[Tab]

    @property
    def entrance(self) -> str:
        """Where the menu leads: the first tab, which not everybody finds at `path` itself."""
        return self.tabs[0].path

    def holds(self, address: str) -> bool:
        """Whether the page of this path is one of the area's."""
        return address == self.path or (self.path != _HOME and address.startswith(f"{self.path}/"))


def menu_for(roles: Collection[str]) -> list[Area]:
    """What the menu has for somebody in these roles; an area of which nothing is left is not in it."""
    mine = (replace(area, tabs=[tab for tab in area.tabs if set(tab.roles) & set(roles)]) for area in _AREAS)
    return [area for area in mine if area.tabs]


def _page(name: str, path: str, text: str) -> Area:
    """An area without tabs, which everybody may read."""
    return Area(name, path, text, [Tab(name, path, text)])


_HOME = "/console"
_MATCHING, _AUDIT, _SETTINGS = (f"{_HOME}/{place}" for place in ("reconciliations", "audit", "settings"))
_AREAS: Sequence[Area] = (
    _page("home", _HOME, N_("Home")),
    _page("consumers", f"{_HOME}/consumers", N_("Consumers")),
    _page("agreements", f"{_HOME}/agreements", N_("Agreements")),
    _page("programmes", f"{_HOME}/programmes", N_("Programme rules")),
    _page("sources", f"{_HOME}/sources", N_("Data sources")),
    Area(
        "reconciliations",
        _MATCHING,
        N_("Reconciliation"),
        (
            Tab("runs", _MATCHING, N_("Runs"), _WATCHERS),
            Tab("findings", f"{_MATCHING}/findings", N_("Findings"), _WATCHERS),
            Tab("likely", f"{_MATCHING}/likely-persons", N_("Likely persons"), _SETTLERS),
            Tab("rules", f"{_MATCHING}/rules", N_("Acceptance rules"), _SETTLERS),
        ),
    ),
    Area(
        "audit",
        _AUDIT,
        N_("Audit log"),
        (
            Tab("exchanges", _AUDIT, N_("Exchanges"), _WATCHERS),
            Tab("acts", f"{_AUDIT}/acts", N_("Acts of staff"), _WATCHERS),
            Tab("log", f"{_AUDIT}/log", N_("Log and witnesses"), _WATCHERS),
            Tab("person", f"{_AUDIT}/person", N_("Access history"), ("auditor",)),
            Tab("incidents", f"{_AUDIT}/incidents", N_("Incidents"), ("auditor",)),
            Tab("reversals", f"{_AUDIT}/reversals", N_("Reversals"), _SETTLERS),
        ),
    ),
    _page("map", f"{_HOME}/map", N_("Map")),
    Area(
        "settings",
        _SETTINGS,
        N_("Settings"),
        (
            Tab("staff", _SETTINGS, N_("Staff and roles")),
            Tab("keys", f"{_SETTINGS}/keys", N_("Keys"), _WATCHERS),
            Tab("gateway", f"{_SETTINGS}/gateway", N_("Gateway and languages")),
            Tab("tokens", f"{_SETTINGS}/tokens", N_("My API tokens")),
            Tab("password", f"{_SETTINGS}/password", N_("My password")),
        ),
    ),
)
