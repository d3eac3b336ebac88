"""Keys of consumers: each from a moment, to a moment; a new one announces when the old ones end.

A key is a way in, so a second person approves it; taking one away needs one person and counts at once. While
two keys overlap the partner changes from one to the other without a failed request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, update
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.errors import Conflict, NotFound, Unfit
from gateway.oauth.consumer_rows import add_keys, locked, refuse_own_proposal, registered, write, write_down
from gateway.oauth.key_sets import MOST_KEYS, read_key_set
from gateway.oauth.registration import RegisteredKey, Registration
from gateway.oauth.tables import consumer_keys
from gateway.staff.acts import Details, RecordAct
from gateway.staff.roles import Staff
from policies.dictionary import Text

# Long enough for a partner's change window, short enough that an old key is not forgotten.
OVERLAP_DAYS = 30
LONGEST_OVERLAP_DAYS = 365
_CANNOT_BE_ADDED = Text("Kunci tidak dapat ditambahkan", "The key cannot be added")


class ConsumerKeys:
    """Adds, approves and removes keys of consumers; see `gateway.oauth.consumers.ConsumerStore`."""

    def __init__(self, database: Database, clock: Callable[[], datetime], record: RecordAct) -> None:
        self._database = database
        self._clock = clock
        self._record = record

    def add(
        self,
        actor: Staff,
        consumer_id: str,
        jwk: object,
        reason: str,
        *,
        overlap_days: int | None = OVERLAP_DAYS,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Registration:
        """Propose one more public key; the console's counts at once.

        Once it counts, the others end after `overlap_days`, unless that is None or they end sooner. Raises
        NotFound, BadInput, and Conflict when the key, or another of its kid, is registered.
        """
        now = self._clock()
        keys, problems = read_key_set({"keys": [jwk]})
        problems += _problems_of_times(now, overlap_days, not_before, not_after)
        if problems:
            raise Unfit(_CANNOT_BE_ADDED, problems)
        (kid,) = keys
        times = {"not_before": not_before, "not_after": not_after}
        try:
            with self._database.unit_of_work() as connection:
                present = locked(connection, consumer_id)
                _refuse_kid(present, kid)
                # Who adds a key to a proposal has a hand in it.
                onboarding = present.approved_by is None
                proposers = present.proposers | ({actor.id} if onboarding else frozenset())
                write(connection, present, {"proposers": sorted(proposers)})
                overlap = None if onboarding else overlap_days
                add_keys(connection, consumer_id, keys, actor, now=now, overlap_days=overlap, **times)
                if actor.on_console:
                    _end_others(connection, registered(connection, consumer_id), kid, now)
                act = "consumer_key.added" if actor.on_console else "consumer_key.proposed"
                self._write_down(connection, actor, act, consumer_id, reason, now, {"kid": kid})
                return registered(connection, consumer_id)
        except IntegrityError:
            raise Conflict(
                Text(
                    f"Kunci ini didaftarkan sementara itu: lihat {consumer_id} kembali.",
                    f"This key was registered meanwhile: see {consumer_id} again.",
                )
            ) from None

    def approve(
        self, actor: Staff, consumer_id: str, kid: str, reason: str, *, if_match: int | None = None
    ) -> Registration:
        """Accept a key that somebody else proposed, and end the others as it announced.

        Raises NotFound, Conflict when it does not wait or its consumer was never approved, NotPermitted for
        who proposed it.
        """
        now = self._clock()
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id, if_match)
            key = _found(present, kid)
            if key.approved_by is not None:
                raise Conflict(
                    Text(
                        f"Kunci {kid} milik {consumer_id} sudah disetujui.",
                        f"The key {kid} of {consumer_id} is approved already.",
                    )
                )
            if present.approved_by is None:
                raise Conflict(
                    Text(
                        f"{consumer_id} sendiri menunggu persetujuan: kuncinya disetujui bersamanya.",
                        f"{consumer_id} itself awaits approval: its keys are approved with it.",
                    )
                )
            refuse_own_proposal(actor, [key.added_by])
            write(connection, present, {})
            connection.execute(update(consumer_keys).where(_is(present, kid)).values(approved_by=actor.id))
            _end_others(connection, present, kid, now)
            details = {"kid": kid, "proposed_by": key.added_by}
            self._write_down(connection, actor, "consumer_key.approved", consumer_id, reason, now, details)
            return registered(connection, consumer_id)

    def remove(self, actor: Staff, consumer_id: str, kid: str, reason: str) -> Registration:
        """Accept no more assertions by this key; a proposed one is refused. Its tokens live on, for minutes.

        Raises NotFound, or Conflict for the last key that is good: disable the consumer instead.
        """
        now = self._clock()
        with self._database.unit_of_work() as connection:
            present = locked(connection, consumer_id)
            removed = _found(present, kid)
            others = [key for key in present.keys.values() if key.kid != kid]
            good = {"good"} if present.approved_by else {"good", "awaiting_approval"}
            if removed.standing(now) in good and not any(key.standing(now) in good for key in others):
                raise Conflict(
                    Text(
                        f"{kid} adalah kunci terakhir {consumer_id}: tambahkan kunci lain dahulu, atau "
                        "bekukan konsumennya.",
                        f"{kid} is the last key of {consumer_id}: add another first, or disable the "
                        "consumer.",
                    )
                )
            write(connection, present, {})
            connection.execute(delete(consumer_keys).where(_is(present, kid)))
            details = {"kid": kid}
            self._write_down(connection, actor, "consumer_key.removed", consumer_id, reason, now, details)
            return registered(connection, consumer_id)

    def _write_down(
        self,
        connection: Connection,
        actor: Staff,
        act: str,
        consumer_id: str,
        reason: str,
        at: datetime,
        details: Details,
    ) -> None:
        write_down(self._record, connection, actor, act, consumer_id, reason, at, details)


def _problems_of_times(
    now: datetime, overlap_days: int | None, not_before: datetime | None, not_after: datetime | None
) -> list[Text]:
    problems: list[Text] = []
    if overlap_days is not None and not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
        problems.append(
            Text(
                f"tumpang tindih: diharapkan 0 sampai {LONGEST_OVERLAP_DAYS} hari, atau kosong agar kunci "
                "lain tetap seperti adanya",
                f"overlap_days: expected 0 to {LONGEST_OVERLAP_DAYS}, or none to leave the others be",
            )
        )
    if any(moment is not None and moment.tzinfo is None for moment in (not_before, not_after)):
        return [
            *problems,
            Text(
                "mulai dan berakhir: diharapkan saat dengan zona waktunya, seperti ...+07:00",
                "not_before and not_after: expected a moment with its time zone, such as ...+07:00",
            ),
        ]
    begins = max(now, not_before or now)
    if not_after is not None and not_after <= begins + timedelta(days=overlap_days or 0):
        problems.append(
            Text(
                "berakhir: diharapkan saat setelah kunci ini mulai dan kunci lain berakhir",
                "not_after: expected a moment after the key begins and the others have ended",
            )
        )
    return problems


def _refuse_kid(present: Registration, kid: str) -> None:
    consumer_id = present.consumer.id
    if kid in present.keys:
        raise Conflict(
            Text(
                f"{consumer_id} sudah mempunyai kunci {kid}: kunci baru memerlukan kid baru.",
                f"{consumer_id} has a key {kid} already: a new key needs a new kid.",
            )
        )
    if len(present.keys) >= MOST_KEYS:
        raise Conflict(
            Text(
                f"{consumer_id} sudah mempunyai {MOST_KEYS} kunci: akhiri yang tidak dipakai lagi.",
                f"{consumer_id} has {MOST_KEYS} keys already: remove one that is out of use.",
            )
        )


def _found(present: Registration, kid: str) -> RegisteredKey:
    if key := present.keys.get(kid):
        return key
    raise NotFound(
        Text(
            f"{present.consumer.id} tidak mempunyai kunci dengan kid ini.",
            f"{present.consumer.id} has no key of this kid: see `gapura consumers keys list`.",
        )
    )


def _is(present: Registration, kid: str) -> ColumnElement[bool]:
    return and_(consumer_keys.c.consumer_id == present.consumer.id, consumer_keys.c.kid == kid)


def _end_others(connection: Connection, present: Registration, kid: str, now: datetime) -> None:
    """Let the approved keys end that do not end sooner, as this one announced when it was added."""
    key = present.keys[kid]
    if key.overlap_days is None:
        return
    end = max(now, key.not_before) + timedelta(days=key.overlap_days)
    others = and_(
        consumer_keys.c.consumer_id == present.consumer.id,
        consumer_keys.c.kid != kid,
        consumer_keys.c.approved_by.is_not(None),
        or_(consumer_keys.c.not_after.is_(None), consumer_keys.c.not_after > end),
    )
    connection.execute(update(consumer_keys).where(others).values(not_after=end))
