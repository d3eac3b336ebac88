"""Three acts on names: an old one is renewed, one is sealed for another sector, a sealed one is opened.

Each passes the gate that every question passes and leaves its evidence before its answer. A renewal says
nothing of anybody that the asker does not hold already, so it is neither counted nor looked up; the other two
tell one agency of a person whom another one knows, so the person has to be in the agreement's scope, on
either side, and counts towards its limits. An answer MUST NOT hold a name of another sector than the asker's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from connectors.base import Connector, Outcome, Record, Subject
from gateway.audit.entry import Entry, SubjectHasher
from gateway.audit.evidence import Evidence
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.exchange import Answer
from gateway.gate import Gate, NoteLimits, Question, unnoted
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer
from gateway.sandbox import only_synthetic
from gateway.subjects import AskedSubject
from policies.agreement import AgreementBook
from policies.decide import ConsumerTerms, Deny, in_scope
from policies.dictionary import Text
from policies.naming import OPEN, REKEY, TRANSLATE, NamingPlan, decide_naming
from policies.pseudonym import SectorKeys, UnusablePseudonym
from policies.translation import (
    NONCE_BYTES,
    Passage,
    TransitKey,
    UnusableTranslation,
    open_translation,
    passage_of,
    seal_translation,
)

# Long enough for a file to travel between two agencies overnight and back after a mistake.
TRANSLATION_LIFE = timedelta(hours=24)

UNUSABLE, NOT_FOUND = "unusable_name", "not_found"
# Why a name got no answer. Somebody out of scope is `not_found`, word for word.
REASONS: Mapping[str, Text] = {
    UNUSABLE: Text(
        "Bukan pseudonim atau terjemahan yang berlaku bagi sektor Anda dan tujuan ini, atau masanya sudah "
        "lewat.",
        "No pseudonym or translation that holds for your sector and this purpose, or its time is over.",
    ),
    NOT_FOUND: Text(
        "Tidak ditemukan di antara orang yang dicakup perjanjian ini.",
        "Not found among the people whom this agreement covers.",
    ),
}
_PEOPLE = {REKEY: "renewed", TRANSLATE: "translated", OPEN: "opened"}
_MEMBER = {REKEY: "pseudonym", TRANSLATE: "translation", OPEN: "pseudonym"}


@dataclass(frozen=True, slots=True)
class AskedName:
    """One name as the consumer sends it, with its own mark. MUST NOT be logged."""

    ref: str
    text: str


@dataclass(frozen=True, slots=True)
class NamingQuestion:
    """What a consumer asks: one of the three operations, for a purpose, about names.

    `message` is the request's body exactly as it arrived, for its hash.
    """

    operation: str
    purpose: str
    names: tuple[AskedName, ...]
    message: bytes


class Naming:
    """Renews, translates and opens names. One object serves all requests of a process."""

    def __init__(
        self,
        *,
        registry: Connector,
        sector_keys: Callable[[str], Awaitable[SectorKeys]],
        transit_key: Callable[[str], TransitKey],
        limits: LimitLedger,
        audit: AuditLog,
        audit_key: bytes,
        clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._registry = registry
        self._sector_keys = sector_keys
        self._transit_key = transit_key
        self._gate = Gate(limits=limits, audit=audit, audit_key=audit_key, clock=clock)
        self._audit = audit
        self._hasher = SubjectHasher(audit_key)
        self._clock = clock
        self._timeout_s = timeout_s

    async def __call__(
        self, consumer: Consumer, question: NamingQuestion, book: AgreementBook, note: NoteLimits = unnoted
    ) -> Answer:
        """Answer under the agreements of `book`, with the evidence committed first.

        Raises Refused, LimitExceeded, KeysUnavailable, AuditUnavailable and StoreUnavailable.
        """
        now = self._clock()
        evidence = self._gate.open(consumer, _as_question(question), book, civil_day(now))
        plan = await self._permitted(consumer, question, book, now, evidence)
        keys = await self._sector_keys(plan.sector)
        meant = [self._meant(question, plan, keys, name.text, now) for name in question.names]
        if question.operation == REKEY:
            people: Sequence[UUID | str] = [UNUSABLE if person is None else person for person in meant]
        else:
            people = await self._in_scope(consumer, plan, meant, evidence, note)
        said = self._said(question.operation, plan, keys, people, now)
        body = _rendered(question, evidence, now, plan, said, sandbox=consumer.sandbox)
        outcomes = [person if isinstance(person, str) else _PEOPLE[question.operation] for person in people]
        hashes = [self._hash(*pair) for pair in zip(question.names, meant, strict=True)]
        entry = evidence.answer(
            self._clock(), plan.plan, body, hashes, outcomes, as_of={}, unavailable=frozenset()
        )
        logged = await self._audit.append(_with_sectors(entry, question, plan))
        return Answer(evidence.exchange_id, body, outcomes, logged)

    async def _permitted(
        self,
        consumer: Consumer,
        question: NamingQuestion,
        book: AgreementBook,
        now: datetime,
        evidence: Evidence,
    ) -> NamingPlan:
        terms = ConsumerTerms(consumer.id, consumer.sector, frozenset(consumer.regions))
        asked = question.operation, question.purpose, len(question.names)
        verdict = decide_naming(book, terms, *asked, civil_day(now))
        if isinstance(verdict, Deny):
            raise await self._gate.refused(verdict, evidence, now)
        return verdict

    def _meant(
        self, question: NamingQuestion, plan: NamingPlan, keys: SectorKeys, text: str, now: datetime
    ) -> UUID | None:
        """Whom a name means, or None when that cannot be told."""
        try:
            if question.operation != OPEN:
                return keys.person(text)
            passage = passage_of(text)
            if passage is None or passage.from_sector not in plan.from_sectors:
                return None
            return open_translation(text, self._transit_key(plan.sector), question.purpose, now)
        except (UnusablePseudonym, UnusableTranslation):
            return None

    async def _in_scope(
        self,
        consumer: Consumer,
        plan: NamingPlan,
        meant: Sequence[UUID | None],
        evidence: Evidence,
        note: NoteLimits,
    ) -> list[UUID | str]:
        """Each person in the agreement's scope, counted; for the others the reason why nothing is said."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        subjects = [None if person is None else Subject(person_id=person) for person in meant]
        await self._gate.spent(plan.plan, subjects, evidence, note)
        asked = [subject for subject in subjects if subject is not None]
        fields = plan.plan.needs & self._registry.provides
        outcomes = iter(
            await self._registry.fetch(asked, fields, evidence.on_date, deadline) if asked else ()
        )
        return [
            UNUSABLE if person is None else self._reached(consumer, plan, person, next(outcomes))
            for person in meant
        ]

    def _reached(self, consumer: Consumer, plan: NamingPlan, person: UUID, outcome: Outcome) -> UUID | str:
        seen = only_synthetic(outcome) if consumer.sandbox else outcome
        return person if isinstance(seen, Record) and in_scope(plan.plan, seen.values) else NOT_FOUND

    def _said(
        self,
        operation: str,
        plan: NamingPlan,
        keys: SectorKeys,
        people: Sequence[UUID | str],
        now: datetime,
    ) -> list[tuple[str, str]]:
        """For each name the member that answers it, and what that holds."""
        made: Callable[[UUID], str] = keys.name
        if operation == TRANSLATE:
            assert plan.grant is not None  # noqa: S101 - decided by the agreement's clause
            until = (now + TRANSLATION_LIFE).replace(microsecond=0)
            passage = Passage(plan.sector, plan.grant.to_sector, plan.grant.purpose, until)
            transit = self._transit_key(plan.grant.to_sector)

            def made(person: UUID) -> str:
                return seal_translation(person, passage, transit, os.urandom(NONCE_BYTES))

        member = _MEMBER[operation]
        return [("reason", one) if isinstance(one, str) else (member, made(one)) for one in people]

    def _hash(self, name: AskedName, person: UUID | None) -> str:
        """The keyed hash under which the log knows this subject: the person where one was meant."""
        return self._hasher.identifier(name.text) if person is None else self._hasher.person(person)


def _as_question(question: NamingQuestion) -> Question:
    subjects = tuple(AskedSubject(name.ref, None, name.text, {}) for name in question.names)
    return Question(question.operation, question.purpose, None, subjects, (), None, question.message)


def _with_sectors(entry: Entry, question: NamingQuestion, plan: NamingPlan) -> Entry:
    """The entry, with the sectors between which names went."""
    if question.operation == REKEY:
        return entry
    if question.operation == TRANSLATE and plan.grant is not None:
        passed = {"from": [plan.sector], "to": plan.grant.to_sector, "purpose": plan.grant.purpose}
    else:
        given = {passage.from_sector for name in question.names if (passage := passage_of(name.text))}
        passed = {
            "from": sorted(given & plan.from_sectors),
            "to": plan.sector,
            "purpose": plan.plan.agreement.purpose,
        }
    return replace(entry, body={**entry.body, "translation": passed})


def _rendered(
    question: NamingQuestion,
    evidence: Evidence,
    now: datetime,
    plan: NamingPlan,
    said: Sequence[tuple[str, str]],
    *,
    sandbox: bool,
) -> bytes:
    agreement = plan.plan.agreement
    answer: dict[str, object] = {
        "exchange_id": str(evidence.exchange_id),
        "as_of": now.isoformat(timespec="seconds"),
        "agreement": {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256},
    }
    if sandbox:
        answer["sandbox"] = True
    reasons = sorted({what for member, what in said if member == "reason"})
    if reasons:
        answer["reasons"] = {
            reason: {"id": REASONS[reason].id, "en": REASONS[reason].en} for reason in reasons
        }
    answer["results"] = [
        {"ref": name.ref, member: what} for name, (member, what) in zip(question.names, said, strict=True)
    ]
    return orjson.dumps(answer)
