"""Decide what may be done with names alone: renewed, sealed for another sector, opened for one's own.

Pure: the day is an argument. None of the three releases a field; each has its plan, which says whom the
names may be about and is what the evidence cites. Nothing is allowed by default, and what two sectors do
together takes a clause of the one's agreement and an agreement of the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from policies import refusals
from policies.agreement import MOST_SUBJECTS, Agreement, AgreementBook
from policies.decide import ConsumerTerms
from policies.dictionary import Text
from policies.plan import Deny, Plan, compile_plan
from policies.regions import intersection
from policies.translation import TranslationGrant

REKEY, TRANSLATE, OPEN = "rekey_pseudonyms", "translate_pseudonyms", "open_translations"
NAMING = (REKEY, TRANSLATE, OPEN)


@dataclass(frozen=True, slots=True)
class NamingPlan:
    """What a request about names may do: `plan` bounds the people; no field leaves with it.

    `sector` is the consumer's own. `grant` is the clause by which it may translate; `from_sectors` are those
    whose translations it may open.
    """

    plan: Plan
    sector: str
    grant: TranslationGrant | None = None
    from_sectors: frozenset[str] = frozenset()


def decide_naming(
    book: AgreementBook, consumer: ConsumerTerms, operation: str, purpose: str, count: int, today: date
) -> NamingPlan | Deny:
    """Whether, and how far, names may be renewed, translated or opened on a day (civil date of Indonesia).

    The purpose picks exactly one agreement of the consumer, as for any question.
    """
    own = book.by_consumer.get(consumer.id)
    if not own:
        return refusals.no_agreement()
    agreement = own.get(purpose)
    if agreement is None:
        return refusals.purpose_not_covered(own)
    if (standing := agreement.standing(today)) != "active":
        return refusals.OF_STANDING[standing](agreement)
    most = MOST_SUBJECTS if operation == REKEY else agreement.subjects_per_request
    senders = _senders(book, consumer.sector, purpose, today)
    checks: tuple[tuple[bool, Callable[[Agreement], Deny]], ...] = (
        (agreement.pseudonym_sector is None, _no_names),
        (agreement.pseudonym_sector != consumer.sector, refusals.sector_mismatch),
        (operation not in NAMING, refusals.operation_not_covered),
        (operation == TRANSLATE and agreement.translation is None, _no_grant),
        (operation == OPEN and not senders, _nothing_to_open),
        (not 1 <= count <= most, refusals.too_many_subjects),
    )
    for fails, refuse in checks:
        if fails:
            return refuse(agreement)
    regions = intersection(agreement.scope.regions, consumer.regions or None)
    if regions is not None and not regions:
        return refusals.no_common_region(agreement)
    plan = compile_plan(agreement, book.dictionary, (), None, regions)
    return NamingPlan(plan, consumer.sector, agreement.translation, senders)


def _senders(book: AgreementBook, sector: str, purpose: str, today: date) -> frozenset[str]:
    """The sectors with an agreement in force that lets them translate for this sector and purpose."""
    granted = TranslationGrant(sector, purpose)
    return frozenset(
        other.pseudonym_sector
        for other in book.agreements
        if other.translation == granted
        and other.pseudonym_sector is not None
        and other.standing(today) == "active"
    )


def _no_names(agreement: Agreement) -> Deny:
    return Deny(
        "no_pseudonyms",
        Text(
            f"{agreement.cited.id} tidak memuat pseudonim.",
            f"{agreement.cited.en} has no pseudonyms.",
        ),
        Text(
            "Gunakan tujuan perjanjian yang memuat `pseudonym_sector`.",
            "Use the purpose of an agreement that has a `pseudonym_sector`.",
        ),
    )


def _no_grant(agreement: Agreement) -> Deny:
    return Deny(
        "translation_not_granted",
        Text(
            f"{agreement.cited.id} tidak memuat klausul `translation`: pseudonim tidak boleh diterjemahkan "
            "bagi sektor lain.",
            f"{agreement.cited.en} has no clause `translation`: no pseudonym may be translated for another "
            "sector.",
        ),
        Text(
            "Ajukan addendum dengan klausul itu kepada Pusdatin, beserta dasar hukumnya.",
            "Ask Pusdatin for an amendment with that clause, and say on which legal basis.",
        ),
    )


def _nothing_to_open(agreement: Agreement) -> Deny:
    return Deny(
        "translation_not_granted",
        Text(
            f"Tidak ada perjanjian yang berlaku dengan klausul `translation` bagi sektor Anda dan tujuan "
            f"{agreement.purpose}.",
            f"No agreement in force has a clause `translation` for your sector and the purpose "
            f"{agreement.purpose}.",
        ),
        Text(
            "Minta instansi pengirim mengajukan addendum kepada Pusdatin.",
            "Have the agency that sends ask Pusdatin for an amendment.",
        ),
    )
