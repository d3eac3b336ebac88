"""THE use case: one consumer asks about one subject or a thousand, and gets what its agreement allows.

`Exchange.__call__` reads as the path of a request: decide, identify, spend of the limits, ask the registry,
keep to the scope, ask the other sources, judge and release, leave evidence, answer. There is one code
path: one subject is a batch of one. It MUST NOT answer before the evidence is on disk, and MUST NOT ask an
outside source about anybody who is out of the agreement's scope.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import repeat
from types import MappingProxyType
from uuid import UUID

from connectors.base import Connector, NotFound, Outcome, Record, Subject
from gateway.answer import Person, Unanswered, assess, dates_of, render
from gateway.audit.entry import Sealed, SubjectHasher
from gateway.audit.evidence import Evidence
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.errors import SourceUnavailable
from gateway.gate import Gate, NoteLimits, Question, unnoted
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer
from gateway.sandbox import only_synthetic, sandbox_sources
from gateway.spans import span
from gateway.subjects import AskedSubject, complete, identify, told_to, within_scope
from policies.agreement import AgreementBook
from policies.decide import Plan
from policies.pseudonym import SectorKeys

__all__ = ["Answer", "AskedSubject", "Exchange", "NoteLimits", "Question"]

_NONE: Mapping[str, int] = MappingProxyType({})
# As many as `policies.decide` keeps.
_PLANS_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: the exact bytes whose hash is in the log, each subject's outcome, and the entry itself.

    For the metrics: how many fields were `withheld`, by why, and which were `unavailable` of anybody.
    """

    exchange_id: UUID
    body: bytes
    outcomes: Sequence[str]
    logged: Sealed
    withheld: Mapping[str, int] = field(default_factory=lambda: _NONE)
    unavailable: frozenset[str] = frozenset()


class Exchange:
    """Answers questions. One object serves all requests of a process and keeps no state between them."""

    def __init__(
        self,
        *,
        registry: Connector,
        sources: Sequence[Connector],
        sector_keys: Callable[[str], Awaitable[SectorKeys]],
        limits: LimitLedger,
        audit: AuditLog,
        audit_key: bytes,
        clock: Callable[[], datetime],
        timeout_s: float,
        simulated: frozenset[str] = frozenset(),
    ) -> None:
        self._registry = registry
        self._sources = tuple(sources)
        self._sandbox_sources = sandbox_sources(self._sources, simulated, clock())
        self._sector_keys = sector_keys
        self._gate = Gate(limits=limits, audit=audit, audit_key=audit_key, clock=clock)
        self._audit = audit
        self._hasher = SubjectHasher(audit_key)
        self._clock = clock
        self._timeout_s = timeout_s

    async def __call__(
        self, consumer: Consumer, question: Question, book: AgreementBook, note: NoteLimits = unnoted
    ) -> Answer:
        """Answer `question` under the agreements of `book`, with its evidence committed first.

        `note` hears what the agreement's limits left, however the exchange ends afterwards. Raises Refused
        (the agreement does not cover it), LimitExceeded (it does, and too much was asked), SourceUnavailable
        (the agreement says to refuse when a source is down), AuditUnavailable and StoreUnavailable.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        now = self._clock()
        on_date = question.on_date or civil_day(now)
        evidence = self._gate.open(consumer, question, book, on_date)

        plan = await self._gate.permitted(consumer, question, book, now, evidence)
        keys = await self._sector_keys(plan.pseudonym_sector) if plan.pseudonym_sector else None
        subjects = [identify(asked, keys) for asked in question.subjects]
        spent = await self._gate.spent(plan, subjects, evidence, note)
        sources = self._needed_sources(plan, consumer)
        outcomes = await self._ask_registry(subjects, plan, sources, on_date, deadline)
        seen = [only_synthetic(outcome) for outcome in outcomes] if consumer.sandbox else outcomes
        unknown = sum(isinstance(seen[at], NotFound) for at in spent.new_at)
        self._gate.found_nobody(plan, spent, unknown)
        hashes = self._hashes(question.subjects, outcomes)
        in_reach = [within_scope(outcome, plan) for outcome in seen]
        people = await self._ask_sources(in_reach, plan, sources, on_date, deadline, evidence, hashes)

        with span("judge", subjects=len(people)):
            refs = [asked.ref for asked in question.subjects]
            claims = [asked.claims for asked in question.subjects]
            findings = assess(plan, refs, claims, people, on_date, keys.current if keys else None)
            dates = dates_of(plan, findings.found)
            body = render(evidence.exchange_id, now, on_date, plan, findings, dates, sandbox=consumer.sandbox)
        counted = findings.outcomes()
        unavailable = _unavailable(people)
        logged = await self._audit.append(
            evidence.answer(
                self._clock(),
                plan,
                body,
                hashes,
                counted,
                as_of=dates.common,
                unavailable=unavailable,
            )
        )
        return Answer(evidence.exchange_id, body, counted, logged, _withheld(plan), unavailable)

    async def _ask_registry(
        self,
        subjects: Sequence[Subject | None],
        plan: Plan,
        sources: Sequence[Connector],
        on_date: date,
        deadline: float,
    ) -> list[Outcome | None]:
        """One outcome per subject; None for those whose identifier cannot be used."""
        identified = [subject for subject in subjects if subject is not None]
        fields = plan.needs & self._registry.provides
        for source in sources:
            fields |= source.needs | {"nik"}  # other sources know people by nothing else
        with span("registry", subjects=len(identified)):
            answers = iter(
                await self._registry.fetch(identified, fields, on_date, deadline) if identified else ()
            )
        return [None if subject is None else next(answers) for subject in subjects]

    def _needed_sources(self, plan: Plan, consumer: Consumer) -> list[Connector]:
        sources = self._sandbox_sources if consumer.sandbox else self._sources
        return [source for source in sources if plan.needs & source.provides]

    async def _ask_sources(
        self,
        in_reach: Sequence[Record | Unanswered],
        plan: Plan,
        needed: Sequence[Connector],
        on_date: date,
        deadline: float,
        evidence: Evidence,
        hashes: Sequence[str],
    ) -> list[Person | Unanswered]:
        """Complete everyone in reach with what the other sources say, all sources asked at once."""
        records = [record for record in in_reach if isinstance(record, Record)]
        sources = needed if records else ()
        said: list[Sequence[Outcome]] = []
        if sources:
            if outside := [source.name for source in sources if source.outside]:
                await self._audit.append(evidence.intent(self._clock(), plan, outside, hashes))
            said = await asyncio.gather(
                *(
                    _fetched(
                        source, told_to(source, records), plan.needs & source.provides, on_date, deadline
                    )
                    for source in sources
                )
            )
        today = civil_day(self._clock())
        answers = zip(*said, strict=True) if said else repeat((), len(records))
        people = iter(
            [
                complete(record, plan, sources, heard, today)
                for record, heard in zip(records, answers, strict=True)
            ]
        )
        completed = [next(people) if isinstance(item, Record) else item for item in in_reach]
        if plan.on_source_failure == "refuse" and any(isinstance(p, Person) and p.unknown for p in completed):
            missing = _unavailable(completed)
            await self._audit.append(evidence.unavailable(self._clock(), plan, hashes, missing))
            raise SourceUnavailable("A source that this agreement needs gave no answer; try again later.")
        return completed

    def _hashes(self, subjects: Sequence[AskedSubject], outcomes: Sequence[Outcome | None]) -> list[str]:
        """The keyed hashes under which the log knows these subjects: the person where one was found."""
        person, identifier = self._hasher.person, self._hasher.identifier
        return [
            person(outcome.person_id)
            if isinstance(outcome, Record)
            else identifier(asked.nik or asked.pseudonym or "")
            for asked, outcome in zip(subjects, outcomes, strict=True)
        ]


async def _fetched(
    source: Connector, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
) -> Sequence[Outcome]:
    with span("source", source=source.name, subjects=len(subjects)):
        return await source.fetch(subjects, fields, on_date, deadline)


@lru_cache(maxsize=_PLANS_KEPT)
def _withheld(plan: Plan) -> Mapping[str, int]:
    """How many fields a plan withholds, by why."""
    return Counter(entry.code for entry in plan.withheld)


def _unavailable(people: Iterable[Person | Unanswered]) -> frozenset[str]:
    """The fields of which, for anybody, no source gave an answer."""
    return frozenset(field for person in people if isinstance(person, Person) for field in person.unknown)
