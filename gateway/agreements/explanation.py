"""Why a field of an exchange did not reach its consumer, told long after, from the log alone. Pure.

The log says what was asked, by which wording it was decided, and what left in which form; it holds no value.
The wording itself is read in the dictionary of its own day, so that the answer is that of then, whatever
counts now. What can no longer be told is said to be unknown; it MUST NOT be guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.answer import UNANSWERED
from gateway.audit.evidence import ALL_FIELDS
from policies import refusals
from policies.agreement import Agreement
from policies.dictionary import Field, Text
from policies.plan import Deny, compile_plan
from policies.refusals import SOURCE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Wording:
    """An agreement as it stood then, and the dictionary that it was read by."""

    agreement: Agreement
    dictionary: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Because:
    """One reason. `people` is for how many of the exchange it holds, None for all of them or untold.

    `code` is released, source_unavailable, not_asked_for, erased, a code of `policies.plan.Withheld` or of a
    refusal, or one with which the answer says nothing about somebody.
    """

    code: str
    people: int | None
    what: Text
    ask_for: Text | None = None


def because(entry: Mapping[str, Any] | None, field: str, wording: Wording | None) -> tuple[Because, ...]:
    """The reasons, the first of which weighs most. `entry` is the outcome's; None once it is erased.

    `wording` None means that the text of then cannot be read any more: what the log says is told without it.
    """
    if entry is None:
        return (Because("erased", None, _ERASED),)
    if entry["outcome"] == "refused":
        return (_refused(entry, wording),)
    return tuple(_answered(entry, field, wording))


def _answered(entry: Mapping[str, Any], field: str, wording: Wording | None) -> Iterator[Because]:
    form = entry.get("fields", {}).get(field)
    if form is None:
        yield _not_released(entry, field, wording)
        return
    counts: Mapping[str, int] = entry.get("counts", {})
    nobody = {code: count for code, count in counts.items() if code in UNANSWERED}
    answered = sum(counts.values()) - sum(nobody.values())
    if answered:
        if _read_for(field, wording) in entry.get("unavailable", ()):
            yield Because(SOURCE_UNAVAILABLE, None, _SOURCE_DOWN)
        yield Because("released", answered, _released(form))
    for code, count in sorted(nobody.items()):
        yield Because(code, count, UNANSWERED[code])


def _not_released(entry: Mapping[str, Any], field: str, wording: Wording | None) -> Because:
    asked = entry.get("asked", ALL_FIELDS)
    if asked != ALL_FIELDS and field not in asked and _known(field, wording):
        return Because("not_asked_for", None, _NOT_ASKED, _ASK)
    if wording is None:
        return Because("withheld", None, _WITHHELD)
    plan = compile_plan(wording.agreement, wording.dictionary, (field,), None, None)
    for withheld in plan.withheld:
        return Because(withheld.code, None, withheld.clause, withheld.ask_for)
    return Because("withheld", None, _WITHHELD)


def _refused(entry: Mapping[str, Any], wording: Wording | None) -> Because:
    code = entry["reason"]
    if code == SOURCE_UNAVAILABLE:
        return Because(code, None, _ALL_REFUSED, _AGAIN)
    said = _refusal_words(code, wording)
    if said is not None:
        return Because(code, None, said.detail, said.remedy)
    return Because(
        code,
        None,
        Text(
            f"Seluruh permintaan ditolak dengan alasan `{code}`.",
            f"The whole request was refused, for the reason `{code}`.",
        ),
    )


def _refusal_words(code: str, wording: Wording | None) -> Deny | None:
    """What the consumer was told, where it follows from the code and the agreement alone."""
    if code == "no_agreement":
        return refusals.no_agreement()
    if wording is None:
        return None
    told = (refuse(wording.agreement) for refuse in _OF_AGREEMENT)
    return next((deny for deny in told if deny.code == code), None)


_OF_AGREEMENT: tuple[Callable[[Agreement], Deny], ...] = (
    *refusals.OF_STANDING.values(),
    refusals.sector_mismatch,
    refusals.operation_not_covered,
    refusals.programme_not_covered,
    refusals.too_many_subjects,
    refusals.no_common_region,
    refusals.no_field_permitted,
)


def _read_for(field: str, wording: Wording | None) -> str:
    """The field that was fetched for this one, such as the region for an address."""
    made = wording.agreement.fields.get(field) if wording is not None else None
    return made.reads if made is not None else field


def _known(field: str, wording: Wording | None) -> bool:
    return wording is None or field in wording.dictionary


def _released(form: str) -> Text:
    return Text(
        f"Elemen ini diberikan, sebagai `{form}`. Bila pada seseorang tidak ada, sumbernya tidak memiliki "
        "nilainya; log tidak mencatat nilai.",
        f"This field was released, as `{form}`. Where somebody lacks it, its source has no value; the log "
        "records no values.",
    )


_ERASED = Text(
    "Isi catatan ini telah dihapus atas perintah; hash-nya tetap ada dalam log.",
    "The content of this entry was erased under an order; its hash stays in the log.",
)
_SOURCE_DOWN = Text(
    "Sumber elemen ini tidak menjawab saat itu; bagi yang terkena, jawabannya `unknown`.",
    "The source of this field gave no answer then; for those concerned the answer said `unknown`.",
)
_ALL_REFUSED = Text(
    "Suatu sumber tidak menjawab, dan perjanjian ini menolak seluruh permintaan dalam hal itu.",
    "A source gave no answer, and the agreement then refuses the whole request.",
)
_AGAIN = Text("Ulangi permintaan.", "Send the request again.")
_NOT_ASKED = Text(
    "Permintaan menyebut elemen yang diinginkan, dan ini tidak termasuk.",
    "The request named the fields it wanted, and this was none of them.",
)
_ASK = Text(
    "Sebutkan elemen ini dalam `fields`, atau hilangkan `fields`.",
    "Name this field in `fields`, or leave `fields` out.",
)
_WITHHELD = Text(
    "Elemen ini tidak keluar; teks perjanjian saat itu tidak dapat dibaca lagi.",
    "This field did not leave; the agreement's text of then cannot be read any more.",
)
