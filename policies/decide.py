"""Decide, before anything is fetched, whether a request is covered, and by what plan.

Pure: the day is an argument. Nothing is allowed by default: each line below that is not passed is a `Deny`
with a stable code, a reason and a remedy. A refusal MUST NOT repeat what the caller sent, which may be
anything; it names what would be covered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from policies import refusals
from policies.agreement import ACCESS_HISTORY, ELIGIBILITY, RECORDS, Agreement, AgreementBook, PlanKey
from policies.plan import Deny, Output, Permit, Plan, Withheld, compile_plan, in_scope
from policies.regions import intersection

__all__ = [
    "ConsumerTerms",
    "Deny",
    "Output",
    "Permit",
    "Plan",
    "Request",
    "Withheld",
    "decide",
    "in_scope",
]

# Enough for every shape of request that real consumers have; a caller who varies shapes only makes us forget.
_PLANS_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, without who is asked about.

    `fields` None means all that the agreement names; `on_date` None means today.
    """

    operation: str
    purpose: str
    programme: str | None
    fields: tuple[str, ...] | None
    subject_count: int
    on_date: date | None = None


@dataclass(frozen=True, slots=True)
class ConsumerTerms:
    """What registration says of a consumer. `regions` bounds its jurisdiction; empty is the whole country."""

    id: str
    sector: str
    regions: frozenset[str]


def decide(book: AgreementBook, consumer: ConsumerTerms, request: Request, today: date) -> Permit | Deny:
    """Whether, and by which plan, a request is covered on a day (civil date of Indonesia).

    The purpose picks exactly one agreement of the consumer. Scope is what agreement and consumer have in
    common, never more. Plans are compiled once per kind of request.
    """
    own = book.by_consumer.get(consumer.id)
    if not own:
        return refusals.no_agreement()
    if request.on_date is not None and request.on_date > today:
        return refusals.day_to_come(today)
    agreement = own.get(request.purpose)
    if agreement is None:
        return refusals.purpose_not_covered(own)
    return _refusal(agreement, consumer, request, today) or _planned(book, agreement, consumer, request)


def _refusal(agreement: Agreement, consumer: ConsumerTerms, request: Request, today: date) -> Deny | None:
    """The first clause of the agreement, in the order a lawyer would read it, that the request fails."""
    standing = agreement.standing(today)
    if standing != "active":
        return refusals.OF_STANDING[standing](agreement)
    if agreement.pseudonym_sector not in {None, consumer.sector}:
        return refusals.sector_mismatch(agreement)
    if request.operation not in agreement.operations:
        return refusals.operation_not_covered(agreement)
    if request.operation == ELIGIBILITY and request.programme not in agreement.programmes:
        return refusals.programme_not_covered(agreement)
    if not 1 <= request.subject_count <= agreement.subjects_per_request:
        return refusals.too_many_subjects(agreement)
    return None


def _planned(
    book: AgreementBook, agreement: Agreement, consumer: ConsumerTerms, request: Request
) -> Permit | Deny:
    programme = request.programme if request.operation == ELIGIBILITY else None
    key: PlanKey = (agreement.sha256, request.operation, programme, request.fields, consumer.regions)
    known = book.plans.get(key)
    if known is None:
        if len(book.plans) >= _PLANS_KEPT:
            book.plans.clear()
        known = book.plans[key] = _compiled(book, agreement, consumer, request)
    return known


def _compiled(
    book: AgreementBook, agreement: Agreement, consumer: ConsumerTerms, request: Request
) -> Permit | Deny:
    regions = intersection(agreement.scope.regions, consumer.regions or None)
    if regions is not None and not regions:
        return refusals.no_common_region(agreement)
    rule = book.programmes[request.programme or ""] if request.operation == ELIGIBILITY else None
    # Who looked is told by the log; of what the registry holds nothing leaves with it.
    fields = () if request.operation == ACCESS_HISTORY else request.fields
    plan = compile_plan(agreement, book.dictionary, fields, rule, regions)
    if request.operation == RECORDS and not plan.outputs:
        return refusals.no_field_permitted(agreement)
    return Permit(plan)
