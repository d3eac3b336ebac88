"""A person asks through an app that knows who they are: under an agreement, from the log.

The path is that of every exchange (covered, within the limits, within the scope, evidence before the answer),
but what is told comes from the log. It MUST NOT tell the history of a NIK that two people share: one would
read the other's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from connectors.base import Connector, NotFound, Outcome, Record, Subject
from gateway.answer import UNANSWERED
from gateway.audit.entry import SubjectHasher
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.exchange import Answer
from gateway.gate import Gate, NoteLimits, Question, unnoted
from gateway.oauth.consumers import Consumer
from gateway.rights.history import Access, Histories, History
from gateway.rights.wording import HEAD, NOBODY, field_label, outcome_words, sentence
from gateway.sandbox import only_synthetic
from gateway.subjects import identify, within_scope
from policies.agreement import AgreementBook
from policies.decide import Plan
from policies.dictionary import Field, Text


class AccessHistory:
    """Answers one person's question who asked about them. One object serves all requests of a process."""

    def __init__(
        self,
        *,
        gate: Gate,
        registry: Connector,
        histories: Histories,
        audit: AuditLog,
        hasher: SubjectHasher,
        clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._histories = histories
        self._audit = audit
        self._hasher = hasher
        self._clock = clock
        self._timeout_s = timeout_s

    async def __call__(
        self,
        consumer: Consumer,
        question: Question,
        book: AgreementBook,
        note: NoteLimits = unnoted,
        *,
        before: UUID | None = None,
    ) -> Answer:
        """The history of the one subject of `question`, named by NIK, with its evidence committed first.

        Raises what `gateway.exchange.Exchange` raises, and Retryable while the index is being made.
        """
        now = self._clock()
        today = civil_day(now)
        evidence = self._gate.open(consumer, question, book, today)
        plan = await self._gate.permitted(consumer, question, book, now, evidence)
        (asked,) = question.subjects
        subject = identify(asked, None)
        spent = await self._gate.spent(plan, [subject], evidence, note)
        outcome = await self._ask_registry(subject, plan, today)
        seen = only_synthetic(outcome) if consumer.sandbox else outcome
        self._gate.found_nobody(plan, spent, int(bool(spent.new_at) and isinstance(seen, NotFound)))
        found = within_scope(seen, plan)

        identifier = self._hasher.identifier(asked.nik or "")
        hashes, history, word = [identifier], None, "history"
        if isinstance(found, Record):
            # Whoever asked for the NIK before anybody was found under it is part of the history too.
            hashes = [self._hasher.person(found.person_id), identifier]
            history = await asyncio.to_thread(self._histories.read, hashes, before=before)
        else:
            word = found.reason
            if isinstance(outcome, Record):
                hashes = [self._hasher.person(outcome.person_id)]
        body = _rendered(evidence.exchange_id, now, plan, history, word, book.dictionary)
        entry = evidence.answer(
            self._clock(), plan, body, hashes[:1], [word], as_of={}, unavailable=frozenset()
        )
        return Answer(evidence.exchange_id, body, [word], await self._audit.append(entry))

    async def _ask_registry(self, subject: Subject | None, plan: Plan, today: date) -> Outcome | None:
        if subject is None:
            return None
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        fields = plan.needs & self._registry.provides
        (outcome,) = await self._registry.fetch([subject], fields, today, deadline)
        return outcome


def _rendered(
    exchange_id: UUID,
    now: datetime,
    plan: Plan,
    history: History | None,
    word: str,
    dictionary: Mapping[str, Field],
) -> bytes:
    agreement = plan.agreement
    answer: dict[str, Any] = {
        "exchange_id": str(exchange_id),
        "as_of": (now if history is None else history.as_of).isoformat(timespec="seconds"),
        "agreement": {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256},
    }
    if history is None:
        answer |= {"reason": word, "words": both(UNANSWERED[word]), "accesses": []}
    else:
        answer |= told(history, dictionary)
    return orjson.dumps(answer)


def told(history: History, dictionary: Mapping[str, Field], *, head: Text = HEAD) -> dict[str, Any]:
    """A page of a history as the API tells it; `head` speaks to whoever reads it: the person, or staff."""
    words = head if history.accesses else NOBODY
    page: dict[str, Any] = {"words": both(words), "accesses": listed(history.accesses, dictionary)}
    if history.before is not None:
        page["before"] = str(history.before)
    return page


def listed(accesses: Sequence[Access], dictionary: Mapping[str, Field]) -> list[dict[str, Any]]:
    """Accesses as plain values, each with its sentence in both languages."""
    return [
        {
            "reference": str(one.reference),
            "at": one.at.isoformat(timespec="seconds"),
            "by": {"id": one.by, "name": one.name},
            "operation": one.operation,
            "purpose": one.purpose,
            "programme": one.programme,
            "agreement": one.agreement,
            "legal_basis": list(one.legal_basis),
            "fields": {
                name: {"released_as": form, "label": both(field_label(name, dictionary))}
                for name, form in one.fields.items()
            },
            "outside_sources": list(one.asked),
            "outcome": one.outcome,
            "outcome_words": both(outcome_words(one.outcome)),
            "words": both(sentence(one, dictionary)),
        }
        for one in accesses
    ]


def both(text: Text) -> dict[str, str]:
    """A text in both languages, as the wire carries it."""
    return {"id": text.id, "en": text.en}
