"""Checks of the log that staff ask for: one exchange at once, the whole log in the background.

The checking itself is `gateway.audit.verification`; here it is begun, watched from any process, and kept. A
check rests as long as it works, so that serving goes on beside it. It MUST NOT repair anything, and is no
evidence by itself: whoever doubts the gateway runs the verifier elsewhere.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update

from gateway.audit.entry import act
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.proofs import Unproven, VerifierKey
from gateway.audit.tables import audit_checks
from gateway.audit.verification import verify
from gateway.database import Database
from gateway.errors import Conflict, StoreUnavailable
from policies.dictionary import Text

# A process that checks tells how far it is every second or so; silent for this long, it is gone.
_SILENT_FOR = timedelta(seconds=60)
_TELL_EVERY_S = 1.0
_STOPS_WITHIN_S = 5.0

State = Literal["running", "sound", "unsound", "interrupted"]
_T = audit_checks


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the whole log: who asked for it, how far it is (entries), and what it came to.

    `finding` is the first thing wrong, in the verifier's words. `erased` counts entries whose erasure is
    ordered in the log itself.
    """

    id: UUID
    asked_by: str
    begun_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    done: int
    total: int
    checkpoints: int | None
    erased: int | None
    finding: str | None

    def state(self, now: datetime) -> State:
        """How it stands; a check whose process has died is interrupted."""
        if self.ended_at is not None:
            return "unsound" if self.finding else "sound"
        return "interrupted" if self.seen_at < now - _SILENT_FOR else "running"


class LogChecks:
    """Begins checks in this process and reads those of all. `keys` gives the log's keys, as they are now."""

    def __init__(
        self,
        database: Database,
        keys: Callable[[], Sequence[VerifierKey]],
        clock: Callable[[], datetime],
        *,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._rest = rest
        self._stopping = threading.Event()
        self._running: threading.Thread | None = None
        database.before_closing(self._stop)

    def recent(self, count: int = 10) -> Sequence[Check]:
        """The checks that were asked for last, the newest first."""
        chosen = select(_T).order_by(_T.c.begun_at.desc()).limit(count)
        with self._database.reading() as connection:
            return [Check(*row) for row in connection.execute(chosen)]

    def start(self, actor: str) -> Check:
        """Begin a check of the whole log in the background; an act of the log says who asked for it.

        Raises Conflict while another is under way.
        """
        now = self._clock()
        entry = act(actor=actor, act="audit.checked", object_id="log", object_sha256=None, reason="", at=now)
        row = Check(uuid4(), actor, now, now, None, 0, 0, None, None, None)
        with self._database.unit_of_work() as connection:
            newest = connection.execute(select(_T).order_by(_T.c.begun_at.desc()).limit(1)).first()
            if newest is not None and Check(*newest).state(now) == "running":
                raise Conflict(
                    Text(
                        "Pemeriksaan log sedang berjalan: tunggu hasilnya.",
                        "A check of the log is under way: wait for what it comes to.",
                    )
                )
            connection.execute(insert(_T).values(**{name: getattr(row, name) for name in Check.__slots__}))
            add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
        self._running = threading.Thread(target=self.run, args=(row.id,), name="log-check", daemon=True)
        self._running.start()
        return row

    def run(self, check_id: UUID) -> None:
        """Do the check that `start` wrote down. Blocks for as long as it takes."""
        watch = _Watch(self._tell(check_id), self._rest, self._stopping.is_set)
        try:
            report = verify(self._database, *self._keys(), progress=watch)
        except Unproven as problem:
            ended: dict[str, object] = {"finding": str(problem)}
        except (_Stopped, StoreUnavailable):
            return  # whoever asked sees it as interrupted
        else:
            finding = str(report.finding) if report.finding else None
            ended = {
                "done": report.entries,
                "total": report.entries,
                "checkpoints": report.checkpoints,
                "erased": len(report.erased),
                "finding": finding,
            }
        self._write(check_id, ended_at=self._clock(), **ended)

    def _stop(self) -> None:
        self._stopping.set()
        if self._running is not None:
            self._running.join(_STOPS_WITHIN_S)

    def _tell(self, check_id: UUID) -> Callable[[int, int], None]:
        return lambda done, total: self._write(check_id, done=done, total=total)

    def _write(self, check_id: UUID, **values: object) -> None:
        with self._database.unit_of_work(durable=False) as connection:
            seen = {"seen_at": self._clock(), **values}
            connection.execute(update(_T).where(_T.c.id == check_id).values(**seen))


class _Stopped(Exception):  # noqa: N818 - the process ends, and the check with it
    """The gateway stops, and the check with it."""


class _Watch:
    """Hears how far a check is: rests as long as it worked, and tells it now and then."""

    def __init__(
        self,
        tell: Callable[[int, int], None],
        rest: Callable[[float], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._tell = tell
        self._rest = rest
        self._stopping = stopping
        self._worked_since = self._told_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if self._stopping():
            raise _Stopped
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self._tell(done, total)
        self._rest(now - self._worked_since)
        self._worked_since = time.monotonic()
