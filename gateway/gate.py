"""The gate that every question passes: is it covered, and does it fit the limits? A refusal is on record.

What follows the gate differs (an answer from the sources, an access history from the log), what stands before
it does not. It MUST NOT let a refusal leave before the log has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import uuid4

from connectors.base import Subject
from gateway.audit.entry import exchange_salt
from gateway.audit.evidence import Evidence, asked_fields
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.errors import LimitExceeded, Refused
from gateway.limits import wording
from gateway.limits.budget import Meter, Refusal, Spent
from gateway.limits.ledger import LimitLedger
from gateway.oauth.consumers import Consumer
from gateway.spans import spanned
from gateway.subjects import AskedSubject
from policies.agreement import AgreementBook
from policies.decide import ConsumerTerms, Deny, Plan, Request, decide


class Question(NamedTuple):
    """What a consumer asks. `message` is the request's body exactly as it arrived, for its hash."""

    operation: str
    purpose: str
    programme: str | None
    subjects: tuple[AskedSubject, ...]
    fields: tuple[str, ...] | None
    on_date: date | None
    message: bytes


NoteLimits = Callable[[str, Sequence[Meter]], None]


def unnoted(agreement_id: str, meters: Sequence[Meter]) -> None:
    """For a caller who shows no limits."""


class Gate:
    """Lets questions through or refuses them. One object serves all requests of a process."""

    def __init__(
        self, *, limits: LimitLedger, audit: AuditLog, audit_key: bytes, clock: Callable[[], datetime]
    ) -> None:
        self._limits = limits
        self._audit = audit
        self._audit_key = audit_key
        self._clock = clock

    def open(self, consumer: Consumer, question: Question, book: AgreementBook, on_date: date) -> Evidence:
        """What is known of the exchange from its first moment, under an id of its own."""
        exchange_id = uuid4()
        return Evidence(
            exchange_id=exchange_id,
            consumer_id=consumer.id,
            operation=question.operation,
            # What a caller calls a purpose may be anything, a name included: only known words are kept.
            purpose=question.purpose if question.purpose in book.purposes else None,
            programme=question.programme if question.programme in book.programmes else None,
            asked=asked_fields(question.fields, book.dictionary),
            subject_count=len(question.subjects),
            agreement=book.by_consumer.get(consumer.id, {}).get(question.purpose),
            on_date=on_date,
            request=question.message,
            salt=exchange_salt(self._audit_key, exchange_id),
            sandbox=consumer.sandbox,
        )

    @spanned("decide")
    async def permitted(
        self,
        consumer: Consumer,
        question: Question,
        book: AgreementBook,
        now: datetime,
        evidence: Evidence,
    ) -> Plan:
        """The plan that the agreement gives; Refused, with the refusal in the log, when it gives none."""
        verdict = decide(
            book,
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
            raise await self.refused(verdict, evidence, now)
        return verdict.plan

    async def refused(self, verdict: Deny, evidence: Evidence, now: datetime) -> Refused:
        """What to raise for a question that is not covered, once that is in the log."""
        await self._audit.append(evidence.refusal(now, verdict.code))
        return Refused(
            verdict.detail, code=verdict.code, remedy=verdict.remedy, exchange_id=evidence.exchange_id
        )

    @spanned("limit")
    async def spent(
        self, plan: Plan, subjects: Sequence[Subject | None], evidence: Evidence, note: NoteLimits
    ) -> Spent:
        """Count the request; LimitExceeded, with the refusal in the log, when it does not fit."""
        agreement = plan.agreement
        outcome = await self._limits.spend(agreement, subjects)
        note(agreement.id, outcome.meters)
        if isinstance(outcome, Refusal):
            await self._audit.append(evidence.refusal(self._clock(), outcome.code))
            raise LimitExceeded(
                wording.reason(agreement, outcome),
                code=outcome.code,
                remedy=wording.remedy(agreement, outcome),
                exchange_id=evidence.exchange_id,
                retry_after_s=outcome.retry_after_s,
            )
        return outcome

    def found_nobody(self, plan: Plan, spent: Spent, count: int) -> None:
        """Note that of those who were new with `spent` the registry knows `count` not at all."""
        self._limits.found_nobody(plan.agreement, spent, count)
