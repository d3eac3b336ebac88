"""Which documents an agreement still lacks before it may take effect, each with the law that asks for it.

Reading an agreement needs no more than its own number: a draft is written before the papers are signed. That
all of them are there is a condition of its activation, which is the gateway's to keep.

Five are asked of every agreement. Dukcapil grants its users access only so, and the gateway's answers rest
on identities that it matched; what it asks of us, we ask of those who ask us. The sixth, an impact
assessment, is asked for where UU 27/2022 art. 34 (2) sees a high risk; this says of which kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.agreement import ELIGIBILITY, Agreement
from policies.dictionary import Field, Text
from policies.plan import released_fields

# Art. 34 (2) c says "on a large scale" and no number. Above ours, a small regency is asked about in a day.
LARGE_SCALE_SUBJECTS_PER_DAY = 100_000

_DUKCAPIL = "dukcapil"


@dataclass(frozen=True, slots=True)
class MissingDocument:
    """A document that is not named, by its kind in `documents`, and why it is needed."""

    kind: str
    why: Text


def missing_documents(agreement: Agreement, dictionary: Mapping[str, Field]) -> tuple[MissingDocument, ...]:
    """What has to be named under `documents` before the agreement may be activated; empty if nothing."""
    needed = dict(_ALWAYS)
    risks = tuple(_high_risks(agreement, dictionary))
    if risks:
        needed["dpia"] = Text(
            f"Penilaian dampak (DPIA), UU 27/2022 pasal 34 ayat (2): {'; '.join(risk.id for risk in risks)}.",
            f"An impact assessment (DPIA), UU 27/2022 art. 34 (2): {'; '.join(risk.en for risk in risks)}.",
        )
    return tuple(
        MissingDocument(kind, why) for kind, why in needed.items() if kind not in agreement.documents
    )


def _high_risks(agreement: Agreement, dictionary: Mapping[str, Field]) -> Iterator[Text]:
    """Each kind of high risk of art. 34 (2) that the agreement brings about, by its letter."""
    released = released_fields(agreement, dictionary)
    if ELIGIBILITY in agreement.operations:
        yield Text(
            "huruf a dan d, keputusan otomatis dan penskoran kelayakan",
            "letters a and d, automated decisions and scoring of eligibility",
        )
    specific = [name for name in released if dictionary[name].sensitivity == "specific"]
    if specific:
        listed = ", ".join(specific)
        yield Text(f"huruf b, data spesifik ({listed})", f"letter b, specific data ({listed})")
    if agreement.scope.regions is None and agreement.limits.subjects_per_day > LARGE_SCALE_SUBJECTS_PER_DAY:
        most = agreement.limits.subjects_per_day
        yield Text(
            f"huruf c, skala besar (seluruh Indonesia, sampai {most} orang per hari)",
            f"letter c, large scale (the whole country, up to {most} persons per day)",
        )
    matched = [
        name
        for name, transformation in released.items()
        if transformation.name == "verdict" or dictionary[name].source == _DUKCAPIL
    ]
    if matched:
        listed = ", ".join(matched)
        yield Text(f"huruf e, pencocokan data ({listed})", f"letter e, matching of data ({listed})")


_ALWAYS: Mapping[str, Text] = {
    "mou": Text(
        "Nota kesepahaman antarinstansi, Permendagri 102/2019 sebagaimana diubah dengan 17/2023.",
        "The memorandum of understanding of both agencies, Permendagri 102/2019 as amended by 17/2023.",
    ),
    "pks": Text(
        "Perjanjian kerja sama itu sendiri, Permendagri 102/2019 sebagaimana diubah dengan 17/2023.",
        "The data-sharing agreement itself, Permendagri 102/2019 as amended by 17/2023.",
    ),
    "technical_terms": Text(
        "Petunjuk teknis, Permendagri 102/2019 sebagaimana diubah dengan 17/2023.",
        "The technical terms, Permendagri 102/2019 as amended by 17/2023.",
    ),
    "nda": Text(
        "Perjanjian kerahasiaan, syarat Dukcapil bagi setiap pengguna data (2022); UU 27/2022 pasal 36.",
        "The confidentiality agreement (NDA), Dukcapil's condition for all users (2022); UU 27/2022 art. 36.",
    ),
    "sptjm": Text(
        "Surat pernyataan tanggung jawab mutlak (SPTJM), syarat Dukcapil bagi setiap pengguna data (2022).",
        "The declaration of full responsibility (SPTJM), Dukcapil's condition for every user of data (2022).",
    ),
}
