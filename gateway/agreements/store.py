"""The policies' store: every version of every text, and the acts by which they come into force and end.

Each act is one transaction with its audit entry: neither exists without the other. Only what `lifecycle`
finds no fault with is done. It MUST NOT be asked by requests: they read a `LivePolicies`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from gateway.agreements import rows
from gateway.agreements.case_adjusting import Untrue
from gateway.agreements.folders import PolicyFile, read_folder
from gateway.agreements.judging import Difference, difference, judge, untrue_under
from gateway.agreements.keepable import checked_reason, refuse_name, refuse_unkeepable
from gateway.agreements.lifecycle import (
    IN_FORCE,
    JUDGED,
    NOT_JUDGED,
    Act,
    Judgement,
    Kind,
    Unmet,
    Version,
    acts_possible,
    next_state,
    unmet,
)
from gateway.agreements.listing import Listed, Wanted, page_of
from gateway.agreements.provided import AskProvided, not_known
from gateway.agreements.reading import PolicyReader, own_number
from gateway.agreements.refused import ChangedMeanwhile, ConditionsUnmet
from gateway.agreements.remembered import Remembered
from gateway.agreements.tables import policy_acts, policy_versions
from gateway.audit.documents import add_document
from gateway.audit.entry import act as act_entry
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.staff.roles import INSTALLATION, Staff
from policies.agreement import AgreementBook

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Done:
    """An act as the history shows it. `at` is UTC."""

    version: int
    act: str
    actor: str
    reason: str
    sha256: str
    at: datetime


class PolicyStore:
    """Versions and acts. Blocks; use it in a thread. Safe to use from every worker.

    `provided` says which fields the gateway's sources have, so that nothing comes into force with which the
    next start would fail. `in_force` is a reader that knows what is in force already.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        provided: AskProvided = not_known,
        in_force: PolicyReader | None = None,
    ) -> None:
        self._database, self._clock, self._provided = database, clock, provided
        self._reader = PolicyReader()
        self._in_force = in_force or self._reader
        self._known: tuple[int, AgreementBook] | None = None
        self._judged = Remembered[Judgement](4)

    def seed(self, folder: Path) -> bool:
        """Put a folder of policies into force if the store is empty; whether it was.

        Recorded as acts of the installation. Raises PolicyError when it does not load, FileUnusable.
        """
        with self._database.unit_of_work() as connection:
            self._lock(connection)
            if connection.execute(select(func.count()).select_from(policy_versions)).scalar_one():
                return False
            now = self._clock()
            versions = [_first(file, now) for file in read_folder(folder)]
            self._reader.book(rows.texts_of(versions))
            for version in versions:
                rows.add(connection, version)
                _record(connection, version, "activate", INSTALLATION, "first start", now)
            rows.raise_epoch(connection)
        return True

    def book(self) -> AgreementBook:
        """What is in force, and what was revoked. Raises PolicyError, StoreUnavailable."""
        with self._database.reading() as connection:
            # The epoch first: texts that are newer than it are read again, never missed.
            epoch, known = rows.epoch_of(connection), self._known
            if known is None or known[0] != epoch:
                known = self._known = epoch, self._in_force.book(rows.texts_in_force(connection))
        return known[1]

    def book_of(self, *agreements: str) -> AgreementBook:
        """The same with no other agreements than these. Raises PolicyError, StoreUnavailable."""
        with self._database.reading() as connection:
            return self._reader.book(rows.texts_of_agreements(connection, agreements))

    def agreements(self) -> Sequence[str]:
        """The ids of the agreements in `book`, sorted; no text is read."""
        with self._database.reading() as connection:
            return rows.agreements_in_force(connection)

    def versions(self, kind: Kind | None = None, name: str | None = None) -> list[Version]:
        """Versions, the newest of each policy first. Empty where there is none."""
        statement = select(policy_versions).order_by(
            policy_versions.c.kind, policy_versions.c.name, policy_versions.c.version.desc()
        )
        if kind is not None:
            statement = statement.where(policy_versions.c.kind == kind)
        if name is not None:
            statement = statement.where(policy_versions.c.name == name)
        with self._database.reading() as connection:
            return [rows.version_of(row) for row in connection.execute(statement)]

    def get(self, kind: Kind, name: str, version: int | None = None) -> Version:
        """One version; without a number the one in force, else the newest not discarded. Raises NotFound."""
        if version is not None:
            with self._database.reading() as connection:
                return rows.find(connection, kind, name, version)
        found = self.versions(kind, name)
        if not found:
            raise rows.none_of(kind, name)
        counted = [one for one in found if one.state != "discarded"]
        return next((one for one in found if one.state in IN_FORCE), next(iter(counted), found[0]))

    def listed(self, wanted: Wanted, page: int, per_page: int) -> tuple[Sequence[Listed], int]:
        """A page of the list of policies, from 1, and how many there are in all."""
        return page_of(self._database, wanted, civil_day(self._clock()), page, per_page)

    def history(self, kind: Kind, name: str) -> list[Done]:
        """What was done with a policy, the newest first."""
        statement = (
            select(policy_acts)
            .where(policy_acts.c.kind == kind, policy_acts.c.name == name)
            .order_by(policy_acts.c.id.desc())
        )
        with self._database.reading() as connection:
            return [
                Done(row.version, row.act, row.actor, row.reason, row.sha256, row.at)
                for row in connection.execute(statement)
            ]

    def consumers(self) -> frozenset[str]:
        """The ids of the consumers that are registered, those disabled among them."""
        with self._database.reading() as connection:
            return frozenset(rows.consumer_names(connection))

    def judge(self, version: Version) -> Judgement:
        """What would be if `version` counted now."""
        with self._database.reading() as connection:
            return self._judge(connection, version)

    def untrue_cases(self, version: Version) -> tuple[Untrue, ...]:
        """The cases of an agreement's version that only this version makes untrue."""
        with self._database.reading() as connection:
            texts = rows.texts_beside(connection, version.kind, version.name, version.text, version.cases)
        return untrue_under(version, texts, self._reader)

    def prospects(
        self, version: Version, actor: Staff, judgement: Judgement
    ) -> Mapping[Act, tuple[Unmet, ...]]:
        """Every act that makes sense with a version, and what keeps `actor` from it, a reason given."""
        today = civil_day(self._clock())
        return {
            act: unmet(act, version, actor, "given", judgement, today)
            for act in acts_possible(version.kind, version.state)
        }

    def difference(self, kind: Kind, name: str, old: bytes | None, new: bytes) -> Difference:
        """How two texts of a policy differ, in words as far as both can be read; `old` None is no text."""
        refuse_unkeepable(new)
        with self._database.reading() as connection:
            return self._difference(connection, kind, name, old, new)

    def save_draft(
        self, kind: Kind, name: str, content: bytes, cases: bytes, actor: Staff, *, reason: str = ""
    ) -> Version:
        """Keep a text as a new draft of a policy, which may be new itself.

        A draft need not load yet; what it lacks is told by `judge`. Raises BadInput, ConditionsUnmet, and
        ChangedMeanwhile where another version is being worked on already: edit that.
        """
        refuse_name(kind, name)
        refuse_unkeepable(content, cases)
        reason, now = checked_reason(reason), self._clock()
        try:
            with self._database.unit_of_work() as connection:
                self._lock(connection)
                present = rows.find_open(connection, kind, name)
                if present is not None:
                    raise self._changed(connection, present, content)
                highest = rows.highest_number(connection, kind, name)
                version = replace(
                    _first(PolicyFile(kind, name, content, cases), now),
                    version=highest + 1 if highest else own_number(content),
                    state="draft",
                    author=actor.id,
                    editors=frozenset({actor.id}),
                    reason=reason,
                )
                self._refuse_unmet("edit", version, actor, reason, connection)
                rows.add(connection, version)
                _record(connection, version, "edit", actor, reason, now)
                return version
        except IntegrityError:
            # Only where something else than this class writes: the lock lets nobody else be quicker.
            raise self._overtaken(kind, name, content) from None

    def edit(
        self,
        kind: Kind,
        name: str,
        number: int,
        content: bytes,
        cases: bytes,
        actor: Staff,
        *,
        if_match: str,
        reason: str = "",
    ) -> Version:
        """Keep another text in a draft, as the ETag `if_match` names it.

        Whoever does so becomes one of its editors. Raises NotFound, BadInput, ConditionsUnmet, and
        ChangedMeanwhile, with how the text sent differs from the present one, where somebody was quicker.
        """
        refuse_unkeepable(content, cases)
        reason, now = checked_reason(reason), self._clock()
        with self._database.unit_of_work() as connection:
            self._lock(connection)
            present = rows.find(connection, kind, name, number)
            if present.etag != if_match:
                raise self._changed(connection, present, content)
            self._refuse_unmet("edit", present, actor, reason, connection)
            version = replace(
                present,
                text=content,
                cases=cases,
                sha256=hashlib.sha256(content).hexdigest(),
                editors=present.editors | {actor.id},
                reason=reason,
                changed_at=now,
            )
            rows.write(connection, version)
            _record(connection, version, "edit", actor, reason, now)
            return version

    def act(
        self,
        kind: Kind,
        name: str,
        number: int,
        act: Act,
        actor: Staff,
        *,
        reason: str = "",
        if_match: str | None = None,
    ) -> Version:
        """Do one act with one version, and give it as it stands then; a text comes by `edit`.

        Raises NotFound, BadInput, ConditionsUnmet, and ChangedMeanwhile if `if_match` names another state.
        """
        if act == "edit":
            raise ValueError(act)
        reason, now = checked_reason(reason), self._clock()
        with self._database.unit_of_work() as connection:
            self._lock(connection)
            present = rows.find(connection, kind, name, number)
            if if_match is not None and if_match != present.etag:
                raise self._changed(connection, present, None)
            self._refuse_unmet(act, present, actor, reason, connection)
            state = next_state(present.state, act)
            assert state is not None  # noqa: S101 - refused above otherwise
            version = replace(
                present,
                state=state,
                approver=_approver(present, act, actor),
                suspended_by=actor.id if act == "suspend" else present.suspended_by,
                reason=reason or present.reason,
                changed_at=now,
            )
            if act == "activate":
                rows.supersede(connection, kind, name, now)
            rows.write(connection, version)
            _record(connection, version, act, actor, reason, now)
            if IN_FORCE & {state, present.state}:
                rows.raise_epoch(connection)
            return version

    def _judge(self, connection: Connection, version: Version) -> Judgement:
        names, provided = rows.consumer_names(connection), self._provided()
        waiting = {} if version.kind == "agreement" else rows.cases_in_waiting(connection)

        def judged() -> Judgement:
            texts = rows.texts_beside(connection, version.kind, version.name, version.text, version.cases)
            return judge(version, texts, self._reader, names, waiting, provided)

        # Of a rule it takes seconds with ten thousand agreements, and each look at a draft asks it anew.
        return self._judged((rows.epoch_of(connection), version, names, waiting, provided), judged)

    def _difference(
        self, connection: Connection, kind: Kind, name: str, old: bytes | None, new: bytes
    ) -> Difference:
        texts = rows.texts_compared(connection, kind, name, *filter(None, (old, new)))
        names = rows.consumer_names(connection)
        return difference(kind, name, old, new, texts, self._reader, names)

    def _refuse_unmet(
        self, act: Act, version: Version, actor: Staff, reason: str, connection: Connection
    ) -> None:
        judgement = self._judge(connection, version) if act in JUDGED else NOT_JUDGED
        conditions = unmet(act, version, actor, reason, judgement, civil_day(self._clock()))
        if conditions:
            raise ConditionsUnmet(conditions)

    def _changed(self, connection: Connection, present: Version, sent: bytes | None) -> ChangedMeanwhile:
        differs = None
        if sent is not None:
            differs = self._difference(connection, present.kind, present.name, present.text, sent)
        return ChangedMeanwhile(present, rows.last_actor(connection, present), differs)

    def _overtaken(self, kind: Kind, name: str, sent: bytes) -> ChangedMeanwhile:
        newest = self.versions(kind, name)[0]
        with self._database.reading() as connection:
            return self._changed(connection, newest, sent)

    def _lock(self, connection: Connection) -> None:
        """One act at a time over all nodes: what it is judged by must not change under it."""
        if not self._database.is_sqlite:
            connection.execute(text("LOCK TABLE policy_versions IN EXCLUSIVE MODE"))


def _record(
    connection: Connection, version: Version, act: Act, actor: Staff, reason: str, now: datetime
) -> None:
    """The act in the history and in the audit log, and the texts where the log's readers find them."""
    done = {"act": act, "actor": actor.actor, "reason": reason, "sha256": version.sha256, "at": now}
    whose = {"kind": version.kind, "name": version.name, "version": version.version}
    connection.execute(insert(policy_acts).values(**whose, **done))
    add_document(connection, version.text, now)
    entry = act_entry(
        actor=actor.actor,
        act=f"policy.{act}",
        object_id=f"{version.kind}/{version.name}/{version.version}",
        object_sha256=version.sha256,
        reason=reason,
        at=now,
        state=version.state,
        # What is meant by a text is part of what was agreed.
        **({"cases_sha256": add_document(connection, version.cases, now)} if version.cases else {}),
    )
    add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])


def _approver(present: Version, act: Act, actor: Staff) -> str | None:
    """Who approved the text. Whoever resumes it approved no text: the history alone names them."""
    if act == "approve":
        return actor.id
    return None if act in {"withdraw", "refuse"} else present.approver


def _first(file: PolicyFile, now: datetime) -> Version:
    """A text as the installation puts it into force, with the number that its history elsewhere gave it."""
    return Version(
        kind=file.kind,
        name=file.name,
        version=own_number(file.text) if file.kind != "dictionary" else 1,
        state="active",
        sha256=hashlib.sha256(file.text).hexdigest(),
        author=INSTALLATION.id,
        editors=frozenset({INSTALLATION.id}),
        approver=None,
        suspended_by=None,
        reason="first start",
        created_at=now,
        changed_at=now,
        text=file.text,
        cases=file.cases,
    )
