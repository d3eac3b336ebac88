"""Versions as rows: how they are kept, found and numbered, always within the caller's transaction.

It MUST NOT judge: whether a version may change is for `lifecycle`, and asked by `store`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, true, update

from gateway.agreements.facts import facts_of
from gateway.agreements.lifecycle import IN_FORCE, KIND_WORDS, OPEN, Kind, State, Version
from gateway.agreements.listing import list_anew
from gateway.agreements.reading import AgreementText, PolicyTexts
from gateway.agreements.tables import policy_acts, policy_epoch, policy_listing, policy_versions
from gateway.civil_day import wib
from gateway.errors import NotFound
from gateway.oauth.tables import consumers
from policies.agreement import State as BookState
from policies.agreement import Suspension
from policies.dictionary import Text

_TABLE = policy_versions.c
# How a book names the states in which an agreement can be in it.
_IN_BOOK: Mapping[State, BookState] = {"active": "active", "suspended": "suspended", "revoked": "revoked"}
# Whom cases have ask: one consumer too many does no harm.
_ASKING = re.compile(rb"""consumer["']?:\s*["']?([a-z0-9-]+)""")


def consumer_names(connection: Connection) -> Mapping[str, str]:
    """What each registered consumer is called, by id."""
    return {row.id: row.name for row in connection.execute(select(consumers.c.id, consumers.c.name))}


def texts_in_force(connection: Connection) -> PolicyTexts:
    """What is active, and of agreements what was last in force: its refusals name how it ended.

    Beside an agreement stands the version that was in force before it.
    """
    return _texts(connection, true())


def texts_beside(
    connection: Connection, kind: Kind, name: str, *written: bytes, asking: Iterable[str] = ()
) -> PolicyTexts:
    """What of that bears upon texts of one policy, of which some are agreements' and others cases.

    On an agreement only those of the same consumer, of the consumers whom its cases have ask, and of those
    who are `asking`: with ten thousand in force the others need not be read. On rules and on the dictionary
    everything bears.
    """
    if kind != "agreement":
        return texts_in_force(connection)
    named = {found.decode() for text in written for found in _ASKING.findall(text)}.union(asking)
    named.update(filter(None, (facts_of(text).consumer for text in written)))
    return _texts(connection, _agreement(or_(_TABLE.name == name, _of_consumers(named))))


def texts_compared(connection: Connection, kind: Kind, name: str, *written: bytes) -> PolicyTexts:
    """What bears upon how texts of one policy differ: how rules and fields do, no agreement says."""
    if kind == "agreement":
        return texts_beside(connection, kind, name, *written)
    return texts_of_agreements(connection, ())


def texts_asked_by(connection: Connection, consumers: Iterable[str]) -> PolicyTexts:
    """The dictionary and the rules in force, and the agreements of these consumers."""
    return _texts(connection, _agreement(_of_consumers(consumers)))


def texts_of_agreements(connection: Connection, names: Sequence[str]) -> PolicyTexts:
    """The dictionary and the rules in force, and of the agreements these alone."""
    return _texts(connection, _agreement(_TABLE.name.in_(names)))


def agreements_in_force(connection: Connection) -> Sequence[str]:
    """The ids of the agreements that stand in the book, sorted."""
    listed = policy_listing.c
    inside = (listed.kind == "agreement", listed.state.in_(sorted(_IN_BOOK)))
    return connection.execute(select(listed.name).where(*inside).order_by(listed.name)).scalars().all()


def _of_consumers(consumers: Iterable[str]) -> ColumnElement[bool]:
    listed = policy_listing.c
    theirs = select(listed.name).where(listed.kind == "agreement", listed.consumer.in_(sorted(consumers)))
    return _TABLE.name.in_(theirs)


def _agreement(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whatever is no agreement, and these agreements."""
    return or_(_TABLE.kind.in_(("dictionary", "programme")), and_(_TABLE.kind == "agreement", which))


def _texts(connection: Connection, which: ColumnElement[bool]) -> PolicyTexts:
    speaks = _TABLE.state.in_(sorted(_IN_BOOK))
    statement = select(policy_versions).where(which, or_(speaks, _superseded_last()))
    return texts_of(version_of(row) for row in connection.execute(statement))


def _superseded_last() -> ColumnElement[bool]:
    """Whether an agreement's version is the newest of those that gave way to another."""
    others = policy_versions.alias()
    same = (others.c.kind == _TABLE.kind, others.c.name == _TABLE.name, others.c.state == "superseded")
    newest = select(func.max(others.c.version)).where(*same).scalar_subquery()
    return and_(_TABLE.kind == "agreement", _TABLE.state == "superseded", _TABLE.version == newest)


def texts_of(versions: Iterable[Version]) -> PolicyTexts:
    """The texts of versions that are or were in force, as one whole."""
    dictionary = b""
    programmes: dict[str, bytes] = {}
    agreements: dict[str, list[Version]] = {}
    for version in versions:
        if version.kind == "dictionary":
            dictionary = version.text
        elif version.kind == "programme":
            programmes[version.name] = version.text
        else:
            agreements.setdefault(version.name, []).append(version)
    written = {name: _speaking(of_one) for name, of_one in agreements.items()}
    return PolicyTexts(dictionary, programmes, {name: one for name, one in written.items() if one})


def _speaking(versions: list[Version]) -> AgreementText | None:
    """What is in force of one agreement speaks; where nothing is, the last that was."""
    newest_last = sorted(versions, key=lambda one: (one.state in IN_FORCE, one.version))
    speaks, before = newest_last[-1], newest_last[-2] if len(newest_last) > 1 else None
    state = _IN_BOOK.get(speaks.state)
    if state is None:
        return None
    suspension = Suspension(wib(speaks.changed_at), speaks.reason) if state == "suspended" else None
    return AgreementText(
        speaks.text, speaks.cases, state, before.text if before is not None else b"", suspension
    )


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


def none_of(kind: Kind, name: str) -> NotFound:
    """What is raised of a policy that has no version."""
    called = KIND_WORDS[kind]
    return NotFound(Text(f"Tidak ada {called.id} {name}.", f"There is no {called.en} {name}."))


def find(connection: Connection, kind: Kind, name: str, number: int) -> Version:
    """One version. Raises NotFound."""
    row = connection.execute(
        select(policy_versions).where(_of(kind, name), _TABLE.version == number)
    ).one_or_none()
    if row is None:
        raise NotFound(
            Text(
                f"Tidak ada versi {number} dari {KIND_WORDS[kind].id} {name}.",
                f"There is no version {number} of {KIND_WORDS[kind].en} {name}.",
            )
        )
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
    list_anew(connection, version.kind, version.name)


def write(connection: Connection, version: Version) -> None:
    """Keep a version that changed."""
    connection.execute(
        update(policy_versions)
        .where(_of(version.kind, version.name), _TABLE.version == version.version)
        .values(_row(version))
    )
    list_anew(connection, version.kind, version.name)


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
