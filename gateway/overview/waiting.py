"""Reads what needs somebody from the tables of its domains: a bounded query for each kind. Blocks.

It MUST NOT read a person, a key or the text of a policy: only who had a hand in what waits, and since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, null, or_, select

from gateway.agreements.listing import Wanted, page_of
from gateway.agreements.tables import policy_acts, policy_versions
from gateway.civil_day import civil_day, day_begins, day_ends
from gateway.database import Database, UtcDateTime
from gateway.limits.tables import limit_alarms
from gateway.oauth.tables import consumer_keys, consumers
from gateway.overview.needs import MOST_COUNTED, MOST_NAMED, Find, Kind, Named, Need, found
from gateway.pseudonyms.reversals import PERFORMED_WITHIN
from gateway.pseudonyms.tables import reversals
from gateway.reconciliation.acceptance import WORTH_A_LOOK
from gateway.reconciliation.tables import acceptance_rules, likely_persons, reconciliation_runs
from gateway.rights.incidents import TIME_TO_TELL
from gateway.rights.tables import incidents
from gateway.rights.usage_report import DUKCAPIL, semester
from gateway.sources.reports import overviews
from gateway.sources.tables import source_calls
from gateway.staff.roles import Staff
from gateway.staff.tables import staff_accounts

# Agreements and keys that end within this long are told.
SOON_DAYS = 30
# A semester's report is told for so long before its last day and after it.
_REPORT_DAYS = 45
_CONFIRMERS = frozenset({"operator", "approver"})
_END_OF_TIME = literal(datetime(9999, 12, 31, tzinfo=UTC), UtcDateTime())


class Waiting:
    """What needs somebody, of one database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def __call__(self, staff: Staff) -> list[Need]:
        """All that `staff` may know of, the most urgent kinds first. Raises StoreUnavailable."""
        now = self._clock()
        down, ending = _sources_down(self._database, now), _agreements_ending(self._database, civil_day(now))
        with self._database.reading() as connection:
            finds = _finds(connection, staff, now)
            finds = {**finds, "sources_down": lambda: down, "agreements_ending": lambda: ending}
            return list(found(finds, staff.roles))


def _finds(connection: Connection, staff: Staff, now: datetime) -> Mapping[Kind, Find]:
    today = civil_day(now)
    return {
        "incidents": lambda: _incidents(connection),
        "alarms": lambda: _alarms(connection, today),
        "policies_submitted": lambda: _policies(connection, staff, "submitted"),
        "policies_returned": lambda: _policies_returned(connection, staff),
        "policies_approved": lambda: _policies(connection, staff, "approved"),
        "consumers_waiting": lambda: _consumers(connection, staff),
        "keys_waiting": lambda: _keys_waiting(connection, staff),
        "roles_waiting": lambda: _roles_waiting(connection, staff),
        "reversals_requested": lambda: _reversals_requested(connection, staff),
        "reversals_approved": lambda: _reversals_approved(connection, staff, now),
        "likely_persons": lambda: _likely_persons(connection),
        "acceptance_rules": lambda: _acceptance_rules(connection, staff),
        "runs_stopped": lambda: _runs_stopped(connection),
        "usage_report": lambda: _usage_report(connection, today),
        "keys_ending": lambda: _keys_ending(connection, now),
    }


def _incidents(connection: Connection) -> Need:
    rows = _rows(
        connection,
        select(incidents.c.id, incidents.c.consumer_id, incidents.c.known_at)
        .where(or_(incidents.c.people_told_at.is_(None), incidents.c.authority_told_at.is_(None)))
        .order_by(incidents.c.known_at),
    )
    named = [Named(str(row.id), row.consumer_id, row.known_at + TIME_TO_TELL) for row in rows]
    return _need("incidents", named)


def _sources_down(database: Database, now: datetime) -> Need:
    down = [one for one in overviews(database, now) if one.unavailable_since is not None]
    return _need(
        "sources_down",
        [Named(one.name, one.name, one.unavailable_since, one.last_cause or "") for one in down],
        hurried=False,
    )


def _alarms(connection: Connection, today: date) -> Need:
    table = limit_alarms.c
    rows = _rows(connection, select(limit_alarms).where(table.day >= today).order_by(table.at.desc()))
    worst: dict[tuple[str, str], Any] = {}
    for row in rows:  # a refusal of a pattern is an alarm of it as well
        key = row.agreement_id, row.pattern
        if key not in worst or row.level == "refusal":
            worst[key] = row
    named = [Named(row.agreement_id, row.pattern, row.at, row.level) for row in worst.values()]
    return _need("alarms", named, hurried=False)


def _policies(connection: Connection, staff: Staff, state: str) -> Need:
    table = policy_versions.c
    rows = _rows(
        connection,
        select(table.kind, table.name, table.version, table.editors, table.changed_at)
        .where(table.state == state)
        .order_by(table.changed_at),
    )
    named = [
        Named(f"{row.kind}/{row.name}/{row.version}", row.name, row.changed_at, row.kind) for row in rows
    ]
    if state != "submitted":
        return _need("policies_approved", named, hurried=False)
    yours = _approvable(staff, (row.editors for row in rows))
    return _need("policies_submitted", named, yours=yours, hurried=False)


def _policies_returned(connection: Connection, staff: Staff) -> Need:
    """Drafts that `staff` wrote at, as an approver handed them back; once edited, they are drafts again."""
    version, acts, others = policy_versions.c, policy_acts.c, policy_acts.alias().c
    last = (
        select(func.max(others.id))
        .where(others.kind == version.kind, others.name == version.name, others.version == version.version)
        .correlate(policy_versions)
        .scalar_subquery()
    )
    rows = _rows(
        connection,
        select(version.kind, version.name, version.version, version.editors, acts.at, acts.reason)
        .select_from(policy_versions)
        .join(policy_acts, acts.id == last)
        .where(version.state == "draft", acts.act == "refuse")
        .order_by(acts.at),
    )
    named = [
        Named(f"{row.kind}/{row.name}/{row.version}", row.name, row.at, row.reason)
        for row in rows
        if staff.id in row.editors
    ]
    return _need("policies_returned", named, yours=len(named), hurried=False)


def _roles_waiting(connection: Connection, staff: Staff) -> Need:
    """Accounts for whom somebody asked for roles that a second person has not confirmed."""
    table = staff_accounts.c
    rows = _rows(
        connection,
        select(table.id, table.name, table.proposed_by)
        .where(table.proposed_by.is_not(None))
        .order_by(table.id),
    )
    may = not staff.by_token and bool(staff.roles & _CONFIRMERS)
    yours = sum(may and staff.id not in {row.id, row.proposed_by} for row in rows)
    return _need("roles_waiting", [Named(row.id, row.name) for row in rows], yours=yours)


def _consumers(connection: Connection, staff: Staff) -> Need:
    """Proposed consumers, and changes of approved ones that open more."""
    table = consumers.c
    rows = _rows(
        connection,
        select(table.id, table.name, table.state, table.proposers)
        .where(or_(table.state == "proposed", and_(table.waiting != null(), table.state != "disabled")))
        .order_by(table.id),
    )
    named = [Named(row.id, row.name, detail=row.state) for row in rows]
    return _need("consumers_waiting", named, yours=_approvable(staff, (row.proposers for row in rows)))


def _keys_waiting(connection: Connection, staff: Staff) -> Need:
    """Keys of approved consumers; those of a proposed one are approved with it."""
    keys = consumer_keys.c
    rows = _rows(
        connection,
        _with_names(keys.added_by, keys.added_at)
        .where(keys.approved_by.is_(None), consumers.c.approved_by.is_not(None))
        .order_by(keys.added_at),
    )
    named = [Named(row.consumer_id, row.name, row.added_at, row.kid) for row in rows]
    yours = _approvable(staff, ([row.added_by] for row in rows))
    return _need("keys_waiting", named, yours=yours, hurried=False)


def _keys_ending(connection: Connection, now: datetime) -> Need:
    """Of active consumers, those whose last good key ends soon: afterwards they cannot call."""
    keys = consumer_keys.c
    good = and_(keys.approved_by.is_not(None), consumers.c.state == "active", keys.not_before <= now)
    # A key without an end outlasts every other: it stands as the end of time.
    last = func.max(func.coalesce(keys.not_after, _END_OF_TIME))
    rows = _rows(
        connection,
        select(keys.consumer_id, consumers.c.name, last.label("ends_at"))
        .join(consumers, consumers.c.id == keys.consumer_id)
        .where(good)
        .group_by(keys.consumer_id, consumers.c.name)
        .having(and_(last > now, last <= now + timedelta(days=SOON_DAYS)))
        .order_by(last),
    )
    return _need("keys_ending", [Named(row.consumer_id, row.name, row.ends_at) for row in rows])


def _reversals_requested(connection: Connection, staff: Staff) -> Need:
    rows = _rows(connection, _reversals(reversals.c.state == "requested"))
    named = [Named(row.id, row.sector, row.requested_at, row.legal_basis) for row in rows]
    yours = _approvable(staff, ([row.requested_by] for row in rows))
    return _need("reversals_requested", named, yours=yours, hurried=False)


def _reversals_approved(connection: Connection, staff: Staff, now: datetime) -> Need:
    """Those that may still be performed: by whoever asked, within a day."""
    may_be = and_(reversals.c.state == "approved", reversals.c.settled_at > now - PERFORMED_WITHIN)
    rows = _rows(connection, _reversals(may_be))
    named = [Named(row.id, row.sector, row.settled_at + PERFORMED_WITHIN, row.legal_basis) for row in rows]
    yours = sum(row.requested_by == staff.id for row in rows)
    return _need("reversals_approved", named, yours=yours)


def _likely_persons(connection: Connection) -> Need:
    """People who are likelier than not one of their candidates; the others can wait in the queue."""
    waits = likely_persons.c.state == "proposed", likely_persons.c.probability >= WORTH_A_LOOK
    proposed = select(likely_persons.c.person_id).where(*waits).distinct()
    counted = select(func.count()).select_from(proposed.limit(MOST_COUNTED).subquery())
    return Need("likely_persons", connection.execute(counted).scalar_one())


def _acceptance_rules(connection: Connection, staff: Staff) -> Need:
    rules = acceptance_rules.c
    rows = _rows(connection, select(rules.id, rules.set_by, rules.set_at).where(rules.state == "set"))
    named = [Named(str(row.id), row.set_by, row.set_at) for row in rows]
    yours = _approvable(staff, ([row.set_by] for row in rows))
    return _need("acceptance_rules", named, yours=yours, hurried=False)


def _runs_stopped(connection: Connection) -> Need:
    runs = reconciliation_runs.c
    rows = _rows(
        connection,
        select(runs.id, runs.state, runs.submitted_at)
        .where(runs.state.in_(("failed", "paused")))
        .order_by(runs.submitted_at.desc()),
    )
    named = [Named(str(row.id), row.state, row.submitted_at, row.state) for row in rows]
    return _need("runs_stopped", named, hurried=False)


def _usage_report(connection: Connection, today: date) -> Need:
    """The semester whose end is near or lately past, if Dukcapil was asked in it.

    Whether the report was handed in happens outside: it is told until it can be taken for done.
    """
    calls = source_calls.c
    near = timedelta(days=_REPORT_DAYS)
    for year in (today.year - 1, today.year):
        for half in (1, 2):
            span = semester(f"{year}-S{half}")
            if not span.last - near <= today <= span.last + near:
                continue
            asked = select(calls.day).where(
                calls.source == DUKCAPIL, calls.made > 0, calls.day.between(span.first, span.last)
            )
            if connection.execute(asked.limit(1)).first():
                name = f"{year}-S{half}"
                return _need("usage_report", [Named(name, name, day_ends(day_begins(span.last)))])
    return Need("usage_report", 0)


def _agreements_ending(database: Database, today: date) -> Need:
    wanted = Wanted(
        kind="agreement", standing="active", ends_by=today + timedelta(days=SOON_DAYS), order="valid_until"
    )
    rows, total = page_of(database, wanted, today, 1, MOST_NAMED)
    named = [
        Named(row.name, row.name, day_ends(day_begins(row.valid_until)), row.consumer or "")
        for row in rows
        if row.valid_until is not None
    ]
    return Need("agreements_ending", total, named, None, named[0].at if named else None)


def _rows(connection: Connection, statement: Select[Any]) -> Sequence[Any]:
    return connection.execute(statement.limit(MOST_COUNTED)).all()


def _need(kind: Kind, named: Sequence[Named], *, yours: int | None = None, hurried: bool = True) -> Need:
    """A need of all these; `hurried` where the moments of the named are those by which to act."""
    soonest = min((one.at for one in named if one.at is not None), default=None) if hurried else None
    return Need(kind, len(named), named[:MOST_NAMED], yours, soonest)


def _approvable(staff: Staff, proposers: Iterable[Iterable[str]]) -> int:
    """How many of them `staff` may approve: none without the role, none with a hand in it, none by token."""
    if "approver" not in staff.roles or staff.by_token:
        return 0
    return sum(staff.id not in set(of_one) for of_one in proposers)


def _with_names(*columns: ColumnElement[Any]) -> Select[Any]:
    keys = consumer_keys.c
    return select(keys.consumer_id, keys.kid, consumers.c.name, *columns).join(
        consumers, consumers.c.id == keys.consumer_id
    )


def _reversals(which: ColumnElement[bool]) -> Select[Any]:
    return select(reversals).where(which).order_by(reversals.c.requested_at)
