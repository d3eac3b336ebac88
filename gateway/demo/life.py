"""The demo's earlier days: a month of exchanges and of office work, for its console to show.

All of it happens by the real means: the real `Exchange` answers, under the real agreements, into the real
log; only the clock that it goes by is an earlier one. Entries are in the order of their times, and the tree
is signed day by day. MUST NOT be used on a registry of real people, nor on a log that has exchanges already.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy import select

from gateway.agreements.store import PolicyStore
from gateway.app import Services, build_services
from gateway.audit.entry import SubjectHasher
from gateway.audit.tables import audit_entries
from gateway.audit.transparency import TransparentLog, open_log
from gateway.civil_day import civil_day, day_begins
from gateway.database import Database
from gateway.demo.staff import hire
from gateway.errors import LimitExceeded, Refused
from gateway.exchange import AskedSubject, Exchange, Question
from gateway.installation import open_keys
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer, ConsumerStore, Contact
from gateway.oauth.jose import make_key_pair
from gateway.pseudonyms.desk import open_names_desk
from gateway.registry.tables import people
from gateway.settings import Settings
from gateway.staff.roles import Role, Staff
from policies.agreement import AgreementBook

DAYS = 29
_SEED = 2021
_PEOPLE = 4_000
_SATURDAY = 5
_OPEN, _CLOSED = 8, 17  # hours of an office (WIB)
_TICK = timedelta(milliseconds=20)
# A weekend's share of a weekday's moments at which somebody asks.
_QUIET = 0.25
_WEEKDAY_MOMENTS = 4
_QUESTIONS_AT_ONCE = 5

_Watch = Callable[[float], None]


class LifeClock:
    """A clock that is set from outside and never shows the same moment twice."""

    def __init__(self, begins: datetime) -> None:
        self._now = begins

    def __call__(self) -> datetime:
        """The next moment."""
        self._now += _TICK
        return self._now

    def set(self, moment: datetime) -> None:
        """Go on from `moment`, unless it is past already."""
        self._now = max(self._now, moment)


@dataclass(frozen=True, slots=True)
class Habit:
    """What one of the demo's agencies asks, and how much of all traffic that is."""

    consumer: str
    operation: str
    purpose: str
    programme: str | None
    weight: int
    fields: tuple[str, ...] | None = None
    # It asks about people whose NIK begins so, and about so many at once.
    niks_begin: str = ""
    most_subjects: int = 4


HABITS = (
    Habit("bpjs-kesehatan", "eligibility", "pbi-jk-eligibility", "PBI-JK", 32, ("region", "sex")),
    Habit("bpjs-kesehatan", "eligibility", "pbi-jk-eligibility", "PBI-JK", 8, ("region", "full_name")),
    Habit(
        "dinsos-jatim",
        "records",
        "regional-verification",
        None,
        18,
        ("decile", "region", "life_status"),
        "35",
    ),
    Habit("dinsos-jatim", "eligibility", "regional-verification", "PKH", 8, ("decile",), "35"),
    Habit("pkh-pendamping", "records", "member-contact", None, 14, ("full_name", "address", "region")),
    Habit("cek-bansos", "eligibility", "own-status", "BPNT", 10, ("decile",), most_subjects=1),
    Habit("bps-statistik", "records", "official-statistics", None, 4, ("region", "decile")),
    # Refused: an agreement that is over, and a purpose that no agreement of theirs has.
    Habit("dinsos-jatim", "records", "flood-relief-2024", None, 4),
    Habit("bpjs-kesehatan", "records", "member-contact", None, 2),
)


def begins(now: datetime) -> datetime:
    """When the demo's life begins: in the morning of the day DAYS before `now`."""
    return (day_begins(civil_day(now)) - timedelta(days=DAYS)).astimezone(UTC)


def has_lived(settings: Settings) -> bool:
    """Whether the log has exchanges already: another life is then left alone."""
    database = Database(settings.effective_database_url)
    try:
        with database.reading() as connection:
            one = select(audit_entries.c.sequence).where(audit_entries.c.kind == "outcome").limit(1)
            return connection.execute(one).first() is not None
    finally:
        database.close()


def live(settings: Settings, now: datetime, watch: _Watch) -> int:
    """Live until shortly before `now`; gives the number of exchanges. The demo's consumers are registered."""
    with ExitStack() as kept:
        return _Life(settings, now, kept).live(watch)


class _Life:
    """A gateway without its face: what it takes to answer, by an earlier clock."""

    def __init__(self, settings: Settings, now: datetime, kept: ExitStack) -> None:
        self._settings = settings
        self._now = now
        # After the consumers were let in, which is by a clock of its own.
        self._clock = LifeClock(begins(now) + timedelta(minutes=1))
        self._random = random.Random(_SEED)  # noqa: S311 - the same life every time, nothing secret
        self._database = Database(settings.effective_database_url)
        kept.callback(self._database.close)
        self._keys = open_keys(self._database, settings.home / "keys", settings.key_source)
        self._consumers = ConsumerStore(self._database, self._clock)
        self._store = PolicyStore(self._database, self._clock)
        hire(self._database, self._clock)
        self._store.seed(settings.policies)

    def live(self, watch: _Watch) -> int:
        """Office work and exchanges, day after day."""
        _agree_to_relief(self._store, self._settings.policies, self._clock, self._now)
        log = open_log(self._database, self._keys, self._settings.issuer, self._clock)
        asked = asyncio.run(self._days(log, watch))
        _leave_work(self._store, self._consumers, self._settings.policies)
        _seal(log)
        return asked

    async def _days(self, log: TransparentLog, watch: _Watch) -> int:
        """Every day from the first to this one."""
        niks = self._niks()
        callers = {one.consumer.id: one.consumer for one in self._consumers.list()}
        asked = 0
        async with AsyncExitStack() as kept:
            exchange, services = _exchange(self._settings, self._clock, kept)
            book = services.policies.present
            for day in range(DAYS + 1):
                for moment, habits in self._slots(begins(self._now) + timedelta(days=day)):
                    self._clock.set(moment)
                    questions = [_question(habit, self._random, niks) for habit in habits]
                    pairs = zip(habits, questions, strict=True)
                    await asyncio.gather(
                        *(_ask(exchange, callers[of.consumer], one, book) for of, one in pairs)
                    )
                    asked += len(habits)
                await asyncio.to_thread(_seal, log)
                watch((day + 1) / (DAYS + 1))
        return asked

    def _slots(self, midnight: datetime) -> Iterator[tuple[datetime, Sequence[Habit]]]:
        """The moments of a day at which somebody asks, and what; none that is yet to come."""
        weekend = civil_day(midnight).weekday() >= _SATURDAY
        number = round(_WEEKDAY_MOMENTS * (_QUIET if weekend else 1) * self._random.uniform(0.7, 1.5))
        lately = self._now - timedelta(hours=24)
        hours = [self._random.uniform(_OPEN, _CLOSED) for _ in range(number)]
        earlier = [(midnight + timedelta(hours=hour), _QUESTIONS_AT_ONCE) for hour in hours]
        # The day that the first screen shows by the hour has a question or two in every hour.
        hourly = [(midnight + timedelta(hours=self._random.uniform(hour, hour + 1)), 2) for hour in range(24)]
        moments = [one for one in earlier if one[0] <= lately] + [one for one in hourly if one[0] > lately]
        weights = [habit.weight for habit in HABITS]
        for moment, most in sorted(moments):
            if moment < self._now - timedelta(minutes=1):
                yield moment, self._random.choices(HABITS, weights, k=self._random.randint(1, most))

    def _niks(self) -> list[str]:
        chosen = select(people.c.nik).where(people.c.nik.is_not(None)).order_by(people.c.id).limit(_PEOPLE)
        with self._database.reading() as connection:
            return [str(nik) for nik in connection.execute(chosen).scalars()]


def _exchange(settings: Settings, clock: LifeClock, kept: AsyncExitStack) -> tuple[Exchange, Services]:
    """The use case itself, over what a process has, and by the clock of this life.

    Its sources go by the clock on the wall: what they are asked for, they are asked now.
    """
    services = build_services(settings)
    hasher = SubjectHasher(services.keys.audit_key)
    limits = LimitLedger(services.database, hasher, clock)
    names = open_names_desk(
        database=services.database,
        keys=services.keys,
        folder=settings.home / "keys",
        registry=services.registry,
        limits=limits,
        audit=services.audit,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
    )
    for close in (services.close, limits.close):
        kept.callback(close)
    kept.push_async_callback(services.outside.aclose)
    exchange = Exchange(
        registry=services.registry,
        sources=services.sources,
        sector_keys=names.keyring.of,
        limits=limits,
        audit=services.audit,
        audit_key=services.keys.audit_key,
        clock=clock,
        timeout_s=settings.exchange_timeout_s,
        simulated=services.outside.simulated,
    )
    return exchange, services


async def _ask(exchange: Exchange, consumer: Consumer, question: Question, book: AgreementBook) -> None:
    """Ask; a refusal is an answer, which the log has."""
    try:
        await exchange(consumer, question, book)
    except (Refused, LimitExceeded):
        return


def _question(habit: Habit, chance: random.Random, niks: Sequence[str]) -> Question:
    near = [nik for nik in niks if nik.startswith(habit.niks_begin)] or niks
    asked = chance.sample(near, min(len(near), chance.randint(1, habit.most_subjects)))
    subjects = tuple(AskedSubject(str(at), nik, None, {}) for at, nik in enumerate(asked, start=1))
    message = orjson.dumps({"purpose": habit.purpose, "refs": [one.ref for one in subjects]})
    return Question(habit.operation, habit.purpose, habit.programme, subjects, habit.fields, None, message)


def _seal(log: TransparentLog) -> None:
    """Give what was committed its place in the tree, and sign the tree at this hour of the life."""
    while log.sequencer.integrate():
        pass
    log.sequencer.sign()


def _somebody(staff_id: str, *roles: Role) -> Staff:
    """One of the demo's office, at a command of this machine."""
    return Staff(staff_id, staff_id, frozenset(roles), "console")


_AUTHOR = _somebody("perancang", "author")
_APPROVER = _somebody("penyetuju", "approver")
RELIEF = "dinsos-jatim-landslide-relief"
RELIEF_ENDS_IN_DAYS = 12
DRAFT = "dinsos-jatim-verification"
PROPOSED = "dinkes-jabar"


def _agree_to_relief(store: PolicyStore, folder: Path, clock: LifeClock, now: datetime) -> None:
    """An agreement for one emergency, made from that of an earlier one: written, approved, soon over."""
    first, last = civil_day(clock()), civil_day(now) + timedelta(days=RELIEF_ENDS_IN_DAYS)
    old = folder / "agreements" / "dinsos-jatim-flood-relief"
    changes = {
        "id: dinsos-jatim-flood-relief": f"id: {RELIEF}",
        "flood-relief-2024": "landslide-relief",
        "penanganan banjir 2024": "penanganan tanah longsor",
        "flood relief in 2024": "landslide relief",
        "-005/2024": "-006/2026",
        "valid_from: 2024-01-01": f"valid_from: {first}",
        "valid_until: 2024-12-31": f"valid_until: {last}",
        ", which is over. It is kept because answers of that time cite it;\n# a request under it is refused "
        "with the day on which it ended.": ": it ends when the emergency does.",
    }
    text = _changed(old.with_suffix(".yaml").read_text(encoding="utf-8"), changes)
    cases = _changed(
        old.with_suffix(".cases.yaml").read_text(encoding="utf-8"),
        {"on: 2024-03-01": f"on: {first}", "on: 2026-03-01": f"on: {last + timedelta(days=1)}"},
    )
    reason = "Tanggap darurat tanah longsor (contoh)"
    made = store.save_draft("agreement", RELIEF, text.encode(), cases.encode(), _AUTHOR, reason=reason)
    for act, staff in (("submit", _AUTHOR), ("approve", _APPROVER), ("activate", _APPROVER)):
        store.act("agreement", RELIEF, made.version, act, staff, reason=reason)  # type: ignore[arg-type]


def _leave_work(store: PolicyStore, consumers: ConsumerStore, folder: Path) -> None:
    """What waits for a second person: a version that opens a field, and a consumer to be let in."""
    present = folder / "agreements" / DRAFT
    text = _changed(
        present.with_suffix(".yaml").read_text(encoding="utf-8"),
        {
            "version: 1": "version: 2",
            "  enrolments: keep\n": "  enrolments: keep\n  household_size: keep\n",
        },
    )
    cases = _changed(
        present.with_suffix(".cases.yaml").read_text(encoding="utf-8"),
        {
            "        family_card_number: match\n      withheld: {address: dropped_by_agreement}\n": (
                "        family_card_number: match\n      absent: [household_size]\n"
                "      withheld: {address: dropped_by_agreement}\n"
            )
        },
    )
    reason = "Dinas meminta jumlah anggota keluarga untuk verifikasi (contoh)"
    made = store.save_draft("agreement", DRAFT, text.encode(), cases.encode(), _AUTHOR, reason=reason)
    store.act("agreement", DRAFT, made.version, "submit", _AUTHOR, reason=reason)
    _, public = make_key_pair("ES256")
    consumers.register(
        # At a desk, and not at this machine, where nobody would have to approve it.
        Staff(_AUTHOR.id, _AUTHOR.name, _AUTHOR.roles, "password"),
        id=PROPOSED,
        name="Dinas Kesehatan Jawa Barat (demo)",
        sector="dinkes-32",
        regions=("32",),
        contact=Contact("Bidang Pelayanan Kesehatan", "data.dinkes@example.go.id"),
        sandbox=True,
        jwks={"keys": [public]},
        reason="Surat permohonan CONTOH-12/2026",
    )


def _changed(text: str, changes: dict[str, str]) -> str:
    """The text with each of the passages replaced. Raises ValueError where one is not there any more."""
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"the demo's policies have no {old!r} any more")
        text = text.replace(old, new)
    return text
