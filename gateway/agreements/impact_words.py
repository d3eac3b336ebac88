"""What a version would change for real questions, one sentence per effect, in both languages. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from policies.dictionary import Field, Text
from policies.impact import Effect, Kind

_RULE_SHOWN = 12

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
    "appears": Text("{what} akan keluar (`{after}`).", "{what} would leave (`{after}`)."),
    "vanishes": Text(
        "{what} tidak akan keluar lagi (kini `{before}`).", "{what} would leave no more (now `{before}`)."
    ),
    "changes": Text(
        "{what} akan keluar sebagai `{after}`, bukan `{before}`.",
        "{what} would leave as `{after}` instead of `{before}`.",
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
    before, after = effect.before or "-", effect.after or "-"
    if effect.kind == "rule":
        after = after[:_RULE_SHOWN]
    words = _WORDS[effect.kind]
    return Text(
        words.id.format(what=label.id, before=before, after=after),
        words.en.format(what=label.en, before=before, after=after),
    )
