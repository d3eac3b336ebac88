"""What is said to a consumer whose request is not covered: a stable code, the reason, and what to ask for.

The texts name agreements and what they would cover, and MUST NOT repeat anything that the caller sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from policies.agreement import Agreement, Standing
from policies.dictionary import Text
from policies.plan import Deny

# The code with which an exchange refuses after it was permitted: the agreement wants all or nothing, and a
# source is down.
SOURCE_UNAVAILABLE = "source_unavailable"


def no_agreement() -> Deny:
    """The consumer has no agreement at all."""
    return Deny(
        "no_agreement",
        Text("Instansi Anda belum memiliki perjanjian.", "Your agency has no data-sharing agreement."),
        Text(
            "Ajukan perjanjian (PKS) kepada Pusdatin.",
            "Apply to Pusdatin for a data-sharing agreement (PKS).",
        ),
    )


def purpose_not_covered(own_purposes: Iterable[str]) -> Deny:
    """None of the consumer's agreements has this purpose."""
    listed = ", ".join(own_purposes)
    return Deny(
        "purpose_not_covered",
        Text(
            f"Tidak ada perjanjian Anda dengan tujuan ini. Tujuan yang tercakup: {listed}.",
            f"None of your agreements is for this purpose. The purposes covered are: {listed}.",
        ),
        Text(
            "Gunakan salah satu tujuan itu, atau ajukan perjanjian baru kepada Pusdatin.",
            "Use one of those purposes, or apply to Pusdatin for another agreement.",
        ),
    )


def day_to_come(today: date) -> Deny:
    """The question is about a day that nobody knows yet."""
    return Deny(
        "day_not_covered",
        Text(
            f"Tanggal yang ditanyakan belum tiba; hari ini {today}.",
            f"The day asked about is yet to come; today is {today}.",
        ),
        Text("Tanyakan hari ini atau hari sebelumnya.", "Ask about today or an earlier day."),
    )


def not_yet_valid(agreement: Agreement) -> Deny:
    """The agreement begins later."""
    return Deny(
        "agreement_not_yet_valid",
        Text(
            f"{agreement.cited.id} mulai berlaku pada {agreement.valid_from}.",
            f"{agreement.cited.en} is valid from {agreement.valid_from}.",
        ),
        Text("Tunggu tanggal mulai berlaku.", "Wait for the first day of its validity."),
    )


def expired(agreement: Agreement) -> Deny:
    """The agreement's last day is over."""
    return Deny(
        "agreement_expired",
        Text(
            f"{agreement.cited.id} berakhir pada {agreement.valid_until}.",
            f"{agreement.cited.en} ended on {agreement.valid_until}.",
        ),
        Text("Ajukan perpanjangan kepada Pusdatin.", "Apply to Pusdatin for its renewal."),
    )


def suspended(agreement: Agreement) -> Deny:
    """The agreement is suspended."""
    return Deny(
        "agreement_suspended",
        _suspended_since(agreement),
        Text(
            "Hubungi Pusdatin mengenai syarat pengaktifan kembali.",
            "Ask Pusdatin what has to be met before it is reinstated.",
        ),
    )


def _suspended_since(agreement: Agreement) -> Text:
    cited, known = agreement.cited, agreement.suspension
    if known is None:  # as the log tells it long after
        return Text(f"{cited.id} sedang dibekukan.", f"{cited.en} is suspended.")
    since = f"{known.since:%Y-%m-%d %H:%M} WIB"
    return Text(
        f"{cited.id} dibekukan sejak {since} ({known.reference}).",
        f"{cited.en} has been suspended since {since} ({known.reference}).",
    )


def revoked(agreement: Agreement) -> Deny:
    """The agreement was ended before its last day, for good."""
    return Deny(
        "agreement_revoked",
        Text(f"{agreement.cited.id} telah dicabut.", f"{agreement.cited.en} has been revoked."),
        Text(
            "Ajukan perjanjian baru kepada Pusdatin bila masih diperlukan.",
            "Apply to Pusdatin for another agreement if one is still needed.",
        ),
    )


def superseded(agreement: Agreement) -> Deny:
    """A later version stands in the agreement's place, and does not cover this purpose."""
    return Deny(
        "agreement_superseded",
        Text(
            f"{agreement.cited.id} telah digantikan versi berikutnya, yang tujuannya lain.",
            f"{agreement.cited.en} has been superseded by a later version, which is for another purpose.",
        ),
        Text(
            "Baca perjanjian yang berlaku (GET /v1/agreements) dan gunakan tujuannya.",
            "Read the agreement in force (GET /v1/agreements) and use its purpose.",
        ),
    )


# Whatever stands otherwise than active is refused by the word that says how it stands.
OF_STANDING: Mapping[Standing, Callable[[Agreement], Deny]] = {
    "not_yet_valid": not_yet_valid,
    "expired": expired,
    "suspended": suspended,
    "revoked": revoked,
    "superseded": superseded,
}


def sector_mismatch(agreement: Agreement) -> Deny:
    """The agreement's pseudonyms belong to a sector that is not the consumer's."""
    return Deny(
        "sector_mismatch",
        Text(
            f"{agreement.cited.id} memakai pseudonim sektor yang bukan sektor terdaftar instansi Anda.",
            f"{agreement.cited.en} uses the pseudonyms of a sector in which you are not registered.",
        ),
        Text(
            "Minta Pusdatin menyelaraskan sektor pada pendaftaran dan pada perjanjian.",
            "Ask Pusdatin to bring the sector of your registration and of the agreement into line.",
        ),
    )


def operation_not_covered(agreement: Agreement) -> Deny:
    """The agreement does not allow this kind of question."""
    listed = ", ".join(agreement.operations)
    return Deny(
        "operation_not_covered",
        Text(
            f"{agreement.cited.id} hanya mencakup operasi: {listed}.",
            f"{agreement.cited.en} covers only the operations: {listed}.",
        ),
        _other_request_or_amendment(agreement),
    )


def programme_not_covered(agreement: Agreement) -> Deny:
    """The agreement does not allow questions about this programme."""
    listed = ", ".join(agreement.programmes)
    return Deny(
        "programme_not_covered",
        Text(
            f"{agreement.cited.id} hanya mencakup program: {listed}.",
            f"{agreement.cited.en} covers only the programmes: {listed}.",
        ),
        _other_request_or_amendment(agreement),
    )


def too_many_subjects(agreement: Agreement) -> Deny:
    """The request is about more people at once than the agreement allows, or about nobody."""
    limit = agreement.subjects_per_request
    return Deny(
        "too_many_subjects",
        Text(
            f"{agreement.cited.id} mengizinkan 1 sampai {limit} orang per permintaan.",
            f"{agreement.cited.en} allows 1 to {limit} persons per request.",
        ),
        Text("Bagi menjadi beberapa permintaan.", "Send several smaller requests."),
    )


def no_common_region(agreement: Agreement) -> Deny:
    """The agreement's regions and the consumer's have nothing in common."""
    return Deny(
        "no_common_region",
        Text(
            f"{agreement.cited.id} tidak mencakup wilayah mana pun dari pendaftaran instansi Anda.",
            f"{agreement.cited.en} covers none of the regions that you are registered for.",
        ),
        Text(
            "Minta Pusdatin menyelaraskan wilayah pada pendaftaran dan pada perjanjian.",
            "Ask Pusdatin to bring the regions of your registration and of the agreement into line.",
        ),
    )


def no_field_permitted(agreement: Agreement) -> Deny:
    """Nothing of what was asked may leave."""
    released = ", ".join(name for name, made in agreement.fields.items() if made.name != "drop")
    return Deny(
        "no_field_permitted",
        Text(
            f"{agreement.cited.id} tidak mengizinkan elemen mana pun yang diminta, hanya: {released}.",
            f"{agreement.cited.en} permits none of the fields asked for, only: {released}.",
        ),
        _other_request_or_amendment(agreement),
    )


def _other_request_or_amendment(agreement: Agreement) -> Text:
    number = agreement.documents.get("pks", agreement.id)
    return Text(
        f"Sesuaikan permintaan, atau ajukan addendum atas {number} kepada Pusdatin.",
        f"Ask for what is covered, or ask Pusdatin for an amendment of {number}.",
    )


def finding_not_covered(agreement: Agreement) -> Deny:
    """Findings of another region, or a finding that does not exist: the two look the same."""
    return Deny(
        "finding_not_covered",
        Text(
            f"{agreement.cited.id} tidak mencakup temuan atau wilayah itu, atau temuan itu tidak ada.",
            f"{agreement.cited.en} does not cover that finding or region, or there is no such finding.",
        ),
        Text(
            "Ambil temuan wilayah Anda sendiri dari GET /v1/findings.",
            "Fetch the findings of your own region from GET /v1/findings.",
        ),
    )
