"""An agreement whose limits a test sets, a ledger with a clock that the test moves, and people by NIK."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.base import Subject
from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.lanes import Procedure
from gateway.limits.ledger import LimitLedger
from gateway.limits.patterns import Thresholds
from gateway.staff.acts import Act
from policies.agreement import Agreement
from policies.bounds import Limits
from tests.policies.builders import an_agreement

# 10:00:00 WIB, the first second of a minute.
MORNING = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PLENTY = Limits(100_000, 1_000_000, 1_000_000)


@dataclass
class World:
    """A ledger, its clock, and what it said to the audit log and to the log."""

    database: Database
    now: datetime = MORNING
    thresholds: Thresholds = field(default_factory=Thresholds)
    acts: list[tuple[str, str, str, str]] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    ledgers: list[LimitLedger] = field(default_factory=list)

    def ledger(self) -> LimitLedger:
        """One more worker."""
        opened = LimitLedger(
            self.database,
            SubjectHasher(b"a" * 32),
            lambda: self.now,
            tell=self._tell,
            write_act=self._write,
            thresholds=self.thresholds,
        )
        self.ledgers.append(opened)
        return opened

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def _tell(self, name: str, *, level: str = "info", **fields: object) -> None:
        self.told.append({"name": name, "level": level, **fields})

    def _write(self, act: Act) -> Procedure[None]:
        self.acts.append((act.actor, act.act, act.object, act.reason))
        yield []


def limited(name: str = "bpjs-pbi-jk", **limits: int) -> Agreement:
    """An agreement with these limits, and plenty of the others."""
    changed = {**{f: getattr(PLENTY, f) for f in Limits.__slots__}, **limits}
    return an_agreement(id=name, limits=Limits(**changed))


def scattered(count: int, start: int = 0) -> list[Subject]:
    """People of many districts, whose numbers have nothing in common."""
    return [
        Subject(nik=f"{310000 + at:06}1703{at % 90 + 10:02}9{at % 990:03}")
        for at in range(start, start + count)
    ]


def neighbours(count: int, start: int = 0) -> list[Subject]:
    """Serials of one district and birth date, one after the other."""
    return [Subject(nik=f"357808170384{9000 + at}") for at in range(start, start + count)]
