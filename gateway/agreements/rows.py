"""Versions as rows: how they are kept, found and numbered, always within the caller's transaction.

It MUST NOT judge: whether a version may change is for `lifecycle`, and asked by `store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from gateway.agreements.lifecycle import IN_FORCE, OPEN, Kind, State, Version
from gateway.agreements.reading import AgreementText, PolicyTexts
from gateway.agreements.tables import policy_acts, policy_epoch, policy_versions
from gateway.errors import NotFound
from policies.agreement import State as BookState

_TABLE = policy_versions.c
# How a book names the states in which an agreement can be in it.
_IN_BOOK: Mapping[State, BookState] = {"active": "active", "suspended": "suspended", "revoked": "revoked"}
_MOST_VERSIONS = 1_000_000


def texts_in_force(connection: Connection) -> PolicyTexts:
    """What is active, and of agreements what was last in force: its refusals name how it ended."""
    statement = select(policy_versions).where(_TABLE.state.in_(sorted(_IN_BOOK)))
    return texts_of(version_of(row) for row in connection.execute(statement))


def texts_of(versions: Iterable[Version]) -> PolicyTexts:
    """The texts of versions that are active, suspended or revoked, as one whole."""
    dictionary = b""
    programmes: dict[str, bytes] = {}
    agreements: dict[str, tuple[int, AgreementText]] = {}
    for version in versions:
        if version.kind == "dictionary":
            dictionary = version.text
        elif version.kind == "programme":
            programmes[version.name] = version.text
        else:
            # What is in force speaks; where nothing is, the last that was.
            rank = version.version + (_MOST_VERSIONS if version.state in IN_FORCE else 0)
            written = AgreementText(version.text, version.cases, _IN_BOOK[version.state])
            if version.name not in agreements or rank > agreements[version.name][0]:
                agreements[version.name] = (rank, written)
    return PolicyTexts(dictionary, programmes, {name: written for name, (_, written) in agreements.items()})


def cases_in_waiting(connection: Connection) -> dict[str, bytes]:
    """The cases of agreements' open versions, by agreement."""
    statement = select(_TABLE.name, _TABLE.cases).where(
        _TABLE.kind == "agreement", _TABLE.state.in_(sorted(OPEN))
    )
    return {name: cases.encode() for name, cases in connection.execute(statement)}


def epoch_of(connection: Connection) -> int:
    """The number that every change of what is in force raises; 0 before the first."""
    return connection.execute(select(policy_epoch.c.epoch)).scalar_one_or_none() or 0


def raise_epoch(connection: Connection) -> None:
    """Tell every process that what is in force has changed, once this transaction is committed."""
    raised = connection.execute(update(policy_epoch).values(epoch=policy_epoch.c.epoch + 1))
    if raised.rowcount == 0:
        connection.execute(insert(policy_epoch).values(id=1, epoch=1))


def find(connection: Connection, kind: Kind, name: str, number: int) -> Version:
    """One version. Raises NotFound."""
    row = connection.execute(
        select(policy_versions).where(_of(kind, name), _TABLE.version == number)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {number} of {kind} {name}.")
    return version_of(row)


def find_open(connection: Connection, kind: Kind, name: str) -> Version | None:
    """The version that is being worked on, if there is one."""
    return _find_one(connection, kind, name, OPEN)


def find_in_force(connection: Connection, kind: Kind, name: str) -> Version | None:
    """The version that decides requests, or whose suspension refuses them; None if there is none."""
    return _find_one(connection, kind, name, IN_FORCE)


def highest_number(connection: Connection, kind: Kind, name: str) -> int:
    """The number of the newest version of a policy; 0 if it has none."""
    highest: int | None = connection.execute(
        select(func.max(_TABLE.version)).where(_of(kind, name))
    ).scalar_one()
    return highest or 0


def add(connection: Connection, version: Version) -> None:
    """Keep a version that is new."""
    connection.execute(insert(policy_versions).values(_row(version)))


def write(connection: Connection, version: Version) -> None:
    """Keep a version that changed."""
    connection.execute(
        update(policy_versions)
        .where(_of(version.kind, version.name), _TABLE.version == version.version)
        .values(_row(version))
    )


def supersede(connection: Connection, kind: Kind, name: str, now: datetime) -> None:
    """Have the version in force give way, before another may take its place."""
    before = find_in_force(connection, kind, name)
    if before is not None:
        write(connection, replace(before, state="superseded", changed_at=now))


def last_actor(connection: Connection, version: Version) -> str:
    """Who did the last act with a version, as the history names them."""
    acts = policy_acts.c
    statement = select(acts.actor).where(
        acts.kind == version.kind, acts.name == version.name, acts.version == version.version
    )
    return connection.execute(statement.order_by(acts.id.desc()).limit(1)).scalar_one_or_none() or "somebody"


def version_of(row: Row[Any]) -> Version:
    """The version that a row holds."""
    values: Mapping[Any, Any] = row._mapping  # noqa: SLF001 - documented, for all its underscore
    encoded = {"text": values["text"].encode(), "cases": values["cases"].encode()}
    return Version(**{**values, **encoded, "editors": frozenset(values["editors"])})


def _find_one(connection: Connection, kind: Kind, name: str, states: frozenset[State]) -> Version | None:
    statement = select(policy_versions).where(_of(kind, name), _TABLE.state.in_(sorted(states)))
    row = connection.execute(statement).one_or_none()
    return None if row is None else version_of(row)


def _of(kind: Kind, name: str) -> ColumnElement[bool]:
    return and_(_TABLE.kind == kind, _TABLE.name == name)


def _row(version: Version) -> dict[str, Any]:
    return {
        "kind": version.kind,
        "name": version.name,
        "version": version.version,
        "state": version.state,
        "text": version.text.decode(),
        "cases": version.cases.decode(),
        "sha256": version.sha256,
        "author": version.author,
        "editors": sorted(version.editors),
        "approver": version.approver,
        "suspended_by": version.suspended_by,
        "reason": version.reason,
        "created_at": version.created_at,
        "changed_at": version.changed_at,
    }
