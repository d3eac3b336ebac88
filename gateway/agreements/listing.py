"""The list of policies: one row for each, kept beside its versions, so that a page of it is one query.

The row is written anew in the transaction that changes a version: a list never shows what is not so. How a
policy stands today depends on the clock and is worked out in the query. It MUST NOT decide anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, func, insert, or_, select

from gateway.agreements.facts import facts_of
from gateway.agreements.lifecycle import IN_FORCE, OPEN, Kind, State
from gateway.agreements.tables import policy_listing, policy_versions
from gateway.database import Database
from policies.agreement import Standing

_LIST = policy_listing.c
_VERSIONS = policy_versions.c
_SHOWN = (
    *(
        _LIST.kind,
        _LIST.name,
        _LIST.state,
        _LIST.in_force,
        _LIST.open_version,
        _LIST.open_state,
        _LIST.newest,
    ),
    *(_LIST.title_id, _LIST.title_en, _LIST.consumer, _LIST.purpose, _LIST.valid_from, _LIST.valid_until),
)
_COUNTED: frozenset[State] = frozenset({"revoked", "superseded"})
Order = Literal["name", "valid_until"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which policies: None asks nothing. `search` is a part of the name, the title or the consumer's id."""

    kind: Kind | None = None
    name: str | None = None
    search: str | None = None
    standing: State | Standing | None = None
    consumer: str | None = None
    purpose: str | None = None
    open_state: State | None = None
    ends_by: date | None = None
    order: Order = "name"


@dataclass(frozen=True, slots=True)
class Listed:
    """One policy as a list shows it; of a suspended one also since when (UTC) and why."""

    kind: Kind
    name: str
    standing: State | Standing
    in_force: int | None
    open_version: int | None
    open_state: State | None
    newest: int
    title_id: str | None
    title_en: str | None
    consumer: str | None
    purpose: str | None
    valid_from: date | None
    valid_until: date | None
    suspended_since: datetime | None
    suspended_for: str | None


def page_of(
    database: Database, wanted: Wanted, today: date, page: int, per_page: int
) -> tuple[Sequence[Listed], int]:
    """A page of the list, from 1, and how many there are in all. Blocks. Raises StoreUnavailable."""
    standing = _standing(today)
    where = list(_where(wanted, standing))
    order = (_LIST.valid_until, _LIST.name) if wanted.order == "valid_until" else (_LIST.kind, _LIST.name)
    statement = select(*_SHOWN, standing.label("standing")).where(*where).order_by(*order)
    counted = select(func.count()).select_from(policy_listing).where(*where)
    with database.reading() as connection:
        total = connection.execute(counted).scalar_one()
        rows = connection.execute(statement.limit(per_page).offset((page - 1) * per_page)).mappings()
        return [_listed(connection, row) for row in rows.all()], total


def _listed(connection: Connection, row: RowMapping) -> Listed:
    """A row as it is shown; few agreements are suspended, so that why is asked for each of them alone."""
    since, why = None, None
    if row[_LIST.state] == "suspended":
        since, why = connection.execute(
            select(_VERSIONS.changed_at, _VERSIONS.reason).where(
                _VERSIONS.kind == row[_LIST.kind],
                _VERSIONS.name == row[_LIST.name],
                _VERSIONS.version == row[_LIST.in_force],
            )
        ).one()
    told = {name: value for name, value in row.items() if name != "state"}
    return Listed(**told, suspended_since=since, suspended_for=why)


def list_anew(connection: Connection, kind: Kind, name: str) -> None:
    """Write the row of one policy from its versions, in the caller's transaction."""
    known = select(_VERSIONS.version, _VERSIONS.state).where(_VERSIONS.kind == kind, _VERSIONS.name == name)
    versions = list(connection.execute(known))
    connection.execute(delete(policy_listing).where(_LIST.kind == kind, _LIST.name == name))
    if not versions:
        return
    speaks = max(versions, key=_weight)
    being_made = next((one for one in versions if one.state in OPEN), None)
    text: str = connection.execute(
        select(_VERSIONS.text).where(
            _VERSIONS.kind == kind, _VERSIONS.name == name, _VERSIONS.version == speaks.version
        )
    ).scalar_one()
    connection.execute(
        insert(policy_listing).values(
            kind=kind,
            name=name,
            state=speaks.state,
            in_force=speaks.version if speaks.state in IN_FORCE else None,
            open_version=being_made.version if being_made is not None else None,
            open_state=being_made.state if being_made is not None else None,
            newest=max(one.version for one in versions),
            **dataclasses.asdict(facts_of(text.encode())),
        )
    )


def _weight(one: Any) -> tuple[bool, bool, bool, int]:
    """What is in force speaks for a policy, else the last that was, else the newest that was not given up."""
    return one.state in IN_FORCE, one.state in _COUNTED, one.state != "discarded", one.version


def _standing(today: date) -> ColumnElement[str]:
    """How a policy stands on a day, as `Agreement.standing` says it of one that is or was in force."""
    return case(
        (_LIST.state.not_in(sorted(IN_FORCE)), _LIST.state),
        (_LIST.valid_until < today, "expired"),
        (_LIST.valid_from > today, "not_yet_valid"),
        else_=_LIST.state,
    )


def _where(wanted: Wanted, standing: ColumnElement[str]) -> Sequence[ColumnElement[bool]]:
    asked = {
        _LIST.kind: wanted.kind,
        _LIST.name: wanted.name,
        standing: wanted.standing,
        _LIST.consumer: wanted.consumer,
        _LIST.purpose: wanted.purpose,
        _LIST.open_state: wanted.open_state,
    }
    found = [column == value for column, value in asked.items() if value is not None]
    if wanted.ends_by is not None:
        found.append(_LIST.valid_until <= wanted.ends_by)
    if wanted.search:
        part = wanted.search.lower()
        columns = (_LIST.name, _LIST.title_id, _LIST.title_en, _LIST.consumer)
        found.append(or_(*(func.lower(column).contains(part, autoescape=True) for column in columns)))
    return found
