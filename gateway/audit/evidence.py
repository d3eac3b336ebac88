"""Which facts of an exchange go into its audit entries. Pure.

Three moments leave evidence: a refusal, the intent to ask an outside source, and the outcome. All name
rules, fields, counts and keyed hashes; see `gateway.audit.entry` for what they MUST NOT hold. What was asked
is told as far as any agreement looks at it, so that the question can be decided anew under another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from gateway.audit.entry import Entry, message_hash
from policies.agreement import Agreement
from policies.decide import Plan
from policies.plan import UNREADABLE_NAME
from policies.refusals import SOURCE_UNAVAILABLE

# How an entry says that every field was asked for that the agreement names.
ALL_FIELDS = "all"
_PLANS_KEPT = 1024


class Evidence(NamedTuple):
    """What is known of an exchange from its first moment; makes the entries of the later ones.

    `purpose` and `programme` are words of the policies, or None where the caller used others; `asked` are
    names of the dictionary (see `asked_fields`), None for all that the agreement names. `agreement` is the
    one that the purpose picks, if any. `salt` belongs to this exchange alone; `on_date` is the day for which
    the question is asked. `sandbox` says that the consumer is told of synthetic people only.
    """

    exchange_id: UUID
    consumer_id: str
    operation: str
    purpose: str | None
    programme: str | None
    asked: tuple[str, ...] | None
    subject_count: int
    agreement: Agreement | None
    on_date: date
    request: bytes
    salt: bytes
    sandbox: bool = False

    def refusal(self, at: datetime, code: str) -> Entry:
        """The agreement did not cover the question, or a limit of it was reached; no source was asked."""
        body: dict[str, Any] = {"outcome": "refused", "reason": code}
        if self.agreement is not None:
            body["agreement"] = _named(self.agreement)
        return self._entry("outcome", at, body)

    def intent(self, at: datetime, plan: Plan, sources: Sequence[str], subjects: Sequence[str]) -> Entry:
        """Outside sources are about to be asked about these subjects (keyed hashes)."""
        return self._entry("intent", at, {**_rules(plan), "sources": sorted(sources)}, subjects)

    def unavailable(
        self, at: datetime, plan: Plan, subjects: Sequence[str], fields: Collection[str]
    ) -> Entry:
        """A source was down, which has these fields, and the agreement says to refuse."""
        body = {
            **_rules(plan),
            "outcome": "refused",
            "reason": SOURCE_UNAVAILABLE,
            "unavailable": sorted(fields),
        }
        return self._entry("outcome", at, body, subjects)

    def answer(
        self,
        at: datetime,
        plan: Plan,
        response: bytes,
        subjects: Sequence[str],
        outcomes: Sequence[str],
        *,
        as_of: Mapping[str, date | None],
        unavailable: Collection[str],
    ) -> Entry:
        """The answer that is about to leave. `subjects` and `outcomes` run side by side.

        `as_of` is, per field, the day on which its source says that most of the values held; `unavailable`
        are fields of which, for anybody, no source gave an answer.
        """
        body = {
            **_rules(plan),
            **_released(plan),
            "outcome": "answered",
            "unavailable": sorted(unavailable),
            "as_of": {field: day.isoformat() for field, day in as_of.items() if day},
            "counts": {outcome: outcomes.count(outcome) for outcome in set(outcomes)},
            "response_hash": message_hash(self.salt, response),
        }
        return self._entry("outcome", at, body, list(zip(subjects, outcomes, strict=True)))

    def _entry(self, kind: str, at: datetime, body: Mapping[str, Any], subjects: Sequence[Any] = ()) -> Entry:
        return Entry(
            self.exchange_id,
            kind,
            at,
            self.consumer_id,
            {
                "operation": self.operation,
                "purpose": self.purpose,
                "programme": self.programme,
                "asked": ALL_FIELDS if self.asked is None else list(self.asked),
                "subject_count": self.subject_count,
                "on_date": self.on_date.isoformat(),
                "request_hash": message_hash(self.salt, self.request),
                **({"sandbox": True} if self.sandbox else {}),
                **body,
            },
            subjects,
        )


def asked_fields(names: Sequence[str] | None, dictionary: Collection[str]) -> tuple[str, ...] | None:
    """The fields asked for, as the log names them: sorted, each once; None for all that there are.

    What is no name of the dictionary may be anything, a national id included, and becomes `?`.
    """
    if names is None:
        return None
    return tuple(sorted({name if name in dictionary else UNREADABLE_NAME for name in names}))


def _named(agreement: Agreement) -> dict[str, Any]:
    return {"id": agreement.id, "version": agreement.version, "sha256": agreement.sha256}


# What an entry says of a plan is the same for every exchange that follows it. MUST NOT be changed.
@lru_cache(maxsize=_PLANS_KEPT)
def _released(plan: Plan) -> Mapping[str, Any]:
    said = {
        "fields": {output.name: str(output.transformation) for output in plan.outputs},
        "withheld": sorted(withheld.field for withheld in plan.withheld),
        "sources": {output.name: output.field.source for output in plan.outputs},
    }
    # As their text in the entry: it is written for every exchange, and longer than all the rest.
    return {
        name: orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        for name, value in said.items()
    }


@lru_cache(maxsize=_PLANS_KEPT)
def _rules(plan: Plan) -> Mapping[str, Any]:
    rule, delay = plan.rule, plan.agreement.disclosure_delay
    return {
        # Kept here because the delay is that of the version then in force, whatever follows it.
        **({"disclosure_delay_days": delay.days} if delay else {}),
        "agreement": _named(plan.agreement),
        "legal_basis": list(plan.agreement.legal_basis),
        "rule": {"programme": rule.programme, "version": rule.version, "sha256": rule.sha256}
        if rule
        else None,
    }
