"""Preview: one person, one question, under a version that does not count yet and under the policies in force.

Nothing leaves the gateway and nothing is spent: outside sources are asked only if that is said, no consumer
is answered, no limit counts. Whoever gives no reason sees synthetic people only, and a real one looks like
nobody. Whoever gives one needs the role of an auditor or approver, and it is in the audit log, with the keyed
hash of the person, before anything is shown or asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from connectors.base import Connector, Outcome, Record
from gateway.agreements.books import Books, both_books
from gateway.agreements.case_writing import case_of
from gateway.agreements.lifecycle import Version
from gateway.agreements.reading import PolicyReader
from gateway.agreements.sides import Heard, Side, differences, side_of
from gateway.audit.entry import SubjectHasher
from gateway.audit.entry import act as act_entry
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.civil_day import civil_day
from gateway.database import Database
from gateway.errors import BadInput, RoleMissing
from gateway.oauth.consumers import ConsumerStore
from gateway.sandbox import only_synthetic, sandbox_sources
from gateway.staff.roles import Role, Staff
from gateway.subjects import AskedSubject, identify, told_to
from policies.agreement import OPERATIONS
from policies.decide import ConsumerTerms, Permit, Request, decide, in_scope
from policies.dictionary import Text
from policies.plan import Plan

# Who may see what would be released of a real person, for a reason.
MAY_SEE_REAL_PEOPLE: tuple[Role, ...] = ("auditor", "approver")


@dataclass(frozen=True, slots=True)
class Tried:
    """The question to be tried. `nik` MUST NOT be logged.

    What is None is taken from the agreement that is tried (`purpose`, `consumer`), is all (`fields`), or the
    day on which the question is decided (`on_date`). `reason` empty means synthetic people only.
    """

    nik: str = field(repr=False)
    operation: str
    purpose: str | None = None
    programme: str | None = None
    fields: tuple[str, ...] | None = None
    on_date: date | None = None
    claims: Mapping[str, str] = field(default_factory=dict, repr=False)
    consumer: str | None = None
    ask_sources: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """As whom is asked: the terms of a consumer, and whether it is registered and in the sandbox."""

    terms: ConsumerTerms
    registered: bool
    sandbox: bool


@dataclass(frozen=True, slots=True)
class Previewed:
    """Both sides. `synthetic` is None where nobody was found; `case` is given for synthetic people alone.

    `not_asked` are the fields that outside sources provide, which were left alone.
    """

    books: Books
    asking: Asking
    decided_for: date
    on_date: date
    synthetic: bool | None
    not_asked: frozenset[str]
    before: Side
    after: Side
    differences: Sequence[str]
    case: str | None


class Preview:
    """Tries versions on people. One per process."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Connector,
        sources: Sequence[Connector],
        simulated: frozenset[str],
        consumers: ConsumerStore,
        holders: Callable[[Iterable[Role]], Mapping[str, tuple[str, ...]]],
        audit_key: bytes,
        clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._database = database
        self._registry = registry
        self._sources = tuple(sources)
        self._sandbox_sources = sandbox_sources(self._sources, simulated, clock())
        self._consumers = consumers
        self._holders = holders
        self._hasher = SubjectHasher(audit_key)
        self._clock = clock
        self._timeout_s = timeout_s
        self._reader = PolicyReader()

    async def __call__(self, version: Version, tried: Tried, staff: Staff) -> Previewed:
        """What `tried` would come to with `version`, beside what it comes to now.

        Raises RoleMissing (a reason was given without a role that may), BadInput (no purpose or consumer can
        be told), DoesNotLoad, StoreUnavailable.
        """
        if tried.reason and not staff.roles.intersection(MAY_SEE_REAL_PEOPLE):
            raise RoleMissing(await asyncio.to_thread(self._holders, MAY_SEE_REAL_PEOPLE))
        books, asking = await asyncio.to_thread(self._prepare, version, tried)
        decided_for = books.first_day(civil_day(self._clock()))
        on_date = tried.on_date or decided_for
        request = _request(books, tried)
        verdicts = [decide(book, asking.terms, request, decided_for) for book in (books.before, books.after)]
        plans = [verdict.plan for verdict in verdicts if isinstance(verdict, Permit)]
        heard = await self._hear(version, tried, staff, asking, plans, on_date)
        before, after = (
            side_of(verdict, heard, tried.claims, on_date, book.dictionary)
            for verdict, book in zip(verdicts, (books.before, books.after), strict=True)
        )
        synthetic = heard.outcome.synthetic if isinstance(heard.outcome, Record) else None
        previewed = Previewed(
            books,
            asking,
            decided_for,
            on_date,
            synthetic,
            heard.not_asked,
            before,
            after,
            differences(before, after),
            None,
        )
        return replace(previewed, case=_case(previewed, heard, request, tried)) if synthetic else previewed

    def _prepare(self, version: Version, tried: Tried) -> tuple[Books, Asking]:
        with self._database.reading() as connection:
            books = both_books(connection, self._reader, version, tried.consumer)
        agreement = books.agreement
        consumer_id = tried.consumer or (agreement.consumer if agreement else None)
        if consumer_id is None:
            raise BadInput(_CONSUMER_MISSING)
        registration = self._consumers.find(consumer_id)
        if registration is not None:
            consumer = registration.consumer
            terms = ConsumerTerms(consumer.id, consumer.sector, frozenset(consumer.regions))
            return books, Asking(terms, True, consumer.sandbox)
        # An agreement may be drafted before its consumer is let in: as its text takes for granted.
        own = agreement or books.before.by_consumer.get(consumer_id, {}).get(tried.purpose or "")
        sector = (own.pseudonym_sector if own else None) or consumer_id
        return books, Asking(ConsumerTerms(consumer_id, sector, frozenset()), False, False)

    async def _hear(
        self,
        version: Version,
        tried: Tried,
        staff: Staff,
        asking: Asking,
        plans: Sequence[Plan],
        on_date: date,
    ) -> Heard:
        """What the registry and, as far as they may be asked, the other sources say of the person."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        # The person is looked for even if both sides refuse: a case needs somebody to be about.
        needs = frozenset({"region"}).union(*(plan.needs for plan in plans))
        found = await self._find(tried, needs, on_date, deadline)
        seen = found if tried.reason and not asking.sandbox else only_synthetic(found)
        needs = _needs_in_reach(seen, plans)
        sources, not_asked = self._choose(seen, needs, ask_outside=tried.ask_sources)
        if tried.reason:
            outside = [source.name for source in sources if source.outside]
            await asyncio.to_thread(self._write_down, version, tried, staff, asking, found, outside)
        answers = await self._ask(sources, seen, needs, on_date, deadline)
        now = self._clock()
        return Heard(seen, sources, answers, not_asked, now, civil_day(now))

    async def _find(
        self, tried: Tried, needs: frozenset[str], on_date: date, deadline: float
    ) -> Outcome | None:
        """What the registry knows of the person, with all that the other sources have to be told."""
        subject = identify(AskedSubject("preview", tried.nik, None, tried.claims), None)
        if subject is None:
            return None
        fields = needs & self._registry.provides
        for source in self._sources:
            if needs & source.provides:
                fields |= source.needs | {"nik"}
        return (await self._registry.fetch([subject], fields, on_date, deadline))[0]

    def _choose(
        self, seen: Outcome | None, needs: frozenset[str], *, ask_outside: bool
    ) -> tuple[list[Connector], frozenset[str]]:
        """The sources to ask, and the fields of those that are left alone.

        Of an invented person no real source outside is asked, as in the sandbox.
        """
        real = isinstance(seen, Record) and not seen.synthetic
        needed = [source for source in self._sources if needs & source.provides]
        left_alone = {source.name for source in needed if source.outside and not ask_outside}
        not_asked = [source.provides for source in needed if source.name in left_alone]
        chosen = [
            source
            for source in (self._sources if real else self._sandbox_sources)
            if needs & source.provides and source.name not in left_alone
        ]
        return chosen, needs & frozenset[str]().union(*not_asked)

    async def _ask(
        self,
        sources: Sequence[Connector],
        outcome: Outcome | None,
        needs: frozenset[str],
        on_date: date,
        deadline: float,
    ) -> list[Outcome]:
        """What each source says of the person, if there is one; all are asked at once."""
        if not isinstance(outcome, Record):
            return []
        said = await asyncio.gather(
            *(
                source.fetch(told_to(source, [outcome]), needs & source.provides, on_date, deadline)
                for source in sources
            )
        )
        return [answers[0] for answers in said]

    def _write_down(
        self,
        version: Version,
        tried: Tried,
        staff: Staff,
        asking: Asking,
        found: Outcome | None,
        sources: Sequence[str],
    ) -> None:
        """The act in the audit log, with the person as the log knows people, before anything is shown."""
        if isinstance(found, Record):
            subject = self._hasher.person(found.person_id)
        else:
            subject = self._hasher.identifier(tried.nik)
        now = self._clock()
        entry = act_entry(
            actor=staff.actor,
            act="policy.preview",
            object_id=f"{version.kind}/{version.name}/{version.version}",
            object_sha256=version.sha256,
            reason=tried.reason,
            at=now,
            # What staff call a consumer or an operation may be anything: only known words are kept.
            consumer_tried=asking.terms.id if asking.registered else "unregistered",
            operation=tried.operation if tried.operation in OPERATIONS else "unknown",
            sources=list(sources),
        )
        with self._database.unit_of_work() as connection:
            add_entries(connection, [replace(entry, subjects=[subject]).seal(os.urandom(BLIND_BYTES))])


_CONSUMER_MISSING = Text(
    "consumer: sebutkan konsumen yang dicoba, karena yang dicoba bukan perjanjian.",
    "consumer: expected the consumer to try this as, because no agreement is tried.",
)
_PURPOSE_MISSING = Text(
    "purpose: diharapkan tujuan dari salah satu perjanjian konsumen itu.",
    "purpose: expected a purpose of one of the consumer's agreements.",
)


def _needs_in_reach(seen: Outcome | None, plans: Sequence[Plan]) -> frozenset[str]:
    """What the plans need that may be about this person: nobody else's source is told of them."""
    if not isinstance(seen, Record):
        return frozenset()
    return frozenset[str]().union(*(plan.needs for plan in plans if in_scope(plan, seen.values)))


def _request(books: Books, tried: Tried) -> Request:
    purpose = tried.purpose or (books.agreement.purpose if books.agreement else None)
    if purpose is None:
        raise BadInput(_PURPOSE_MISSING)
    return Request(tried.operation, purpose, tried.programme, tried.fields, 1, tried.on_date)


def _case(previewed: Previewed, heard: Heard, request: Request, tried: Tried) -> str | None:
    """What was tried as a case of the agreement, about this invented person."""
    agreement = previewed.books.agreement
    if agreement is None or not isinstance(heard.outcome, Record):
        return None
    values = dict(heard.outcome.values)
    unavailable = set(heard.not_asked)
    plan = previewed.after.plan
    for source, answer in zip(heard.sources, heard.answers, strict=True):
        if isinstance(answer, Record):
            values |= answer.values
        elif plan is not None:
            unavailable |= source.provides & plan.needs
    kept = {"region"} if plan is None else plan.needs
    return case_of(
        agreement,
        previewed.books.after,
        day=previewed.on_date,
        consumer=previewed.asking.terms,
        request=request,
        values={name: value for name, value in values.items() if name in kept},
        claims=tried.claims,
        unavailable=frozenset(unavailable) & (plan.needs if plan else frozenset()),
        side=previewed.after,
    )
