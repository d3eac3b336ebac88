"""Consumers: the agencies that may call, who let them in, and the public keys by which they are known.

The gateway holds no secret of a partner: a consumer proves itself with a private key that it never gave
away, and a key set with anything secret, weak or ambiguous in it is refused whole. What opens more (see
`registration`) waits for a second person, who had no hand in it; what opens less counts at once. The console
needs nobody else: whoever runs commands there can read the keys. Whether the role of an actor suffices is
asked before, by `gateway.staff.check`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.errors import Conflict, NotFound, NotPermitted, Unfit
from gateway.oauth.consumer_keys import ConsumerKeys
from gateway.oauth.consumer_rows import (
    NO_SUCH_CONSUMER,
    REGISTRATIONS,
    Wanted,
    add_keys,
    columns_of,
    locked,
    page_of,
    refuse_own_proposal,
    registered,
    registrations_in,
    told,
    write,
    write_down,
)
from gateway.oauth.key_sets import read_key_set
from gateway.oauth.registration import Change, Consumer, Contact, Registration, is_consumer_id, problems_of
from gateway.oauth.tables import consumer_keys, consumers
from gateway.staff.acts import Details, RecordAct, record_in_audit_log
from gateway.staff.roles import Staff
from policies.dictionary import Text

__all__ = ["Consumer", "ConsumerStore", "Contact", "Registration", "Wanted"]

_NOTHING = Change()
_CANNOT_BE_REGISTERED = Text("Konsumen tidak dapat didaftarkan", "The consumer cannot be registered")
_CANNOT_BE_CHANGED = Text("Pendaftaran tidak dapat diubah", "The consumer cannot be changed")


def utc_now() -> datetime:
    """The present moment, for the record of registrations."""
    return datetime.now(UTC)


class ConsumerStore:
    """Registers and changes consumers. Every change counts at once, on every worker; methods block.

    Each act is recorded with its actor and reason in its own transaction. `if_match` is the version that the
    caller saw; another one raises Conflict. `keys` does the same for a consumer's keys.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        record: RecordAct = record_in_audit_log,
    ) -> None:
        self._database = database
        self.clock = clock
        self._record = record
        self.keys = ConsumerKeys(database, clock, record)

    def list(self) -> Sequence[Registration]:
        """Every consumer, disabled ones and proposals too, by id."""
        with self._database.reading() as connection:
            return registrations_in(connection.execute(REGISTRATIONS))

    def page(self, wanted: Wanted, after: str, limit: int) -> tuple[Sequence[Registration], int]:
        """Up to `limit` consumers whose ids follow `after`, by id, and how many are wanted in all."""
        with self._database.reading() as connection:
            return page_of(connection, wanted, after, limit)

    def find(self, consumer_id: str) -> Registration | None:
        """The consumer of this id, whatever its state; None when there is none, or the id is none."""
        if not is_consumer_id(consumer_id):
            return None
        with self._database.reading() as connection:
            rows = connection.execute(REGISTRATIONS.where(_THIS), {"id": consumer_id})
            return next(iter(registrations_in(rows)), None)

    def get(self, consumer_id: str) -> Registration:
        """The consumer of this id, whatever its state. Raises NotFound."""
        if registration := self.find(consumer_id):
            return registration
        raise NotFound(NO_SUCH_CONSUMER)

    def register(
        self,
        actor: Staff,
        *,
        id: str,  # noqa: A002 - the word of the command line and the API
        name: str,
        sector: str,
        jwks: object,
        reason: str,
        regions: Sequence[str] = (),
        contact: Contact | None = None,
        sandbox: bool = False,
        certificate_bound: bool = False,
    ) -> Registration:
        """Propose a consumer with its public keys (a JWK Set, RFC 7517); the console lets it in at once.

        Raises BadInput with every problem found, Conflict when the id or one of the keys is registered.
        """
        consumer = Consumer(id, name, sector, tuple(regions), sandbox, certificate_bound)
        keys, unfit = read_key_set(jwks)
        _refuse([*problems_of(consumer, contact), *unfit], _CANNOT_BE_REGISTERED)
        row = {
            "id": id,
            **columns_of(consumer, contact),
            "state": "active" if actor.on_console else "proposed",
            "registered_at": self.clock(),
            "version": 1,
            "proposers": [] if actor.on_console else [actor.id],
            "approved_by": actor.id if actor.on_console else None,
        }
        details = {**told(Change.making(consumer)), "keys": sorted(keys)}
        try:
            with self._database.unit_of_work() as connection:
                if connection.execute(select(consumers.c.id).where(_THIS), {"id": id}).first():
                    raise _taken(id)
                connection.execute(insert(consumers).values(row))
                add_keys(connection, id, keys, actor, now=self.clock())
                act = "consumer.registered" if actor.on_console else "consumer.proposed"
                self._write_down(connection, actor, act, id, reason, details)
                return registered(connection, id)
        except IntegrityError:
            raise _taken(id) from None

    def approve(
        self, actor: Staff, consumer_id: str, reason: str, *, if_match: int | None = None
    ) -> Registration:
        """Let a proposed consumer in, with the keys it has; or let the change count that waits.

        Raises NotFound, Conflict when nothing waits, NotPermitted for who had a hand in it.
        """
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id, if_match)
            refuse_own_proposal(actor, present.proposers)
            settled: dict[str, Any] = {"waiting": None, "proposers": []}
            if present.state == "proposed":
                connection.execute(_APPROVE_KEYS, {"of": consumer_id, "approver": actor.id})
                write(connection, present, {**settled, "state": "active", "approved_by": actor.id})
                act, what = "consumer.approved", told(Change.making(present.consumer))
            elif present.waiting != _NOTHING:
                consumer = present.waiting.applied_to(present.consumer)
                write(connection, present, {**settled, **columns_of(consumer, present.contact)})
                act, what = "consumer.change_approved", told(present.waiting)
            else:
                raise _nothing_waits(consumer_id)
            details = {**what, "proposed_by": sorted(present.proposers)}
            self._write_down(connection, actor, act, consumer_id, reason, details)
            return registered(connection, consumer_id)

    def refuse(
        self, actor: Staff, consumer_id: str, reason: str, *, if_match: int | None = None
    ) -> Registration:
        """End what waits: the change is dropped, the proposed consumer is disabled.

        Raises NotFound, Conflict when nothing waits.
        """
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id, if_match)
            if present.state == "proposed":
                # Its proposers stay known: they do not approve it later either.
                write(connection, present, {"state": "disabled", "disabled_by": actor.id})
            elif present.waiting != _NOTHING:
                write(connection, present, {"waiting": None, "proposers": []})
            else:
                raise _nothing_waits(consumer_id)
            self._write_down(connection, actor, "consumer.refused", consumer_id, reason)
            return registered(connection, consumer_id)

    def change(
        self,
        actor: Staff,
        consumer_id: str,
        change: Change,
        reason: str,
        *,
        name: str | None = None,
        contact: Contact | None = None,
        if_match: int | None = None,
    ) -> Registration:
        """Correct a registration: what opens more waits for a second person, the rest counts at once.

        Another sector gives the consumer other pseudonyms for everybody. What is said of a part replaces
        what waited of it. Raises NotFound, Conflict, BadInput with every problem found.
        """
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id, if_match)
            named = replace(present.consumer, name=name or present.consumer.name)
            _refuse([*problems_of(change.applied_to(named), contact)], _CANNOT_BE_CHANGED)
            at_once, waits = _parted(actor, present, change)
            values = columns_of(at_once.applied_to(named), contact or present.contact)
            write(connection, present, values | _waiting(actor, present, change, waits))
            also = [what for what, given in (("name", name), ("contact", contact)) if given is not None]
            details = {**told(at_once), **told(waits, "wanted_"), "also": also}
            self._write_down(connection, actor, "consumer.changed", consumer_id, reason, details)
            return registered(connection, consumer_id)

    def disable(self, actor: Staff, consumer_id: str, reason: str) -> Registration:
        """Refuse the consumer and every token that it holds, from now on. Raises NotFound."""
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id)
            write(connection, present, {"state": "disabled", "disabled_by": actor.id})
            self._write_down(connection, actor, "consumer.disabled", consumer_id, reason)
            return registered(connection, consumer_id)

    def enable(self, actor: Staff, consumer_id: str, reason: str) -> Registration:
        """Let a disabled consumer call again; one that was never approved waits for approval again.

        Raises NotFound, Conflict when it is not disabled, NotPermitted for who disabled it.
        """
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id)
            if present.state != "disabled":
                raise Conflict(
                    Text(
                        f"{consumer_id} tidak dibekukan: tidak ada yang perlu diaktifkan kembali.",
                        f"{consumer_id} is {present.state}, not disabled: there is nothing to enable.",
                    )
                )
            if present.disabled_by == actor.id and not actor.on_console:
                raise NotPermitted(
                    Text(
                        f"{actor.id} sendiri yang membekukan {consumer_id}: operator atau penyetuju lain "
                        "yang mengaktifkannya kembali.",
                        f"{actor.id} disabled {consumer_id}: another operator or approver enables it.",
                    ),
                    code="second_person_needed",
                )
            values: dict[str, Any] = {"state": "active", "disabled_by": None}
            if present.approved_by is None:
                # Whoever asks for it again has a hand in it too.
                values |= {"state": "proposed", "proposers": sorted(present.proposers | {actor.id})}
            write(connection, present, values)
            self._write_down(connection, actor, "consumer.enabled", consumer_id, reason)
            return registered(connection, consumer_id)

    def _write_down(
        self,
        connection: Connection,
        actor: Staff,
        act: str,
        consumer_id: str,
        reason: str,
        details: Details | None = None,
    ) -> None:
        write_down(self._record, connection, actor, act, consumer_id, reason, self.clock(), details)


_THIS = consumers.c.id == bindparam("id")
_APPROVE_KEYS = (
    update(consumer_keys)
    .where(consumer_keys.c.consumer_id == bindparam("of"), consumer_keys.c.approved_by.is_(None))
    .values(approved_by=bindparam("approver"))
)


def _refuse(problems: Sequence[Text], what: Text) -> None:
    if problems:
        raise Unfit(what, problems)


def _nothing_waits(consumer_id: str) -> Conflict:
    return Conflict(
        Text(
            f"Tidak ada apa pun dari {consumer_id} yang menunggu persetujuan.",
            f"Nothing of {consumer_id} waits for approval.",
        )
    )


def _taken(consumer_id: str) -> Conflict:
    return Conflict(
        Text(
            f"Konsumen {consumer_id}, atau konsumen dengan salah satu kunci ini, sudah terdaftar.",
            f"A consumer {consumer_id}, or one with a key of this set, is registered already: see "
            "`gapura consumers list`.",
        )
    )


def _parted(actor: Staff, present: Registration, change: Change) -> tuple[Change, Change]:
    """What of the change counts at once, and what waits. Of what nobody has approved, nothing is open yet."""
    if actor.on_console or present.approved_by is None:
        return change, _NOTHING
    waits = change.widening(present.consumer)
    return change.without(waits.parts), waits


def _waiting(actor: Staff, present: Registration, change: Change, waits: Change) -> dict[str, Any]:
    """What the columns hold of what waits afterwards, and of who had a hand in it."""
    if present.approved_by is None:
        return {"proposers": sorted(present.proposers | {actor.id})}
    kept = present.waiting.without(change.parts)
    waiting = {**kept.parts, **waits.parts}
    proposers = present.proposers if kept.parts else frozenset[str]()
    if waits.parts:
        proposers |= {actor.id}
    return {"waiting": waiting or None, "proposers": sorted(proposers)}
