"""How an access history reads, in Indonesian and in English, for people who never heard of an API.

A sentence names offices, purposes and fields. It MUST NOT name a person or repeat a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.civil_day import wib
from gateway.rights.history import Access
from policies.dictionary import Field, Text

OUTCOMES: Mapping[str, Text] = {
    "eligible": Text("dijawab layak", "answered: eligible"),
    "ineligible": Text("dijawab tidak layak", "answered: not eligible"),
    "unknown": Text("dijawab belum dapat ditentukan", "answered: cannot be told"),
    "released": Text("data diberikan", "data were given"),
    "history": Text("riwayat akses diperlihatkan", "the access history was shown"),
    "not_found": Text(
        "tidak ada data yang diberikan: di luar cakupan perjanjian",
        "no data were given: outside what the agreement covers",
    ),
    "invalid_identifier": Text("tidak ada data yang diberikan", "no data were given"),
    "duplicate_identity": Text(
        "tidak ada data yang diberikan: NIK tercatat pada lebih dari satu orang",
        "no data were given: more than one person is recorded under the NIK",
    ),
    "source_unavailable": Text(
        "tidak dijawab: sumber data tidak tersedia", "not answered: a source was not available"
    ),
    "unusable_name": Text("tidak ada data yang diberikan", "no data were given"),
    "renewed": Text("pseudonim diperbarui", "the pseudonym was renewed"),
    "translated": Text("pseudonim disegel untuk sektor lain", "the pseudonym was sealed for another sector"),
    "opened": Text("pseudonim sektor sendiri diberikan", "a pseudonym of its own sector was given"),
    "unfinished": Text(
        "sumber luar ditanya, tetapi jawaban tidak pernah dikirim",
        "outside sources were asked, but no answer ever left",
    ),
    "act": Text("dilakukan oleh petugas", "done by staff"),
}
OPERATIONS: Mapping[str, Text] = {
    "eligibility": Text("menanyakan kelayakan", "asked about eligibility"),
    "records": Text("meminta data", "asked for data"),
    "access_history": Text("menampilkan riwayat akses", "showed the access history"),
    "rekey_pseudonyms": Text("memperbarui pseudonim", "renewed its pseudonym"),
    "translate_pseudonyms": Text(
        "meminta pseudonim untuk sektor lain", "asked for a pseudonym for another sector"
    ),
    "open_translations": Text("membuka pseudonim dari sektor lain", "opened a pseudonym from another sector"),
    "reversal.performed": Text(
        "membuka pseudonim atas dasar hukum yang disebut",
        "led a pseudonym back to the person, as the law allows",
    ),
    "feedback.begun": Text(
        "menyampaikan data balikan kepada Dukcapil", "returned data to Dukcapil, as its users must"
    ),
    "findings": Text("meminta temuan rekonsiliasi daerahnya", "asked for its region's findings"),
    "reconciliation.asked": Text(
        "mencocokkan data dengan Dukcapil", "compared the record with the population register"
    ),
    "likely_person.accepted": Text(
        "menetapkan NIK menurut data kependudukan", "settled the NIK by the population register"
    ),
    "likely_person.refused": Text(
        "menolak NIK yang diusulkan untuk orang ini", "refused a NIK that was proposed for the person"
    ),
    "rights.history_read": Text("membaca riwayat akses", "read the access history"),
    "rights.exported": Text("membuat salinan data pribadi", "made a copy of the personal data"),
}
_WHAT_IS_NAMED = Text(
    "Gapura tidak menyimpan isi jawaban. Yang disebut adalah elemen yang paling banyak diberikan, dan dalam "
    "bentuk apa: elemen yang sumbernya tidak menjawab tidak diberikan.",
    "Gapura does not keep what answers said. Named are the fields that were given at most, and in which "
    "form: what a source did not answer was not given.",
)
# A refusal's entry holds no hash of anybody, so the log cannot tell whom a refused question was about.
_LEFT_OUT = Text(
    "Tidak dimuat: pertanyaan yang ditolak sebelum data siapa pun dilihat, yang telah dihapus berdasarkan "
    "perintah yang sah, dan yang menurut hukum belum boleh diberitahukan.",
    "Left out are questions that were refused before anybody was looked up, what was erased under a legal "
    "order, and what by law may not be told yet.",
)
HEAD = Text(
    "Daftar ini memuat setiap pertukaran data tercatat yang di dalamnya registri ditanya tentang Anda. "
    f"{_LEFT_OUT.id} {_WHAT_IS_NAMED.id}",
    "This list holds every recorded exchange in which the registry was asked about you. "
    f"{_LEFT_OUT.en} {_WHAT_IS_NAMED.en}",
)
# For whoever reads about somebody else.
HEAD_FOR_STAFF = Text(
    "Daftar ini memuat setiap pertukaran data tercatat yang di dalamnya registri ditanya tentang orang ini. "
    f"{_LEFT_OUT.id} {_WHAT_IS_NAMED.id}",
    "This list holds every recorded exchange in which the registry was asked about this person. "
    f"{_LEFT_OUT.en} {_WHAT_IS_NAMED.en}",
)
NOBODY = Text(
    f"Tidak ada pertukaran data yang dapat diperlihatkan. {_LEFT_OUT.id}",
    f"There is no exchange of data to show. {_LEFT_OUT.en}",
)
_OTHER = Text("tindakan lain", "another act")
_MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli"),
    *("Agustus", "September", "Oktober", "November", "Desember"),
)


def outcome_words(word: str) -> Text:
    """What an outcome is called; a code that is none of these is a refusal."""
    return OUTCOMES.get(word, Text("ditolak oleh perjanjian", "refused by the agreement"))


def operation_words(name: str) -> Text:
    """What somebody did, by the name of an operation or act."""
    return OPERATIONS.get(name, _OTHER)


def sentence(access: Access, dictionary: Mapping[str, Field]) -> Text:
    """The access in one sentence, such as a letter would tell it."""
    did, ended = operation_words(access.operation), outcome_words(access.outcome)
    labels = [in_form(field_label(name, dictionary), form) for name, form in access.fields.items()]
    about = Text(f" tentang {access.programme}", f" on {access.programme}") if access.programme else _NOTHING
    told = Text("", "")
    if labels:
        told = Text(
            f" Paling banyak: {', '.join(label.id for label in labels)}.",
            f" At most: {', '.join(label.en for label in labels)}.",
        )
    return Text(
        f"{moment(access.at)}: {access.name} {did.id}{about.id}; {ended.id}.{told.id}",
        f"{wib(access.at):%Y-%m-%d %H:%M} WIB: {access.name} {did.en}{about.en}; {ended.en}.{told.en}",
    )


_NOTHING = Text("", "")


def in_form(label: Text, form: str) -> Text:
    """What left of a field, by its label and the form as an agreement spells it.

    A comparison's result is not the element, nor is a year the day.
    """
    said = _FORMS.get(form.split(" ", 1)[0])
    return label if said is None else Text(said.id.format(label.id), said.en.format(label.en))


_FORMS = {
    "verdict": Text("hasil pencocokan {}", "whether it matches: {}"),
    "pseudonym": Text("pseudonim dari {}", "a pseudonym of {}"),
    "mask": Text("{} yang disamarkan", "{}, masked"),
    "generalise": Text("{} secara umum", "{}, generalised"),
    "bucket": Text("{} sebagai rentang", "{}, as a range"),
}


def field_label(name: str, dictionary: Mapping[str, Field]) -> Text:
    """What people call a field; its name where the dictionary no longer has it."""
    field = dictionary.get(name)
    return field.label if field is not None else Text(name, name)


def moment(at: datetime) -> str:
    """A moment as Indonesians write it, in their western time: 21 November 2026 pukul 10.00 WIB."""
    local = wib(at)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year} pukul {local:%H.%M} WIB"
