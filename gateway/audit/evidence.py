"""Which facts of an exchange go into its audit entries. Pure.

Three moments leave evidence: a refusal, the intent to ask an outside source, and the outcome. All name
rules, fields, counts and keyed hashes; see `gateway.audit.entry` for what they MUST NOT hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gateway.audit.entry import Entry, message_hash
from policies.decide import Plan


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an exchange from its first moment; makes the entries of the later ones.

    `purpose` and `programme` are words of the policies, or None where the caller used others. `salt`
    belongs to this exchange alone; `on_date` is the day for which the question is asked.
    """

    exchange_id: UUID
    consumer_id: str
    operation: str
    purpose: str | None
    programme: str | None
    on_date: date
    request: bytes
    salt: bytes

    def refusal(self, at: datetime, code: str) -> Entry:
        """The agreement did not cover the question; no source was asked."""
        return self._entry("outcome", at, {"outcome": "refused", "reason": code})

    def intent(self, at: datetime, plan: Plan, sources: Sequence[str], subjects: Sequence[str]) -> Entry:
        """Outside sources are about to be asked about these subjects (keyed hashes)."""
        return self._entry(
            "intent", at, {**_rules(plan), "sources": sorted(sources), "subjects": list(subjects)}
        )

    def unavailable(self, at: datetime, plan: Plan, subjects: Sequence[str]) -> Entry:
        """A source was down and the agreement says to refuse."""
        body = {
            **_rules(plan),
            "outcome": "refused",
            "reason": "source_unavailable",
            "subjects": list(subjects),
        }
        return self._entry("outcome", at, body)

    def answer(
        self, at: datetime, plan: Plan, response: bytes, subjects: Sequence[str], outcomes: Sequence[str]
    ) -> Entry:
        """The answer that is about to leave. `subjects` and `outcomes` run side by side."""
        body = {
            **_rules(plan),
            "outcome": "answered",
            "fields": {output.name: str(output.transformation) for output in plan.outputs},
            "withheld": sorted(withheld.field for withheld in plan.withheld),
            "subjects": [[subject, outcome] for subject, outcome in zip(subjects, outcomes, strict=True)],
            "counts": dict(Counter(outcomes)),
            "response_hash": message_hash(self.salt, response),
        }
        return self._entry("outcome", at, body)

    def _entry(self, kind: str, at: datetime, body: Mapping[str, Any]) -> Entry:
        return Entry(
            self.exchange_id,
            kind,
            at,
            self.consumer_id,
            {
                "operation": self.operation,
                "purpose": self.purpose,
                "programme": self.programme,
                "on_date": self.on_date.isoformat(),
                "request_hash": message_hash(self.salt, self.request),
                **body,
            },
        )


def _rules(plan: Plan) -> dict[str, Any]:
    agreement, rule = plan.agreement, plan.rule
    return {
        "agreement": {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256},
        "legal_basis": list(agreement.legal_basis),
        "rule": {"programme": rule.programme, "version": rule.version, "sha256": rule.sha256}
        if rule
        else None,
    }
