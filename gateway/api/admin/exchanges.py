"""`/admin/v1/exchanges`: what was exchanged, found in the log, told by the rules of then, and proven."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends

from gateway.agreements.explanation import Because
from gateway.agreements.live import LivePolicies
from gateway.agreements.past import Explanations
from gateway.api.admin.documentation import staff_route
from gateway.api.admin.evidence import Evidence
from gateway.api.admin.exchange_forms import (
    After,
    BundleForm,
    ConsumerOut,
    ExchangeDetail,
    ExchangeFilters,
    ExchangeList,
    ExchangeOut,
    FieldToldOut,
    FieldWithheldOut,
    InclusionOut,
    IntentOut,
    Limit,
    ReceiptOut,
    Reference,
    Since,
    Until,
    Word,
)
from gateway.api.admin.explain import ReasonOut, reason_out
from gateway.api.exchanges import BothLanguages
from gateway.audit.reading import entries_of
from gateway.audit.search import Asked, Hit, search, words
from gateway.database import Database
from gateway.errors import NotFound
from gateway.replica import Reports
from gateway.rights.access import both
from gateway.rights.history import consumer_names
from gateway.rights.wording import field_label
from gateway.staff.check import StaffCheck
from gateway.staff.roles import Role, Staff
from policies.dictionary import Field, Text

_PATH = "/admin/v1/exchanges"
_ONE = _PATH + "/{exchange_id}"
# Who answers for what was exchanged, and who has to see why something went wrong.
READERS: tuple[Role, ...] = ("auditor", "operator")
# A bundle holds the salt, with which a NIK can be guessed.
BUNDLERS: tuple[Role, ...] = ("auditor",)


def exchange_log_router(
    database: Database,
    reports: Reports,
    policies: LivePolicies,
    explanations: Explanations,
    evidence: Evidence,
    check: StaffCheck,
) -> APIRouter:
    """The routes by which exchanges are found and proven. They block, in FastAPI's threads."""
    router = APIRouter(tags=["exchange log"])
    _search_routes(router, database, reports, check)
    _one_routes(router, _Telling(database, policies, explanations, evidence), check)
    return router


def _search_routes(router: APIRouter, database: Database, reports: Reports, check: StaffCheck) -> None:
    reader = Depends(check.requiring(*READERS))

    @staff_route(router, "GET", _PATH, READERS, 404, 422)
    def list_exchanges(
        _staff: Annotated[Staff, reader],
        consumer: Word = None,
        purpose: Word = None,
        operation: Word = None,
        outcome: Word = None,
        since: Since = None,
        until: Until = None,
        after: After = None,
        limit: Limit = 50,
    ) -> ExchangeList:
        """Exchanges, the newest first, page by page; each filter narrows.

        `outcome` is `answered`, `refused`, or the code of a refusal. An exchange is listed within a second
        of its end; one that never ended is found by its id.
        """
        asked = Asked("exchange", consumer, operation, purpose, outcome, since, until)
        told = reports(lambda read: search(read, asked, limit=limit, after=after))
        names, page = consumer_names(database), told.value
        found = [ExchangeOut.of(hit, names) for hit in page.hits]
        return ExchangeList(exchanges=found, next=page.following, as_of=told.as_of)

    @staff_route(router, "GET", _PATH + "/filters", READERS)
    def list_exchange_filters(_staff: Annotated[Staff, reader]) -> ExchangeFilters:
        """By which consumers, operations, purposes and outcomes exchanges can be searched now."""
        found, names = words(database, "exchange"), consumer_names(database)
        return ExchangeFilters(
            consumers=[ConsumerOut(id=one, name=names.get(one, one)) for one in found.who],
            operations=list(found.what),
            purposes=list(found.purposes),
            outcomes=list(found.outcomes),
        )


def _one_routes(router: APIRouter, telling: "_Telling", check: StaffCheck) -> None:
    @staff_route(router, "GET", _ONE, READERS, 404, 422)
    def get_exchange(
        exchange_id: Reference, _staff: Annotated[Staff, Depends(check.requiring(*READERS))]
    ) -> ExchangeDetail:
        """One exchange: who, under which agreement, what left in which form, what was withheld and why.

        `inclusion` is checked anew for every answer, under the newest signed checkpoint that covers it.
        """
        return telling.exchange(exchange_id)

    @staff_route(
        router,
        "POST",
        _ONE + "/bundle",
        BUNDLERS,
        *(400, 404, 409, 415, 422),
        response_model=dict[str, Any],
    )
    def make_exchange_bundle(
        exchange_id: Reference,
        form: BundleForm,
        staff: Annotated[Staff, Depends(check.requiring(*BUNDLERS))],
    ) -> Any:
        """One file that proves the exchange offline, with the verifier of `gapura audit verifier`.

        An act of the log. With the salt in it a NIK can be guessed: guard the file.
        """
        telling.finished(exchange_id)
        return telling.evidence.bundle(staff, exchange_id, form.reason)


@dataclass(frozen=True, slots=True)
class _Telling:
    """Tells one exchange: from its entries, by the wording of its day."""

    database: Database
    policies: LivePolicies
    explanations: Explanations
    evidence: Evidence

    def finished(self, exchange_id: UUID) -> Hit:
        """Its outcome. Raises NotFound."""
        return _outcome(entries_of(self.database, exchange_id))

    def exchange(self, exchange_id: UUID) -> ExchangeDetail:
        """All of it. Raises NotFound, StoreUnavailable."""
        entries = entries_of(self.database, exchange_id)
        names = consumer_names(self.database)
        intent = entries.get("intent")
        if "outcome" not in entries and intent is not None:
            return self._detail(intent, intent, ExchangeOut.of(intent, names, finished=False), "intent")
        outcome = _outcome(entries)
        return self._detail(outcome, intent, ExchangeOut.of(outcome, names), "outcome")

    def _detail(self, hit: Hit, intent: Hit | None, head: ExchangeOut, kind: str) -> ExchangeDetail:
        said = hit.entry or {}
        dictionary = self.policies.present.dictionary
        basis = said.get("legal_basis", ())
        return ExchangeDetail(
            **head.model_dump(),
            on_date=said.get("on_date"),
            asked=said.get("asked"),
            legal_basis=[basis] if isinstance(basis, str) else list(basis),
            rule=said.get("rule"),
            fields=_fields(said, dictionary),
            withheld=self._withheld(hit, dictionary) if said.get("withheld") else [],
            reasons=self._refused(hit) if head.outcome == "refused" else [],
            disclosure_delay_days=said.get("disclosure_delay_days"),
            intent=_intent(intent),
            receipt=self._receipt(hit, head),
            inclusion=InclusionOut.of(self.evidence.check(hit.exchange_id, kind)),
        )

    def _withheld(self, hit: Hit, dictionary: Mapping[str, Field]) -> list[FieldWithheldOut]:
        return [
            FieldWithheldOut(field=name, label=_label(name, dictionary), reasons=_reasons(reasons))
            for name, reasons in self.explanations.withheld(hit.exchange_id).items()
        ]

    def _refused(self, hit: Hit) -> list[ReasonOut]:
        # Of a refusal every field has the same reason: that of the whole.
        return _reasons(self.explanations(hit.exchange_id, "nik").reasons)

    def _receipt(self, hit: Hit, head: ExchangeOut) -> ReceiptOut | None:
        if head.outcome != "answered" or hit.entry is None:
            return None
        return ReceiptOut(**self.evidence.receipt(hit))


def _outcome(entries: Mapping[str, Hit]) -> Hit:
    if "outcome" not in entries:
        raise NotFound(
            Text(
                "Log tidak mempunyai hasil pertukaran dengan id ini.",
                "The log has no outcome of an exchange of this id.",
            )
        )
    return entries["outcome"]


def _fields(said: Mapping[str, Any], dictionary: Mapping[str, Field]) -> list[FieldToldOut]:
    sources, days, down = said.get("sources", {}), said.get("as_of", {}), said.get("unavailable", ())
    return [
        FieldToldOut(
            field=name,
            label=_label(name, dictionary),
            released_as=form,
            source=sources.get(name),
            as_of=days.get(name),
            unavailable=name in down,
        )
        for name, form in said.get("fields", {}).items()
    ]


def _intent(intent: Hit | None) -> IntentOut | None:
    if intent is None:
        return None
    return IntentOut(at=intent.at, sources=(intent.entry or {}).get("sources", []))


def _label(name: str, dictionary: Mapping[str, Field]) -> BothLanguages:
    return BothLanguages(**both(field_label(name, dictionary)))


def _reasons(reasons: tuple[Because, ...]) -> list[ReasonOut]:
    return [reason_out(reason) for reason in reasons]
