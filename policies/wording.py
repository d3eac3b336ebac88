"""How a change is told to people who are not programmers, in Indonesian and in English.

One sentence per change, about the consumer by its name: what it gains, what it loses, in which form. The
sentences name fields, programmes, regions and numbers of agreements, and MUST NOT name a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from policies.dictionary import Field, Text
from policies.transforms import Transformation

NOTHING = Text("tidak ada", "none")
EVERYWHERE = Text("seluruh Indonesia", "the whole country")
ANYONE = Text("siapa pun", "anyone")
OTHERS = Text("orang lain", "other people")
ALL_BASES = Text("semua dasar hukum perjanjian", "all legal bases of the agreement")

# What a clause with one value is called.
CLAUSES: Mapping[str, Text] = {
    "consumer": Text("penerima", "the consumer"),
    "purpose": Text("tujuan", "the purpose"),
    "title": Text("judul", "the title"),
    "legal_basis": Text("dasar hukum", "the legal basis"),
    "valid_from": Text("hari pertama", "the first day"),
    "valid_until": Text("hari terakhir", "the last day"),
    "pseudonym_sector": Text("sektor pseudonim", "the sector of pseudonyms"),
    "on_source_failure": Text("jawaban bila sumber tidak menjawab", "the answer while a source is down"),
    "last_known_max_age_days": Text(
        "umur dalam hari sampai mana jawaban terakhir boleh mewakili sumber",
        "the age in days up to which an earlier answer may stand in for a source",
    ),
    "disclosure_delay.days": Text(
        "penundaan sebelum orangnya dapat mengetahui, dalam hari",
        "the delay before the person can know of it, in days",
    ),
    "disclosure_delay.legal_basis": Text(
        "dasar hukum penundaan pemberitahuan", "the legal basis of the delayed disclosure"
    ),
    "subjects_per_request": Text("jumlah orang per permintaan", "the number of persons per request"),
    "limits.requests_per_minute": Text("jumlah permintaan per menit", "the number of requests per minute"),
    "limits.subjects_per_day": Text("jumlah orang per hari", "the number of persons per day"),
    "limits.new_people_per_day": Text("jumlah orang baru per hari", "the number of new people per day"),
}
OPERATIONS: Mapping[str, Text] = {
    "eligibility": Text("pertanyaan kelayakan", "questions of eligibility"),
    "records": Text("data orang", "records of people"),
    "access_history": Text(
        "riwayat akses atas permintaan orangnya", "access histories for the person's own sake"
    ),
    "findings": Text(
        "temuan rekonsiliasi di wilayahnya", "what reconciliation found of the people of its region"
    ),
}
REASONS = Text("jawaban tiap klausul program", "what each clause of a programme said")
_LEVELS: Mapping[str, Text] = {
    "province": Text("provinsinya saja", "only its province"),
    "regency": Text("kabupaten/kotanya saja", "only its regency or city"),
    "district": Text("kecamatannya saja", "only its district"),
    "village": Text("desa/kelurahannya saja", "only its village"),
}


def gains(consumer: str, what: Text) -> Text:
    """The consumer gets something that it did not get."""
    return Text(f"{consumer} memperoleh {what.id}.", f"{consumer} gains {what.en}.")


def loses(consumer: str, what: Text) -> Text:
    """The consumer no longer gets something."""
    return Text(f"{consumer} kehilangan {what.id}.", f"{consumer} loses {what.en}.")


def kept_only(lost: Text, left: Text) -> Text:
    """Something that is lost but for a part of it, or but for a form that says less."""
    return Text(f"{lost.id} (tinggal {left.id})", f"{lost.en} (kept {left.en})")


def field_in_form(field: Field, made: Transformation, before: Transformation | None = None) -> Text:
    """A field with the form in which it leaves, and the one in which it left before."""
    form = form_of(made)
    if before is None:
        return Text(f"{field.label.id} ({form.id})", f"{field.label.en} ({form.en})")
    was = form_of(before)
    return Text(
        f"{field.label.id} ({form.id}; sebelumnya {was.id})", f"{field.label.en} ({form.en}; before {was.en})"
    )


def worked_out(consumer: str, field: Field, made: Transformation) -> Text:
    """The consumer gets a field that tells it no more than it gets by another."""
    form = form_of(made)
    return Text(
        f"{consumer} menerima {field.label.id} ({form.id}), yang sudah diketahuinya dari elemen lain.",
        f"{consumer} receives {field.label.en} ({form.en}), which another field tells it already.",
    )


def still_withheld(consumer: str, label: Text, *, named: bool) -> Text:
    """A field does not leave as before; only whether the agreement says so has changed."""
    return Text(
        f"{consumer} tetap tidak menerima {label.id}; perjanjian "
        + ("kini menyebutkannya." if named else "tidak lagi menyebutkannya."),
        f"{consumer} still does not receive {label.en}; the agreement "
        + ("now says so." if named else "no longer says so."),
    )


def becomes(subject: str, clause: Text, new: Text, old: Text) -> Text:
    """A clause with one value has another."""
    return Text(
        f"{subject}: {clause.id} menjadi {new.id} (sebelumnya {old.id}).",
        f"{subject}: {clause.en} becomes {new.en} (was {old.en}).",
    )


def basis_of(label: Text) -> Text:
    """The legal basis on which one field is released."""
    return Text(f"dasar hukum {label.id}", f"the legal basis of {label.en}")


def plain(value: object) -> Text:
    """A value that reads the same in both languages."""
    return NOTHING if value is None else Text(str(value), str(value))


def translations(to_sector: str, purpose: str) -> Text:
    """That people can be named to another sector, which sees its own names for them."""
    return Text(
        f"penerjemahan pseudonim bagi sektor {to_sector}, untuk tujuan {purpose}",
        f"the translation of pseudonyms for the sector {to_sector}, for the purpose {purpose}",
    )


def regions(codes: list[str]) -> Text:
    """Regions by their codes; names belong to the gateway."""
    listed = ", ".join(codes)
    return Text(f"wilayah {listed}", f"region{'s' if len(codes) > 1 else ''} {listed}")


def members(programmes: list[str]) -> Text:
    """The people enrolled in any of these programmes."""
    return Text(f"peserta {' atau '.join(programmes)}", f"members of {' or '.join(programmes)}")


def form_of(made: Transformation) -> Text:
    """In which form a field leaves, as an adverbial: "only as year"."""
    return _FORMS[made.name](made, made.parameters)


def _mask(made: Transformation, parameters: Mapping[str, Any]) -> Text:
    shown = parameters["show_first"]
    if not shown:
        return Text("hanya bahwa ada isinya", "only as being there")
    one = Text("angka", "digit") if made.of_type == "identifier" else Text("huruf", "character")
    several = f"{shown} {one.en}s" if shown > 1 else one.en
    return Text(f"{shown} {one.id} pertama saja", f"only its first {several}")


def _generalised(made: Transformation, parameters: Mapping[str, Any]) -> Text:
    del made
    to = parameters["to"]
    if to == "age_band":
        return Text(
            f"kelompok umur {parameters['years']} tahun saja",
            f"only as an age band of {parameters['years']} years",
        )
    if to in _LEVELS:
        return Text(_LEVELS[to].id, f"as {_LEVELS[to].en}")
    return (
        Text("tahun saja", "only as year")
        if to == "year"
        else Text("tahun dan bulan saja", "only as year and month")
    )


def _fixed(text: Text) -> Callable[[Transformation, Mapping[str, Any]], Text]:
    return lambda _made, _parameters: text


_FORMS: Mapping[str, Callable[[Transformation, Mapping[str, Any]], Text]] = {
    "keep": _fixed(Text("seutuhnya", "in full")),
    "drop": _fixed(Text("tidak keluar", "withheld")),
    "verdict": _fixed(Text("hasil pencocokan saja", "only as match or no match")),
    "pseudonym": _fixed(Text("pseudonim saja", "only as a pseudonym")),
    "mask": _mask,
    "generalise": _generalised,
    "bucket": lambda _made, parameters: Text(
        f"rentang {', '.join(parameters['ranges'])} saja",
        f"only as a range: {', '.join(parameters['ranges'])}",
    ),
}
