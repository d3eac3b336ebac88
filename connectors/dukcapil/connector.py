"""Dukcapil, the population register: does the registry's person exist there, alive, under these particulars.

Zero data sharing: verdicts and person states leave this connector, elements never, not even where Dukcapil
answers with a full record (Permendagri 102/2019 as amended by 17/2023). Every call costs quota: it is counted
before it is sent, and none is repeated uncounted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from connectors.base import NotFound, Outcome, Record, Subject, Unavailable
from connectors.dukcapil.elements import ELEMENTS, STATE_FIELD, elements_to_verify, is_identifier
from connectors.dukcapil.settings import DukcapilSettings
from connectors.dukcapil.wire import Credentials, Said, field_verdicts, read_answer, request_body
from connectors.quota import DailyQuota, Grant, QuotaLedger, QuotaWarning
from connectors.transport.breaker import RetryBudget
from connectors.transport.client import Transport
from connectors.transport.failures import (
    BreakerOpen,
    BrokenContract,
    ConnectionLost,
    Misconfigured,
    NoFreeSlot,
    QuotaExhausted,
    Rejected,
    SourceFailure,
    TerminalFailure,
)
from connectors.transport.wire import Reply

_UNKNOWN_NIK = frozenset({"not_found", "malformed_nik"})


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of one person; equal questions are sent once."""

    nik: str = field(repr=False)
    elements: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(slots=True)
class _Round:
    """The calls of one `fetch`: `granted` were counted, `spent` of them went out."""

    day: date
    pending: Iterator[_Question] = field(repr=False)
    granted: int
    spent: int = 0
    # The lowest count of calls left that Dukcapil gave.
    source_says: int | None = None
    # Set by an answer that goes for everyone: there is no point in asking on.
    halted: Unavailable | None = None
    answers: dict[_Question, Said | Unavailable] = field(default_factory=dict, repr=False)

    def heed(self, calls_left: int) -> None:
        self.source_says = min(calls_left, calls_left if self.source_says is None else self.source_says)


_FAILURES: Mapping[str, Callable[[str], SourceFailure]] = {
    "quota": QuotaExhausted,
    "configuration": lambda cause: Misconfigured(cause, alive=True),
    "unusable": BrokenContract,
}


class DukcapilConnector:
    """Verdicts on the registry's particulars by Dukcapil, and the person's state there.

    Dukcapil keeps no history, so every answer is of today. One object serves one event loop.
    """

    name = "dukcapil"
    provides = frozenset({*ELEMENTS, STATE_FIELD})
    needs = frozenset({*(element.known for element in ELEMENTS.values()), "region"})
    outside = True
    many_at_once = False

    def __init__(
        self,
        settings: DukcapilSettings,
        credentials: Credentials,
        transport: Transport,
        ledger: QuotaLedger,
        *,
        clock: Callable[[], datetime],
        on_quota_low: Callable[[QuotaWarning], None] = lambda warning: None,  # noqa: ARG005 - heard by nobody
    ) -> None:
        self.fresh_for = settings.fresh_for
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._quota = DailyQuota(
            ledger,
            self.name,
            settings.daily_quota,
            clock=clock,
            warn_at=settings.warn_at,
            on_low=on_quota_low,
        )
        self._credentials = credentials
        self._headers = credentials.headers()
        source = settings.source
        self._repeats = RetryBudget(percent=source.retry_percent, burst=source.retry_burst)
        self._next_start = 0.0
        self._settling: set[asyncio.Task[None]] = set()

    async def fetch(
        self, subjects: Sequence[Subject], fields: frozenset[str], on_date: date, deadline: float
    ) -> Sequence[Outcome]:
        """One outcome per subject, in order. Subjects need a NIK and a person id; others are not found."""
        del on_date
        wanted = fields & self.provides
        prepared = [self._prepare(subject, wanted) for subject in subjects]
        questions = dict.fromkeys(item for item in prepared if isinstance(item, _Question))
        answers = await self._ask_all(list(questions), deadline) if questions else {}
        return [
            self._outcome(subject, item, answers, wanted) if isinstance(item, _Question) else item
            for subject, item in zip(subjects, prepared, strict=True)
        ]

    async def ping(self) -> None:
        """Return when Dukcapil accepts our login; raise SourceFailure when not. Spends one call of the quota.

        It asks about nobody: Dukcapil objects to the missing NIK after it has accepted the login.
        """
        day = self._quota.today()
        deadline = asyncio.get_running_loop().time() + self._settings.source.attempt_timeout_s
        grant = await self._quota.take(day, 1, deadline)
        if isinstance(grant, Unavailable):
            raise SourceFailure(grant.cause)
        await self._send(_Question("", ()), _Round(day, iter(()), 1), deadline, tolerated="parameters")

    async def quota_left(self) -> int:
        """How many calls are left today (Asia/Jakarta)."""
        return await self._quota.remaining()

    def _prepare(self, subject: Subject, fields: frozenset[str]) -> _Question | Outcome:
        if subject.person_id is None or subject.nik is None or not is_identifier(subject.nik):
            return NotFound()
        elements = elements_to_verify(fields, subject.known)
        if not elements and STATE_FIELD not in fields:
            return Record(subject.person_id, dict.fromkeys(fields))  # nothing to compare: spend no call
        return _Question(subject.nik, tuple(elements.items()))

    async def _ask_all(
        self, questions: Sequence[_Question], deadline: float
    ) -> Mapping[_Question, Said | Unavailable]:
        day = self._quota.today()
        grant = await self._quota.take(day, len(questions), deadline)
        if isinstance(grant, Unavailable):
            return dict.fromkeys(questions, grant)
        current = _Round(day, iter(questions[: grant.calls]), grant.calls)
        crew = min(grant.calls, self._settings.source.concurrency)
        try:
            await asyncio.gather(*(self._work(current, deadline) for _ in range(crew)))
        finally:
            await self._settle(current, grant.remaining, deadline)
        rest = current.halted or self._quota.used_up(day)
        return {question: current.answers.get(question, rest) for question in questions}

    def _outcome(
        self,
        subject: Subject,
        question: _Question,
        answers: Mapping[_Question, Said | Unavailable],
        fields: frozenset[str],
    ) -> Outcome:
        said = answers[question]
        if isinstance(said, Unavailable):
            return said
        if subject.person_id is None or (STATE_FIELD not in fields and said.state in _UNKNOWN_NIK):
            return NotFound()
        values = field_verdicts(fields, said, dict(question.elements))
        return Record(subject.person_id, values, default_as_of=self._quota.today())

    async def _settle(self, current: _Round, remaining: int, deadline: float) -> None:
        says, unsent = current.source_says, current.granted - current.spent
        lower = says if says is not None and says < remaining else None
        if lower is None and not unsent:
            return
        task = asyncio.create_task(self._quota.settle(current.day, unsent=unsent, source_says=lower))
        # It goes on when the time is up: what is not given back are calls that nobody can make.
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.wait({task}, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))

    async def _work(self, current: _Round, deadline: float) -> None:
        for question in current.pending:
            if current.halted or current.source_says == 0:
                return
            current.answers[question] = await self._ask(question, current, deadline)

    async def _ask(self, question: _Question, current: _Round, deadline: float) -> Said | Unavailable:
        try:
            await self._pace(deadline)
            return await self._send_counted(question, current, deadline)
        except SourceFailure as failure:
            # The body's shape is the same for everyone, so a refusal by status is about the address.
            refused = isinstance(failure, Rejected)
            cause = failure.cause + (": check family, customer, region and method." if refused else "")
            if refused or isinstance(failure, Misconfigured):
                cause = "Configuration: " + cause
            outcome = Unavailable(failure.since or self._clock(), cause=cause)
            if isinstance(failure, QuotaExhausted):
                current.heed(0)
            ends = isinstance(failure, (TerminalFailure, BreakerOpen)) and not failure.this_question_only
            if ends or refused:
                current.halted = outcome
            return outcome

    async def _pace(self, deadline: float) -> None:
        """Wait for the next turn that the agreed rate allows, if there is one in time."""
        rate, now = self._settings.calls_per_second, asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        if start >= deadline:
            raise NoFreeSlot(
                "No turn was left before the deadline: Dukcapil is slow, or calls_per_second low."
            )
        if rate is not None:
            self._next_start = start + 1 / rate
            await asyncio.sleep(start - now)

    async def _send_counted(self, question: _Question, current: _Round, deadline: float) -> Said:
        """Send; once more after a lost connection, if quota and budget allow: the first may have counted."""
        self._repeats.earn()
        for last in (False, True):
            current.spent += 1
            try:
                return await self._send(question, current, deadline)
            except SourceFailure as failure:
                if not failure.may_have_acted:
                    current.spent -= 1
                    raise
                lost = isinstance(failure, ConnectionLost)
                if last or not lost or not await self._one_more(current, deadline):
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _one_more(self, current: _Round, deadline: float) -> bool:
        grant = await self._quota.take(current.day, 1, deadline) if self._repeats.spend() else None
        current.granted += isinstance(grant, Grant)
        return isinstance(grant, Grant)

    async def _send(
        self, question: _Question, current: _Round, deadline: float, *, tolerated: str | None = None
    ) -> Said:
        settings = self._settings
        verify = settings.call == "verify"
        content = request_body(
            question.nik,
            dict(question.elements) if verify else {},
            self._credentials,
            settings.spelling,
            threshold=settings.threshold if verify else None,
            birth_date_format=settings.birth_date_format,
        )

        def judge(reply: Reply) -> None:
            self._read(reply, question, current, tolerated)

        # Not idempotent: the transport may repeat only what Dukcapil cannot have counted. The judge lets it
        # see refusals that arrive with status 200.
        reply = await self._transport.send(
            "POST",
            settings.path,
            deadline=deadline,
            headers=self._headers,
            content=content,
            idempotent=False,
            judge=judge,
            key=question,
        )
        return self._read(reply, question, current, tolerated)

    def _read(self, reply: Reply, question: _Question, current: _Round, tolerated: str | None) -> Said:
        """What the answer says of the person. Raises SourceFailure for an answer that says nothing."""
        said = read_answer(
            reply.body,
            self._settings.call,
            question.nik,
            dict(question.elements),
            threshold=self._settings.threshold,
            found_messages=self._settings.found_messages,
        )
        if said.quota_left is not None:
            current.heed(said.quota_left)
        if isinstance(said, Said):
            return said
        if said.code == tolerated:
            return Said("alive", {})
        raise _FAILURES[said.kind](said.cause)
