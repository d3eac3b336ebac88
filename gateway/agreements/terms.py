"""An agreement's terms beside its fields, as a form shows them, and what a filled-in form writes. Pure.

Reading forgives: a draft that does not load yet is shown as far as it says anything. Judging what was typed
is for the reader of agreements, which knows every line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.agreements.facts import as_written
from gateway.agreements.rewriting import REMOVED, Place
from policies.agreement import DOCUMENT_KINDS, ELIGIBILITY
from policies.dictionary import Text

EVERYWHERE, ANYONE, NONE = "everywhere", "anyone", "none"
LIMITS = ("requests_per_minute", "subjects_per_day", "new_people_per_day")
_PLAIN = (
    *("consumer", "purpose", "legal_basis", "valid_from", "valid_until", "operations"),
    *("subjects_per_request", "pseudonym_sector", "reasons", "on_source_failure"),
)


@dataclass(frozen=True, slots=True)
class Terms:
    """As written, every scalar a text; None or empty where the text says nothing, or not in a usual form.

    `readable` is whether the text is a YAML mapping at all: what one says that is none nobody knows.
    """

    readable: bool = False
    title: Mapping[str, str] = field(default_factory=dict)
    consumer: str | None = None
    purpose: str | None = None
    legal_basis: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    valid_from: str | None = None
    valid_until: str | None = None
    operations: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    everywhere: bool = False
    regions: tuple[str, ...] = ()
    anyone: bool = False
    enrolled_in: tuple[str, ...] = ()
    subjects_per_request: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    pseudonym_sector: str | None = None
    reasons: str | None = None
    on_source_failure: str | None = None
    last_known_max_age_days: str | None = None
    disclosure_delay: Mapping[str, str] = field(default_factory=dict)
    translation: Mapping[str, str] = field(default_factory=dict)


def terms_of(text: bytes) -> Terms:
    """What a text says beside its fields."""
    written = as_written(text)
    said = written or {}
    scope = said.get("scope")
    scope = scope if isinstance(scope, Mapping) else {}
    return Terms(
        readable=written is not None,
        title=_texts_by_name(said.get("title")),
        consumer=_text(said.get("consumer")),
        purpose=_text(said.get("purpose")),
        legal_basis=_texts(said.get("legal_basis")),
        documents=_texts_by_name(said.get("documents")),
        valid_from=_text(said.get("valid_from")),
        valid_until=_text(said.get("valid_until")),
        operations=_texts(said.get("operations")),
        programmes=_texts(said.get("programmes")),
        everywhere=scope.get("regions") == EVERYWHERE,
        regions=_texts(scope.get("regions")),
        anyone=scope.get("enrolled_in") == ANYONE,
        enrolled_in=_texts(scope.get("enrolled_in")),
        subjects_per_request=_text(said.get("subjects_per_request")),
        limits=_texts_by_name(said.get("limits")),
        pseudonym_sector=_text(said.get("pseudonym_sector")),
        reasons=_text(said.get("reasons")),
        on_source_failure=_text(said.get("on_source_failure")),
        last_known_max_age_days=_text(said.get("last_known_max_age_days")),
        disclosure_delay=_texts_by_name(said.get("disclosure_delay")),
        translation=_texts_by_name(said.get("translation")),
    )


def warnings(terms: Terms, registered: Collection[str]) -> Iterator[tuple[str, Text]]:
    """What of the terms cannot be meant so, by the name of the field; a draft keeps it all the same.

    `registered` are the consumers' ids.
    """
    first, last = terms.valid_from, terms.valid_until
    if not first:
        yield "valid_from", _NO_FIRST_DAY
    if not last:
        yield "valid_until", _NO_LAST_DAY
    if first and last and last < first:
        yield "valid_until", _ENDS_FIRST
    if not terms.everywhere and not terms.regions:
        yield "regions", _NO_REGION
    if not terms.anyone and not terms.enrolled_in:
        yield "enrolled_in", _NO_PROGRAMME
    if terms.consumer and terms.consumer not in registered:
        yield "consumer", _NOT_REGISTERED
    if not terms.operations:
        yield "operations", _NO_OPERATION
    if ELIGIBILITY in terms.operations and not terms.programmes:
        yield "programmes", _NOT_ABOUT
    if not terms.legal_basis:
        yield "legal_basis", _NO_BASIS


_NO_FIRST_DAY = Text("Belum ada hari pertama: isi tanggalnya.", "No first day yet: fill in the date.")
_NO_LAST_DAY = Text("Belum ada hari terakhir: isi tanggalnya.", "No last day yet: fill in the date.")
_NOT_ABOUT = Text(
    "Kelayakan boleh ditanyakan, tetapi belum ada programnya: pilih paling sedikit satu.",
    "Eligibility may be asked about, and for no programme yet: choose at least one.",
)
_ENDS_FIRST = Text(
    "Hari terakhir mendahului hari pertama: pilih hari yang sama atau sesudahnya.",
    "The last day is before the first: choose the same day or a later one.",
)
_NO_REGION = Text(
    "Belum ada wilayah: cari dan pilih paling sedikit satu, atau pilih seluruh Indonesia.",
    "No region is chosen: look for at least one and choose it, or choose the whole country.",
)
_NO_PROGRAMME = Text(
    "Belum ada program: pilih paling sedikit satu, atau pilih siapa pun.",
    "No programme is chosen: choose at least one, or choose anyone.",
)
_NOT_REGISTERED = Text(
    "Konsumen ini belum terdaftar: selama itu perjanjiannya tidak menjawab siapa pun.",
    "This consumer is not registered: until it is, the agreement answers nobody.",
)
_NO_OPERATION = Text(
    "Konsumen belum boleh apa pun: pilih paling sedikit satu.",
    "The consumer may do nothing yet: choose at least one.",
)
_NO_BASIS = Text(
    "Belum ada dasar hukum: tulis paling sedikit satu.", "No legal basis yet: write at least one."
)


def edits(given: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    """What a filled-in form writes into the text; what was not `given`, or is None, stays as it stands."""
    given = {name: value for name, value in given.items() if value is not None}
    yield from (((name,), given[name]) for name in _PLAIN if name in given)
    for language, words in given.get("title", {}).items():
        yield ("title", language), words
    for kind in DOCUMENT_KINDS:
        if kind in given.get("documents", {}):
            number = given["documents"][kind].strip()
            yield ("documents", kind), number or REMOVED
    if "programmes" in given:
        yield ("programmes",), given["programmes"] or REMOVED
    for name in ("regions", "enrolled_in"):
        if name in given:
            yield ("scope", name), given[name]
    for name in LIMITS:
        if name in given.get("limits", {}):
            yield ("limits", name), given["limits"][name]
    if "last_known_max_age_days" in given:
        age = given["last_known_max_age_days"]
        yield ("last_known_max_age_days",), REMOVED if age == NONE else age


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) and said else None


def _texts(said: Any) -> tuple[str, ...]:
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()


def _texts_by_name(said: Any) -> Mapping[str, str]:
    if not isinstance(said, Mapping):
        return {}
    return {str(name): one for name, one in said.items() if isinstance(one, str)}
