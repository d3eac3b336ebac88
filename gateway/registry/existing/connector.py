"""An existing DTKS database as a source: `ExistingRegistry` answers `connectors.base.Connector` from it.

The same promises as the built-in registry's connector, and for the same people the same answers. What a
column holds is judged value by value: what cannot be read is given as None and counted, by field, never
shown. It MUST NOT write, and does not turn an outage of the database into an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, false, select

from connectors.base import Outcome, Subject, Value
from gateway.batching import NaturalBatch, OneThread
from gateway.errors import StoreUnavailable
from gateway.registry.existing.answers import OF_DECILES, Person, outcome_of
from gateway.registry.existing.database import ReadOnlyDatabase
from gateway.registry.existing.identity import PersonIds
from gateway.registry.existing.mapping import PEOPLE_FIELDS, RegistryMapping, day_role, read_mapping
from gateway.registry.existing.periods import Period
from gateway.registry.existing.structure import OpenedPart, opened_parts
from gateway.registry.existing.values import UNUSABLE
from gateway.registry.tables import STATUS_VOCABULARY

_NIK_DIGITS = 16
# Values of one IN list: every database takes as many, and few statements differ in length.
_KEYS_PER_STATEMENT = 500
_SHAPES_KEPT = 256
_KEYS_PER_READ = 10_000
_OF_HOUSEHOLDS = OF_DECILES | {"household_size"}
_LIVING = ("registry_status", "life_status", "residence_status")
# Read as they are, to be compared with other keys; never given.
_KEYS = frozenset({"key", "household"})

Heard = Callable[[str, int], None]
_Question = tuple[Sequence[Subject], frozenset[str], date]
_Answer = Sequence[Outcome]


def open_existing_registry(
    path: Path,
    secret: bytes,
    *,
    heard: Heard = lambda name, count: None,  # noqa: ARG005 - heard by nobody
) -> ExistingRegistry:
    """The registry that the mapping file at `path` describes, after a look at its tables.

    `secret` (32 bytes, lasting) makes person ids of the source's keys. Raises SettingsInvalid with every
    problem, StoreUnavailable.
    """
    mapping = read_mapping(path)
    database = ReadOnlyDatabase(mapping.url)
    try:
        parts = opened_parts(database, mapping)
    except BaseException:
        database.close()
        raise
    return ExistingRegistry(database, mapping, parts, secret, heard)


def provided_by(mapping: RegistryMapping) -> frozenset[str]:
    """The fields that a registry of this mapping provides; a household is counted where it is not told."""
    fields = PEOPLE_FIELDS.keys() & mapping.people.columns.keys()
    if "household" in mapping.people.columns:
        fields |= {"household_size"}
    if mapping.deciles:
        fields |= OF_DECILES
    return frozenset(fields | {"enrolments"} if mapping.enrolments else fields)


class ExistingRegistry:
    """Somebody else's DTKS by NIK or by internal person id.

    `unusable` counts what could not be read, by field; `heard` is told when a field's count reaches 1, 10,
    100 and so on. A status is given from its own day on, or from its row's, as in the built-in registry; one
    that no day dates is not given. A row whose key cannot be a person id is as if it were not there, and
    counted.
    """

    name = "dtks"
    needs = frozenset[str]()
    outside = False
    many_at_once = True
    fresh_for: timedelta | None = None

    def __init__(
        self,
        database: ReadOnlyDatabase,
        mapping: RegistryMapping,
        parts: Mapping[str, OpenedPart],
        secret: bytes,
        heard: Heard,
    ) -> None:
        self._database = database
        self._people = parts["people"]
        self._deciles = parts.get("deciles")
        self._enrolments = parts.get("enrolments")
        self._counts_households = "household_size" not in mapping.people.columns
        self._ids = PersonIds(secret, self._people.key_kind)
        self._heard = heard
        self.provides = provided_by(mapping)
        self.unusable: Counter[str] = Counter()
        self._thread = OneThread("dtks")
        self._batch: NaturalBatch[_Question, _Answer] = NaturalBatch(
            lambda questions: self._thread(self._answer_all, questions)
        )
        self._statements = lru_cache(maxsize=_SHAPES_KEPT)(_statement)

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order. Raises StoreUnavailable, also when `deadline` passes."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._batch((subjects, fields & self.provides, on_date))
        except TimeoutError as error:
            raise StoreUnavailable("The registry did not answer within the time allowed.") from error

    async def ping(self) -> None:
        """Return when the registry can be read; raise StoreUnavailable when it cannot."""
        await asyncio.to_thread(self._touch)

    def person_ids(self) -> Iterator[UUID]:
        """The id of everybody, once; reads the whole table of people. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            keys = connection.execute(select(self._people.column("key")).distinct())
            for key in keys.yield_per(_KEYS_PER_READ).scalars():
                if (person_id := self._ids.id_of(key)) is not None:
                    yield person_id

    def close(self) -> None:
        """Wait for the batch under way and let go of the database; not to be used afterwards."""
        self._thread.close()
        self._database.close()

    def _touch(self) -> None:
        with self._database.reading() as connection:
            connection.execute(select(self._people.column("key")).where(false()))

    def _answer_all(self, questions: Sequence[_Question]) -> Sequence[_Answer | Exception]:
        """Answer a batch with one set of statements: what held on which day is sorted out afterwards."""
        wanted = frozenset[str]().union(*(fields for _, fields, _ in questions))
        everyone = [subject for subjects, _, _ in questions for subject in subjects]
        ids = {subject.person_id for subject in everyone if subject.person_id is not None}
        niks = {subject.nik for subject in everyone if subject.person_id is None and _is_nik(subject.nik)}
        sent = [int(nik) for nik in niks if nik] if self._people.holds_numbers("nik") else list(niks)
        with self._database.reading() as connection:
            of_nik = list(self._found(connection, wanted, "nik", sent))
            keys = [key for one in ids for key in self._ids.keys_of(one)]
            of_id = list(self._found(connection, wanted, "key", keys))
            self._complete(connection, wanted, [*of_nik, *of_id])
        by_nik, by_id = _grouped(of_nik, _nik_of), _grouped(of_id, attrgetter("id"))
        return [
            [
                outcome_of(
                    by_nik.get(one.nik, ()) if one.person_id is None else by_id.get(one.person_id, ()),
                    fields,
                    on_date,
                )
                for one in subjects
            ]
            for subjects, fields, on_date in questions
        ]

    def _found(
        self, connection: Connection, wanted: frozenset[str], by: str, sent: Sequence[Any]
    ) -> Iterator[Person]:
        roles = self._roles(wanted)
        for row in self._rows(connection, self._people, roles, by, sent):
            raw = dict(zip(roles, row, strict=True))
            person_id = self._ids.id_of(raw["key"])
            if person_id is None:
                self._count("key")
                continue
            read = {role: self._read(self._people, role, raw[role]) for role in roles if role not in _KEYS}
            as_of = read.pop("as_of", self._people.mapped.as_of_day)
            days = {name: _day(read.pop(day_role(name), None)) for name in STATUS_VOCABULARY}
            yield Person(
                person_id,
                _plain(raw["key"]),
                _plain(raw.get("household")),
                _day(as_of),
                read,
                days,
                synthetic=read.pop("synthetic", None) == "yes",
            )

    def _roles(self, wanted: frozenset[str]) -> tuple[str, ...]:
        """The columns of people that must be read to answer for these fields."""
        there = self._people.mapped.columns
        roles = {"key", "nik", "as_of", "synthetic", *wanted, *(day_role(name) for name in wanted)}
        if wanted & _OF_HOUSEHOLDS:
            roles.add("household")
        return tuple(sorted(roles & there.keys()))

    def _complete(self, connection: Connection, wanted: frozenset[str], people: Sequence[Person]) -> None:
        """Give these people what other rows say of them."""
        if self._deciles and wanted & OF_DECILES:
            owners = _owners(people, self._deciles)
            ranked = self._periods(connection, self._deciles, "decile", owners)
            for person in people:
                person.deciles = ranked.get(_owner(person, self._deciles), ())
        if self._enrolments and "enrolments" in wanted:
            owners = _owners(people, self._enrolments)
            enrolled = self._periods(connection, self._enrolments, "programme", owners)
            for person in people:
                person.enrolments = enrolled.get(_owner(person, self._enrolments), ())
        if self._counts_households and "household_size" in wanted:
            sizes = self._sizes(connection, {one.household for one in people} - {None})
            for person in people:
                person.values["household_size"] = sizes.get(person.household)

    def _periods(
        self, connection: Connection, part: OpenedPart, role: str, owners: Sequence[Any]
    ) -> Mapping[Any, Sequence[Period]]:
        roles = tuple(part.mapped.columns)
        periods: defaultdict[Any, list[Period]] = defaultdict(list)
        for row in self._rows(connection, part, roles, "owner", owners):
            raw = dict(zip(roles, row, strict=True))
            says, starts_on, ends_on, as_of = (
                part.readings[name](raw[name]) if name in raw else None
                for name in (role, "starts_on", "ends_on", "as_of")
            )
            for name, value in (
                (role, says),
                ("starts_on", starts_on),
                ("ends_on", ends_on),
                ("as_of", as_of),
            ):
                if value is UNUSABLE:
                    self._count(f"{part.mapped.name}.{name}")
            end = _day(ends_on)
            periods[_plain(raw["owner"])].append(
                Period(
                    None if says is UNUSABLE else says,
                    _day(starts_on),
                    end + timedelta(days=1) if end and part.mapped.includes_last_day else end,
                    _day(as_of) or part.mapped.as_of_day,
                    unsure=says is UNUSABLE,
                    unsure_until=ends_on is UNUSABLE,
                )
            )
        return periods

    def _sizes(self, connection: Connection, households: Iterable[Any]) -> Mapping[Any, int | None]:
        """Of each household the members who live in it; None where that cannot be told, or nobody does."""
        roles = ("household", *(name for name in _LIVING if name in self._people.mapped.columns))
        sizes: dict[Any, int | None] = {}
        for row in self._rows(connection, self._people, roles, "household", list(households)):
            said = {
                role: self._people.readings[role](raw) for role, raw in zip(roles[1:], row[1:], strict=True)
            }
            # Being in the registry's table is being active in it, unless a column says otherwise.
            active = said.get("registry_status", "active")
            household = _plain(row[0])
            if active is None or active is UNUSABLE:
                sizes[household] = None
            elif active == "active" and said.get("life_status") != "deceased":
                lives_there = said.get("residence_status") != "moved"
                known = sizes.get(household, 0)
                sizes[household] = None if known is None else known + lives_there
        return {household: size or None for household, size in sizes.items()}

    def _rows(
        self, connection: Connection, part: OpenedPart, roles: tuple[str, ...], by: str, sent: Sequence[Any]
    ) -> Iterator[Sequence[Any]]:
        if not sent:
            return
        statement = self._statements(part, roles, by)
        remaining = iter(sent)
        while some := list(islice(remaining, _KEYS_PER_STATEMENT)):
            yield from connection.execute(statement, {"sent": some})

    def _read(self, part: OpenedPart, role: str, raw: Any) -> Value:
        value = part.readings[role](raw)
        if value is UNUSABLE:
            self._count(role)
            return None
        return value

    def _count(self, name: str) -> None:
        self.unusable[name] += 1
        count = self.unusable[name]
        if str(count).strip("0") == "1":
            self._heard(name, count)


def _statement(part: OpenedPart, roles: tuple[str, ...], by: str) -> Select[Any]:
    wanted = bindparam("sent", expanding=True, type_=part.sent_as(by))
    return select(*(part.column(role) for role in roles)).where(part.column(by).in_(wanted))


def _is_nik(text: str | None) -> bool:
    return text is not None and len(text) == _NIK_DIGITS and text.isascii() and text.isdigit()


def _nik_of(person: Person) -> Value:
    return person.values["nik"]


def _grouped(people: Iterable[Person], by: Callable[[Person], Any]) -> Mapping[Any, Sequence[Person]]:
    groups: defaultdict[Any, list[Person]] = defaultdict(list)
    for person in people:
        groups[by(person)].append(person)
    return groups


def _owner(person: Person, part: OpenedPart) -> Any:
    return person.key if part.mapped.owner == "person" else person.household


def _owners(people: Iterable[Person], part: OpenedPart) -> list[Any]:
    return list({_owner(person, part) for person in people} - {None})


def _plain(key: Any) -> Any:
    """A key as it can be compared: CHAR columns come padded."""
    return (key.rstrip(" ") or None) if isinstance(key, str) else key


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else None
