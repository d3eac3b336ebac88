"""THE use case: one consumer asks about one subject or a thousand, and gets what its agreement allows.

`Exchange.__call__` reads as the path of a request: decide, identify, ask the registry, keep to the scope,
ask the other sources, judge and release, leave evidence, answer. There is one code path: one subject is a
batch of one. It MUST NOT answer before the evidence is on disk, and MUST NOT ask an outside source about
anybody who is out of the agreement's scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

from connectors.base import Ambiguous, Connector, Outcome, Record, Subject, Unavailable
from gateway.answer import Person, Unanswered, assess, render
from gateway.audit.entry import SubjectHasher, exchange_salt
from gateway.audit.evidence import Evidence
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.errors import Refused, SourceUnavailable
from gateway.oauth.consumers import Consumer
from policies.agreement import AgreementBook
from policies.decide import ConsumerTerms, Deny, Plan, Request, decide, in_scope
from policies.pseudonym import SectorKey, UnusablePseudonym, resolve_pseudonym
from policies.release import Unknown

_NIK_DIGITS = 16
_NOT_FOUND = Unanswered("not_found")


@dataclass(frozen=True, slots=True)
class AskedSubject:
    """One person as the consumer names them. MUST NOT be logged.

    `ref` is the consumer's own mark and comes back unchanged; `claims` are values to be compared with
    fields that the agreement releases as a verdict.
    """

    ref: str
    nik: str | None
    pseudonym: str | None
    claims: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """What a consumer asks. `message` is the request's body exactly as it arrived, for its hash."""

    operation: str
    purpose: str
    programme: str | None
    subjects: tuple[AskedSubject, ...]
    fields: tuple[str, ...] | None
    on_date: date | None
    message: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: the exact bytes whose hash is in the log, and how often each outcome occurs in them."""

    exchange_id: UUID
    body: bytes
    outcomes: Sequence[str]


class Exchange:
    """Answers questions. One object serves all requests of a process and keeps no state between them."""

    def __init__(
        self,
        *,
        book: AgreementBook,
        registry: Connector,
        sources: Sequence[Connector],
        sector_key: Callable[[str], SectorKey],
        audit: AuditLog,
        audit_key: bytes,
        clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._book = book
        self._purposes = frozenset(agreement.purpose for agreement in book.agreements)
        self._registry = registry
        self._sources = tuple(sources)
        self._sector_key = sector_key
        self._audit = audit
        self._audit_key = audit_key
        self._hasher = SubjectHasher(audit_key)
        self._clock = clock
        self._timeout_s = timeout_s

    async def __call__(self, consumer: Consumer, question: Question) -> Answer:
        """Answer `question`, with its evidence committed first.

        Raises Refused (the agreement does not cover it), SourceUnavailable (the agreement says to refuse
        when a source is down), AuditUnavailable and StoreUnavailable.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        now = self._clock()
        on_date = question.on_date or civil_day(now)
        evidence = self._open_evidence(consumer, question, on_date)

        plan = await self._permitted(consumer, question, now, evidence)
        key = self._sector_key(plan.pseudonym_sector) if plan.pseudonym_sector else None
        subjects = [_identify(asked, key) for asked in question.subjects]
        outcomes = await self._ask_registry(subjects, plan, on_date, deadline)
        hashes = [self._hash(*pair) for pair in zip(question.subjects, outcomes, strict=True)]
        in_reach = [_within_scope(outcome, plan) for outcome in outcomes]
        people = await self._ask_sources(in_reach, plan, on_date, deadline, evidence, hashes)

        findings = [
            assess(plan, asked.ref, asked.claims, person, on_date, key)
            for asked, person in zip(question.subjects, people, strict=True)
        ]
        body = render(evidence.exchange_id, now, on_date, plan, findings)
        counted = [finding.outcome for finding in findings]
        await self._audit.append(evidence.answer(self._clock(), plan, body, hashes, counted))
        return Answer(evidence.exchange_id, body, counted)

    def _open_evidence(self, consumer: Consumer, question: Question, on_date: date) -> Evidence:
        exchange_id = uuid4()
        return Evidence(
            exchange_id,
            consumer.id,
            question.operation,
            # What a caller calls a purpose may be anything, a name included: only known words are kept.
            question.purpose if question.purpose in self._purposes else None,
            question.programme if question.programme in self._book.programmes else None,
            on_date,
            question.message,
            exchange_salt(self._audit_key, exchange_id),
        )

    async def _permitted(
        self, consumer: Consumer, question: Question, now: datetime, evidence: Evidence
    ) -> Plan:
        """The plan that the agreement gives; Refused, with the refusal in the log, when it gives none."""
        verdict = decide(
            self._book,
            ConsumerTerms(consumer.id, consumer.sector, frozenset(consumer.regions)),
            Request(
                question.operation,
                question.purpose,
                question.programme,
                question.fields,
                len(question.subjects),
                question.on_date,
            ),
            civil_day(now),
        )
        if isinstance(verdict, Deny):
            await self._audit.append(evidence.refusal(now, verdict.code))
            raise Refused(
                verdict.detail, code=verdict.code, remedy=verdict.remedy, exchange_id=evidence.exchange_id
            )
        return verdict.plan

    async def _ask_registry(
        self, subjects: Sequence[Subject | None], plan: Plan, on_date: date, deadline: float
    ) -> list[Outcome | None]:
        """One outcome per subject; None for those whose identifier cannot be used."""
        identified = [subject for subject in subjects if subject is not None]
        fields = plan.needs & self._registry.provides
        for source in self._needed_sources(plan):
            fields |= source.needs | {"nik"}  # other sources know people by nothing else
        answers = iter(
            await self._registry.fetch(identified, fields, on_date, deadline) if identified else ()
        )
        return [None if subject is None else next(answers) for subject in subjects]

    def _needed_sources(self, plan: Plan) -> list[Connector]:
        return [source for source in self._sources if plan.needs & source.provides]

    async def _ask_sources(
        self,
        in_reach: Sequence[Record | Unanswered],
        plan: Plan,
        on_date: date,
        deadline: float,
        evidence: Evidence,
        hashes: Sequence[str],
    ) -> list[Person | Unanswered]:
        """Complete everyone in reach with what the other sources say, all sources asked at once."""
        records = [record for record in in_reach if isinstance(record, Record)]
        sources = self._needed_sources(plan) if records else []
        said: list[Sequence[Outcome]] = []
        if sources:
            if outside := [source.name for source in sources if source.outside]:
                await self._audit.append(evidence.intent(self._clock(), plan, outside, hashes))
            said = await asyncio.gather(
                *(
                    source.fetch(
                        _for_source(source, records), plan.needs & source.provides, on_date, deadline
                    )
                    for source in sources
                )
            )
        people = iter(
            [
                _complete(record, plan, sources, answers)
                for record, *answers in zip(records, *said, strict=True)
            ]
        )
        completed = [next(people) if isinstance(item, Record) else item for item in in_reach]
        if plan.on_source_failure == "refuse" and any(isinstance(p, Person) and p.unknown for p in completed):
            await self._audit.append(evidence.unavailable(self._clock(), plan, hashes))
            raise SourceUnavailable("A source that this agreement needs gave no answer; try again later.")
        return completed

    def _hash(self, asked: AskedSubject, outcome: Outcome | None) -> str:
        """The keyed hash under which the log knows this subject: the person where one was found."""
        if isinstance(outcome, Record):
            return self._hasher.person(outcome.person_id)
        return self._hasher.identifier(asked.nik or asked.pseudonym or "")


def _identify(asked: AskedSubject, key: SectorKey | None) -> Subject | None:
    """Whom the consumer means, or None when that cannot be told.

    Only the shape of a NIK is checked: a person whose recorded NIK is oddly built must still be found.
    """
    if (asked.nik is None) == (asked.pseudonym is None):
        return None
    if asked.nik is not None:
        well_formed = len(asked.nik) == _NIK_DIGITS and asked.nik.isascii() and asked.nik.isdigit()
        return Subject(nik=asked.nik) if well_formed else None
    if key is None or asked.pseudonym is None:
        return None
    try:
        return Subject(person_id=resolve_pseudonym(asked.pseudonym, {key.version: key}, key.sector))
    except UnusablePseudonym:
        return None


def _within_scope(outcome: Outcome | None, plan: Plan) -> Record | Unanswered:
    """The record, if its person is within the agreement's scope; else the same words as for nobody."""
    match outcome:
        case None:
            return Unanswered("invalid_identifier")
        case Record() if in_scope(plan, outcome.values):
            return outcome
        case Ambiguous() if any(in_scope(plan, candidate.values) for candidate in outcome.candidates):
            return Unanswered("duplicate_identity")
        case _:
            return _NOT_FOUND


def _complete(record: Record, plan: Plan, sources: Sequence[Connector], answers: Sequence[Outcome]) -> Person:
    """One person from the registry's record and what each further source said."""
    if not sources:
        return Person(record.person_id, record.values, record.as_of, record.default_as_of, {})
    values, as_of = dict(record.values), dict(record.as_of)
    unknown: dict[str, Unknown] = {}
    for source, answer in zip(sources, answers, strict=True):
        fields = plan.needs & source.provides
        match answer:
            case Record():
                values |= answer.values
                as_of |= {f: day for f in fields if (day := answer.as_of.get(f, answer.default_as_of))}
            case Unavailable():
                unknown |= dict.fromkeys(fields, Unknown(answer.since, answer.last_known_as_of))
                for field in fields & values.keys():
                    del values[field]  # nobody else's word stands in for a source that is down
            case _:
                values |= dict.fromkeys(fields)  # the source has nothing about this person: absent
    return Person(record.person_id, values, as_of, record.default_as_of, unknown)


def _for_source(source: Connector, records: Sequence[Record]) -> list[Subject]:
    """The people of these records as this source is told of them: no more than it needs."""
    return [
        Subject(
            nik=_text(record.values["nik"]),
            person_id=record.person_id,
            known={field: record.values[field] for field in source.needs},
        )
        for record in records
    ]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
