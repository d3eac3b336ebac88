"""A region fetches its findings and says what became of them, under its agreement.

The path is that of every exchange: covered, within the limits, within the scope, evidence before the answer.
Which people a region may be told of is what its agreement and its registration have in common; asking for
another region's findings is refused, and the refusal is in the log. Of a person leaves what the agreement's
fields release of the registry; of Dukcapil leave verdicts and days, as they are kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from connectors.base import Connector, Outcome, Record, Subject
from gateway.audit.entry import SubjectHasher
from gateway.audit.evidence import Evidence
from gateway.audit.log import AuditLog
from gateway.civil_day import civil_day
from gateway.errors import NotFound
from gateway.exchange import Answer
from gateway.gate import Gate, NoteLimits, Question, unnoted
from gateway.oauth.consumers import Consumer
from gateway.reconciliation.findings import Finding, FindingAnswer, Findings, Which
from gateway.reconciliation.kinds import KINDS
from gateway.sandbox import only_synthetic
from gateway.subjects import AskedSubject, within_scope
from policies import refusals
from policies.agreement import FINDINGS, AgreementBook
from policies.decide import Plan
from policies.dictionary import Text
from policies.pseudonym import SectorKey, SectorKeys, pseudonym
from policies.regions import covered
from policies.release import Unknown, release

# Whom a page is about is not known before it is read; the gate is asked about one person.
_SOMEBODY = (AskedSubject("", None, None, {}),)
_NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """What a region asks for; `message` is the request's query as it arrived, for its hash."""

    purpose: str
    region: str | None
    kind: str | None
    most: int
    after: UUID | None
    message: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a region says of one finding; `message` is the request's body as it arrived, for its hash."""

    purpose: str
    finding_id: UUID
    answer: FindingAnswer
    reference: str | None
    message: bytes


class RegionalFindings:
    """Serves regions their findings. One object serves all requests of a process."""

    def __init__(
        self,
        *,
        gate: Gate,
        registry: Connector,
        findings: Findings,
        sector_keys: Callable[[str], Awaitable[SectorKeys]],
        audit: AuditLog,
        hasher: SubjectHasher,
        clock: Callable[[], datetime],
        timeout_s: float,
    ) -> None:
        self._gate = gate
        self._registry = registry
        self._findings = findings
        self._sector_keys = sector_keys
        self._audit = audit
        self._hasher = hasher
        self._clock = clock
        self._timeout_s = timeout_s

    async def page(
        self, consumer: Consumer, asked: PageQuestion, book: AgreementBook, note: NoteLimits = unnoted
    ) -> Answer:
        """The next findings of the region, which count as sent from now on; evidence is committed first.

        Raises what `gateway.exchange.Exchange` raises.
        """
        plan, evidence, now = await self._permitted(consumer, asked.purpose, asked.message, book)
        if asked.region is not None and not _is_within(asked.region, plan):
            raise await self._gate.refused(refusals.finding_not_covered(plan.agreement), evidence, now)
        regions = plan.scope.regions if asked.region is None else frozenset({asked.region})
        most = min(asked.most, plan.agreement.subjects_per_request)
        which = Which(regions, kind=asked.kind)
        found = await asyncio.to_thread(self._findings.page, which, most, asked.after)
        evidence = evidence._replace(subject_count=len(found))
        records = await self._records(consumer, found, plan, evidence, note)
        told = [(one, record) for one, record in zip(found, records, strict=True) if record is not None]
        key = await self._key(plan)
        body = _page(evidence, now, plan, told, found[-1].id if len(found) == most else None, key)
        pairs = zip(found, records, strict=True)
        words = [one.kind if record is not None else _NOT_TOLD for one, record in pairs]
        answer = await self._logged(evidence, plan, body, found, words)
        await asyncio.to_thread(self._findings.mark_sent, [one.id for one, _ in told if one.state == "open"])
        return answer

    async def report(
        self, consumer: Consumer, said: Report, book: AgreementBook, note: NoteLimits = unnoted
    ) -> Answer:
        """Take what a region says of one of its findings, with its evidence.

        A finding of another region and one that does not exist are refused alike, on record. Raises Conflict
        for a finding that is closed, and what `page` raises.
        """
        plan, evidence, now = await self._permitted(consumer, said.purpose, said.message, book)
        finding = await self._own(consumer, said.finding_id, plan, evidence, note)
        if finding is None:
            raise await self._gate.refused(refusals.finding_not_covered(plan.agreement), evidence, now)
        answered = await asyncio.to_thread(
            self._findings.answer, consumer.id, said.finding_id, said.answer, said.reference
        )
        body = orjson.dumps({**_head(evidence, now, plan), "finding": _told(answered)})
        return await self._logged(evidence, plan, body, [answered], [f"answered_{said.answer}"])

    async def _permitted(
        self, consumer: Consumer, purpose: str, message: bytes, book: AgreementBook
    ) -> tuple[Plan, Evidence, datetime]:
        now = self._clock()
        question = Question(FINDINGS, purpose, None, _SOMEBODY, None, None, message)
        evidence = self._gate.open(consumer, question, book, civil_day(now))
        return await self._gate.permitted(consumer, question, book, now, evidence), evidence, now

    async def _records(
        self,
        consumer: Consumer,
        found: Sequence[Finding],
        plan: Plan,
        evidence: Evidence,
        note: NoteLimits,
    ) -> list[Record | None]:
        """Whom each finding is about, as far as they may be told of; counted against the limits first."""
        subjects = [Subject(person_id=one.person_id) for one in found]
        await self._gate.spent(plan, subjects, evidence, note)
        if not subjects:
            return []
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        fields = plan.needs & self._registry.provides
        today = civil_day(self._clock())
        outcomes = await self._registry.fetch(subjects, fields, today, deadline)
        return [_in_reach(outcome, consumer, plan) for outcome in outcomes]

    async def _key(self, plan: Plan) -> SectorKey | None:
        return (await self._sector_keys(plan.pseudonym_sector)).current if plan.pseudonym_sector else None

    async def _own(
        self, consumer: Consumer, finding_id: UUID, plan: Plan, evidence: Evidence, note: NoteLimits
    ) -> Finding | None:
        """The finding, if it exists and is about somebody of whom this consumer may be told."""
        try:
            finding = await asyncio.to_thread(self._findings.get, finding_id)
        except NotFound:
            return None
        (record,) = await self._records(consumer, [finding], plan, evidence, note)
        return finding if record is not None else None

    async def _logged(
        self, evidence: Evidence, plan: Plan, body: bytes, found: Sequence[Finding], words: Sequence[str]
    ) -> Answer:
        """The answer with its entry: whom it is about, and in `words` what was told of each."""
        hashes = [self._hasher.person(one.person_id) for one in found]
        entry = evidence.answer(self._clock(), plan, body, hashes, words, as_of={}, unavailable=frozenset())
        return Answer(evidence.exchange_id, body, words, await self._audit.append(entry))


def _is_within(region: str, plan: Plan) -> bool:
    return plan.scope.regions is None or covered(region, plan.scope.regions)


def _in_reach(outcome: Outcome, consumer: Consumer, plan: Plan) -> Record | None:
    seen = only_synthetic(outcome) if consumer.sandbox else outcome
    found = within_scope(seen, plan)
    return found if isinstance(found, Record) else None


def _head(evidence: Evidence, now: datetime, plan: Plan) -> dict[str, Any]:
    agreement = plan.agreement
    return {
        "exchange_id": str(evidence.exchange_id),
        "as_of": now.isoformat(timespec="seconds"),
        "agreement": {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256},
    }


def _page(
    evidence: Evidence,
    now: datetime,
    plan: Plan,
    told: Sequence[tuple[Finding, Record]],
    following: UUID | None,
    key: SectorKey | None,
) -> bytes:
    today = civil_day(now)
    kinds = Counter(one.kind for one, _ in told)
    answer = {
        **_head(evidence, now, plan),
        "fields": {
            **{output.name: {"released_as": str(output.transformation)} for output in plan.outputs},
            **{withheld.field: {"withheld": withheld.code} for withheld in plan.withheld},
        },
        "kinds": {kind: _both(KINDS[kind]) for kind in sorted(kinds) if kind in KINDS},
        "findings": [
            {**_told(one), "person": _released(plan, record, today, now, key)} for one, record in told
        ],
    }
    if following is not None:
        answer["next"] = str(following)
    return orjson.dumps(answer)


def _told(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": str(finding.id),
        "kind": finding.kind,
        "evidence": finding.evidence,
        "region": finding.region,
        "state": finding.state,
        "since": finding.opened_at.isoformat(timespec="seconds"),
    }
    if finding.answer is not None:
        told["answer"] = finding.answer
    return told


def _released(
    plan: Plan, record: Record, today: date, now: datetime, key: SectorKey | None
) -> Mapping[str, Any]:
    # Only the registry is asked here: what an agreement names of other sources is unknown in a finding.
    unknown = {
        output.reads: Unknown(now, None) for output in plan.outputs if output.reads not in record.values
    }
    released = release(plan, record.values, unknown, {}, on_date=today, sector_key=key)
    named = {"pseudonym": pseudonym(record.person_id, key)} if key else {}
    return {**named, "values": {**released.values, **dict.fromkeys(released.exceptions)}}


def _both(text: Text) -> dict[str, str]:
    return {"id": text.id, "en": text.en}
