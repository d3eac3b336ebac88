"""What a version would change for real questions, one sentence per effect, in both languages. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from policies.dictionary import Ceiling, Field, Text
from policies.errors import PolicyError
from policies.impact import Effect, Kind
from policies.transforms import compile_transformation
from policies.wording import form_of

_RULE_SHOWN = 12
# How a transformation is spelt, such as `mask (show_first: 1)`.
_SPELT = re.compile(r"(?P<name>[a-z]+)(?: \((?P<told>.*)\))?")

_WORDS: Mapping[Kind, Text] = {
    "refused": Text(
        "Pertanyaan untuk tujuan `{what}` akan ditolak: `{after}`.",
        "Questions for the purpose `{what}` would be refused: `{after}`.",
    ),
    "allowed": Text(
        "Pertanyaan untuk tujuan `{what}` akan dijawab; kini ditolak: `{before}`.",
        "Questions for the purpose `{what}` would be answered; now they are refused: `{before}`.",
    ),
    "refused_otherwise": Text(
        "Pertanyaan untuk tujuan `{what}` akan ditolak karena `{after}`, bukan `{before}`.",
        "Questions for the purpose `{what}` would be refused for `{after}` instead of `{before}`.",
    ),
    "appears": Text("{what} akan keluar ({after}).", "{what} would leave ({after})."),
    "vanishes": Text(
        "{what} tidak akan keluar lagi (kini {before}).", "{what} would leave no more (now {before})."
    ),
    "changes": Text(
        "{what} akan keluar dalam bentuk lain: {after}; kini {before}.",
        "{what} would leave otherwise: {after}; now {before}.",
    ),
    "reasons": Text(
        "Hasil tiap klausul program: {after}; kini: {before}.",
        "What each clause of the programme said: {after}; now: {before}.",
    ),
    "pseudonym": Text(
        "Pseudonim orang akan dari sektor {after}, bukan {before}.",
        "People's pseudonyms would be of the sector {after} instead of {before}.",
    ),
    "rule": Text(
        "Kelayakan {what} akan diputuskan dengan aturan lain ({after}).",
        "Eligibility for {what} would be decided by another rule ({after}).",
    ),
    "people": Text(
        "Orang yang dicakup: {after}; kini: {before}.", "The people covered: {after}; now: {before}."
    ),
}


def told(effect: Effect, dictionary: Mapping[str, Field]) -> Text:
    """The sentence that says what would be otherwise; `dictionary` names the fields."""
    field = dictionary.get(effect.what)
    label = field.label if field is not None else Text(effect.what, effect.what)
    before, after = (_told(field, one or "-") for one in (effect.before, effect.after))
    if effect.kind == "rule":
        after = Text(after.id[:_RULE_SHOWN], after.en[:_RULE_SHOWN])
    words = _WORDS[effect.kind]
    return Text(
        words.id.format(what=label.id, before=before.id, after=after.id),
        words.en.format(what=label.en, before=before.en, after=after.en),
    )


def _told(field: Field | None, said: str) -> Text:
    """A form in which a field leaves, in words; anything else as it stands."""
    spelt = _SPELT.fullmatch(said)
    if field is None or spelt is None:
        return Text(said, said)
    parameters = {key: _parameter(key, one) for key, _, one in _pairs(spelt["told"] or "")}
    spec: object = {spelt["name"]: parameters.get("ranges", parameters)} if parameters else spelt["name"]
    if parameters.keys() == {"to"}:
        spec = {spelt["name"]: parameters["to"]}
    try:
        return form_of(compile_transformation(replace(field, ceiling=Ceiling.FULL), spec))
    except PolicyError:
        return Text(said, said)


def _pairs(told_: str) -> list[tuple[str, str, str]]:
    return [one.partition(": ") for one in told_.split("; ") if one]


def _parameter(key: str, said: str) -> object:
    if key == "ranges":
        return said.split(", ")
    return int(said) if said.isascii() and said.isdecimal() else said
