"""A few synthetic people in the registry, and sources that say what a test tells them to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import insert

from connectors.base import NotFound, Outcome, Record, Subject, Unavailable
from gateway.database import Database
from gateway.registry.tables import STATUS_VOCABULARY, people

TODAY = date(2026, 11, 21)
NIK = "35780147089{}".format


def settle(database: Database, niks: Mapping[int, str]) -> None:
    """People of these ids and NIKs, in this registry."""
    statuses = {name: words[0] for name, words in STATUS_VOCABULARY.items()}
    dated = {f"{name}_as_of": TODAY for name in STATUS_VOCABULARY}
    told = {f"{name}_source": "test" for name in STATUS_VOCABULARY}
    rows = [
        {
            "id": UUID(int=number),
            "source_key": f"test-{number}",
            "nik": nik,
            "full_name": "SITI CONTOH",
            "synthetic": True,
            "source": "test",
            "as_of": TODAY,
            **statuses,
            **dated,
            **told,
        }
        for number, nik in niks.items()
    ]
    with database.unit_of_work() as connection:
        connection.execute(insert(people), rows)


def write_secrets(folder: Path, **secrets: str) -> Path:
    """Credential files as an operator makes them: mode 0600."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in secrets.items():
        file = folder / name
        file.write_text(text)
        file.chmod(0o600)
    return folder


class Clock:
    """A moment that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def days_pass(self, number: int) -> None:
        self.now += timedelta(days=number)


class ScriptedSource:
    """A source that says of everybody what `says` holds, or is down; it notes the deadlines it was given."""

    name = "scripted"
    provides = frozenset({"state", "name"})
    needs = frozenset({"full_name"})
    outside = True
    many_at_once = False
    fresh_for: timedelta | None = None

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.says: Mapping[str, str | None] | None = {"state": "alive", "name": "match"}
        self.knows_nobody = False
        self.deadlines: list[float] = []

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        del on_date
        self.deadlines.append(deadline)
        return [self._outcome(subject, fields) for subject in subjects]

    async def ping(self) -> None:
        if self.says is None:
            raise OSError("down")

    def _outcome(self, subject: Subject, fields: frozenset[str]) -> Outcome:
        if self.says is None:
            return Unavailable(self._clock(), cause="down")
        if self.knows_nobody or subject.person_id is None:
            return NotFound()
        return Record(subject.person_id, {name: self.says[name] for name in fields}, self._clock().date())
