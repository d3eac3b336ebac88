"""What needs somebody: whatever waits for a person, is about to end, or has gone wrong. Pure.

Each kind of need is read by one bounded query. Whoever may not read a thing is not told how many of it there
are. It MUST NOT decide who may approve: `settles` repeats what the acts' own rules would say first, and the
act is asked again when it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from gateway.staff.roles import ROLES, Role

Kind = Literal[
    "incidents",
    "sources_down",
    "alarms",
    "policies_submitted",
    "policies_returned",
    "policies_approved",
    "consumers_waiting",
    "keys_waiting",
    "roles_waiting",
    "reversals_requested",
    "reversals_approved",
    "likely_persons",
    "acceptance_rules",
    "runs_stopped",
    "usage_report",
    "agreements_ending",
    "keys_ending",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# As the routes demand that show these things themselves.
READERS: Mapping[Kind, tuple[Role, ...]] = {
    "incidents": ("auditor",),
    "policies_returned": ("author",),
    "usage_report": ("auditor",),
    "reversals_requested": ("operator", "auditor", "approver"),
    "reversals_approved": ("operator", "auditor", "approver"),
    "likely_persons": ("operator", "auditor", "approver"),
    "acceptance_rules": ("operator", "auditor", "approver"),
    "runs_stopped": ("operator", "auditor"),
}
# More of a kind are not counted: whoever sees as many needs no exact number.
MOST_COUNTED = 10_000
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Named:
    """One of what is counted: `id` as the admin API knows it, `name` for people, `at` its moment (UTC)."""

    id: str
    name: str
    at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """So many things of one kind, the most urgent few by name; MOST_COUNTED stands for that many or more.

    `yours` are those that whoever asked may settle: None where no second person is needed. `soonest` is the
    moment by which the first of them should be dealt with.
    """

    kind: Kind
    count: int
    named: Sequence[Named] = ()
    yours: int | None = None
    soonest: datetime | None = None


Find = Callable[[], Need]


def readable(kind: Kind, roles: frozenset[Role]) -> bool:
    """Whether somebody with these roles may know how many of this kind there are."""
    return bool(roles.intersection(READERS.get(kind, ROLES)))


def found(finds: Mapping[Kind, Find], roles: frozenset[Role]) -> Iterator[Need]:
    """What there is of every kind that these roles may read, the most urgent kinds first."""
    for kind in KINDS:
        if readable(kind, roles):
            need = finds[kind]()
            if need.count:
                yield need
