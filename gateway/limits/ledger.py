"""The ledger of the limits: what an agreement uses is spent here, before any source is asked.

`LimitLedger.spend` is exact over all workers and nodes: the n-th request fits and the n+1-th does not,
whoever sends it. Requests that wait share a transaction, and within it each is weighed in the order of its
arrival. The database out of reach means nothing is spent and nobody is answered. What was spent is never
given back; at a power cut PostgreSQL may forget the last instant's counting (never an alarm), in exchange
for not making every request wait for the disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import lru_cache, partial

from sqlalchemy import delete

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.batching import NaturalBatch
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import StoreUnavailable
from gateway.lanes import Last, Procedure, Step, open_lane, run_on
from gateway.limits.alarms import Alarm, Alarms, Tell, untold
from gateway.limits.budget import Refusal, Spent, Use
from gateway.limits.day import Ask, OpenDay
from gateway.limits.marks import Marks
from gateway.limits.patterns import MarkedPlace, Seen, Thresholds
from gateway.limits.statements import Statements, seen_in, use_in
from gateway.limits.tables import limit_alarms, limit_people, limit_use, limit_walks
from gateway.staff.acts import WriteAct, writing_in_audit_log
from policies.agreement import Agreement

# A person not asked about for this long is new again.
REMEMBERED_DAYS = 30
_AGREEMENTS_KEPT = 1024
# Figures and alarms, which name nobody, are kept for a year's review.
_KEPT_DAYS = 400
# How many of those who were new under an agreement on a day the registry did not know.
_Note = tuple[str, date, int]


class LimitLedger:
    """Spends what agreements allow. One per process, used from its event loop."""

    def __init__(
        self,
        database: Database,
        hasher: SubjectHasher,
        clock: Callable[[], datetime],
        *,
        tell: Tell = untold,
        write_act: WriteAct | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self._database = database
        self._statements = Statements(database)
        self._marks = lru_cache(maxsize=_AGREEMENTS_KEPT)(partial(Marks, hasher))
        self._clock = clock
        write_act = write_act or partial(writing_in_audit_log, sqlite=database.is_sqlite)
        self.alarms = Alarms(database, write_act, tell)
        self._thresholds = thresholds or Thresholds()
        self._nobody: deque[_Note] = deque()
        self._lane = open_lane(database, "limits", durable=False)
        self._batch: NaturalBatch[Ask, Spent | Refusal] = NaturalBatch(self._spend_together)

    async def spend(self, agreement: Agreement, subjects: Sequence[Subject | None]) -> Spent | Refusal:
        """Count one request under `agreement` about `subjects`; None stands for an identifier that is none.

        Raises StoreUnavailable. A caller who is cancelled while waiting may find the request counted.
        """
        person = self._marks(agreement.id).person
        marks = tuple([None if one is None else person(one) for one in subjects])
        niks = tuple([None if one is None else one.nik for one in subjects])
        return await self._batch(Ask(agreement.id, agreement.limits, self._clock(), marks, niks))

    def found_nobody(self, agreement: Agreement, spent: Spent, count: int) -> None:
        """Note that the registry knows `count` of those who were new with `spent` not at all.

        Written with the next request that this process counts: what it is for can wait as long.
        """
        if count:
            self._nobody.append((agreement.id, spent.day, count))

    def use(self, ids: Sequence[str], day: date) -> dict[str, Use]:
        """What these agreements used on a civil day, by id. Blocks. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            return run_on(connection, self._used(ids, day))

    def pardon(self, agreement_id: str, *, actor: str, reason: str) -> None:
        """Refuse nothing more for a pattern today: somebody looked, and these questions are in order.

        Alarms are raised all the same, and the three limits hold. Blocks. Raises StoreUnavailable.
        """
        now = self._clock()
        day = civil_day(now)
        with self._database.unit_of_work() as connection:
            run_on(connection, self._pardon(agreement_id, day))
            run_on(connection, self.alarms.record(actor, "limits.pardon", agreement_id, reason, now))

    def forget_old(self) -> int:
        """Delete what is no longer needed; gives the number of rows. Blocks; call it daily, on any worker."""
        today = civil_day(self._clock())
        reviewed = today - timedelta(days=_KEPT_DAYS)
        old = (
            delete(limit_people).where(limit_people.c.asked_on <= today - timedelta(days=REMEMBERED_DAYS)),
            # Yesterday's may still be written to, by a node whose clock is behind.
            delete(limit_walks).where(limit_walks.c.day < today - timedelta(days=1)),
            delete(limit_use).where(limit_use.c.day < reviewed),
            delete(limit_alarms).where(limit_alarms.c.day < reviewed),
        )
        forgotten = 0
        for statement in old:  # apart, so that requests come in between
            with self._database.unit_of_work(durable=False) as connection:
                forgotten += connection.execute(statement).rowcount
        return forgotten

    def close(self) -> None:
        """Write what is noted and give the connection back; no request may be waiting. Blocks."""
        self._lane.close()
        with suppress(StoreUnavailable), self._database.unit_of_work(durable=False) as connection:
            run_on(connection, self._spend([], [*self._nobody]))
            self._nobody.clear()

    def _used(self, ids: Sequence[str], day: date) -> Procedure[dict[str, Use]]:
        (rows,) = yield [self._statements.using(ids, day)]
        return use_in(rows)

    def _pardon(self, agreement_id: str, day: date) -> Procedure[None]:
        opened = yield from self._open(day, [], [(agreement_id, 0)])
        pardoned = {one: use._replace(pardoned=True) for one, use in opened.used.items()}
        yield self._statements.writing_use(pardoned, day)

    async def _spend_together(self, asks: Sequence[Ask]) -> Sequence[Spent | Refusal]:
        notes = [self._nobody.popleft() for _ in range(len(self._nobody))]
        try:
            verdicts, raised = await self._lane(self._spend(asks, notes))
        except BaseException:
            self._nobody.extend(notes)
            raise
        self.alarms.announce(raised)
        return verdicts

    def _spend(
        self, asks: Sequence[Ask], notes: Sequence[_Note]
    ) -> Procedure[tuple[Sequence[Spent | Refusal], Sequence[Alarm]]]:
        verdicts: dict[int, Spent | Refusal] = {}
        raised: list[Alarm] = []
        of_day: dict[date, list[int]] = {day: [] for _, day, _ in notes}
        for at, ask in enumerate(asks):
            of_day.setdefault(civil_day(ask.now), []).append(at)
        days = sorted(of_day)
        for day in days:
            places = of_day[day]
            nobody = [(one, count) for one, noted, count in notes if noted == day]
            opened = yield from self._open(day, [asks[at] for at in places], nobody)
            for at in places:
                verdicts[at] = opened.weigh(asks[at], self._thresholds)
            raised += yield from self.alarms.raise_first(opened.found, day, self._clock())
            steps = self._steps(opened)
            yield Last(steps) if day == days[-1] else steps
        return [verdicts[at] for at in range(len(asks))], raised

    def _open(self, day: date, asks: Sequence[Ask], nobody: Sequence[tuple[str, int]]) -> Procedure[OpenDay]:
        """Lock and read what these requests are weighed against."""
        ids = {ask.agreement_id for ask in asks} | {one for one, _ in nobody}
        named = {
            mark: (ask.agreement_id, nik)
            for ask in asks
            for mark, nik in zip(ask.marks, ask.niks, strict=True)
            if mark is not None
        }
        steps = (
            self._statements.locking(ids, day),
            self._statements.knowing(named, day - timedelta(days=REMEMBERED_DAYS)),
        )
        locked, known = yield steps
        if len(locked) < len(ids):
            yield self._statements.beginning(ids, day)
            locked, known = yield steps
        used = use_in(locked)
        for one, count in nobody:
            used[one] = used[one]._replace(unknown=used[one].unknown + count)
        asked_on: dict[int, date] = {row[0]: row[1] for row in known}
        places = {
            mark: self._marks(one).place(nik)
            for mark, (one, nik) in named.items()
            if mark not in asked_on and nik is not None
        }
        seen = (yield from self._seen(places.values(), day)) if places else Seen()
        return OpenDay(day, used, asked_on, places, seen)

    def _seen(self, places: Iterable[MarkedPlace], day: date) -> Procedure[Seen]:
        blocks: set[int] = set()
        districts: set[int] = set()
        for place in places:
            blocks.update((place.block, *place.beside))
            districts.add(place.district)
        (rows,) = yield [self._statements.seeing(blocks, districts, day)]
        return seen_in(rows)

    def _steps(self, opened: OpenDay) -> list[Step]:
        return [
            *self._statements.writing_people(opened.new, opened.again, opened.day),
            *self._statements.writing_walks(opened.walked, opened.day),
            *self._statements.writing_use(opened.used, opened.day),
        ]
