"""Which policy a page is about: its place in the console and in the API. Agreements and rules share pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.console.asking import ApiProblem
from gateway.console.visit import PREFIX, Visit

AGREEMENTS, PROGRAMMES = f"{PREFIX}/agreements", f"{PREFIX}/programmes"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy by its kind and name; `number` where a page is about one version."""

    kind: str
    name: str
    number: int | None = None

    @property
    def all(self) -> str:
        """The page of all policies of this kind."""
        return AGREEMENTS if self.kind == "agreement" else PROGRAMMES

    @property
    def page(self) -> str:
        """The policy's own page."""
        return f"{self.all}/{self.name}"

    @property
    def version(self) -> str:
        """The version's first page; below it lie its tabs and acts."""
        return f"{self.page}/versions/{self.number}"

    @property
    def api(self) -> str:
        """The policy in the admin API."""
        return f"/admin/v1/policies/{self.kind}/{self.name}"

    @property
    def api_version(self) -> str:
        """The version in the admin API."""
        return f"{self.api}/versions/{self.number}"

    def of(self, number: int) -> Policy:
        """Another version of the same policy."""
        return Policy(self.kind, self.name, number)


def policy_of(visit: Visit) -> Policy:
    """The policy that an address names."""
    kind = "programme" if visit.request.url.path.startswith(PROGRAMMES) else "agreement"
    number = visit.request.path_params.get("number")
    return Policy(kind, visit.path("name"), number)


def changed_meanwhile(problem: ApiProblem | None) -> Mapping[str, Any] | None:
    """How somebody else's change differs from what was sent, where that is why the API refused."""
    if problem is None or problem.code != "changed_meanwhile":
        return None
    return problem.members


def etag_to_send(problem: ApiProblem | None, seen: str) -> str:
    """The state that the form names when it is sent again: after a conflict, the one that was shown."""
    members = changed_meanwhile(problem)
    return str(members["present_etag"]) if members is not None else seen
