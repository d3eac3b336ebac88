"""A programme's rule told to people: what each clause asks, which value of a parameter counts when. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from policies.conditions import ON_DATE, Clause, Operand, ProgrammeRule
from policies.dictionary import Field, Text

When = Literal["past", "present", "to_come"]


@dataclass(frozen=True, slots=True)
class Valued:
    """A parameter's value, its days (no last one where nothing follows), and how they lie to today."""

    since: date
    until: date | None
    value: str
    source: str
    when: When


def asked(clause: Clause, rule: ProgrammeRule, dictionary: Mapping[str, Field], today: date) -> Text:
    """What a clause asks, as a sentence with the value that counts today."""
    label = _THE_DAY if clause.field == ON_DATE else dictionary[clause.field].label
    operand = _told(clause, rule, today)
    told = Text(_glossed(operand), ", ".join(operand).replace("_", " "))
    made = _OPERATORS[clause.operator](told)
    return Text(f"{label.id} {made.id}", f"{label.en} {made.en}")


def values(rule: ProgrammeRule, parameter: str, today: date) -> Iterator[Valued]:
    """The values of a parameter, oldest first."""
    steps = rule.parameters[parameter]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        until = following.since - timedelta(days=1) if following is not None else None
        when: When = "present"
        if step.since > today:
            when = "to_come"
        elif until is not None and until < today:
            when = "past"
        yield Valued(step.since, until, ", ".join(_plain(step.value)), step.source, when)


def _told(clause: Clause, rule: ProgrammeRule, today: date) -> tuple[str, ...]:
    """What a clause compares with: its own value, or that of its parameter that counts today."""
    if clause.parameter is None:
        return () if clause.value is None else _plain(clause.value)
    steps = rule.parameters[clause.parameter]
    counts = [step for step in steps if step.since <= today]
    return _plain((counts[-1] if counts else steps[0]).value)


def _plain(value: Operand) -> tuple[str, ...]:
    return tuple(sorted(value)) if isinstance(value, tuple) else (str(value),)


def _glossed(words: tuple[str, ...]) -> str:
    return ", ".join(f"{_INDONESIAN[word]} ({word})" if word in _INDONESIAN else word for word in words)


_THE_DAY = Text("hari yang ditanyakan", "the day that is asked about")
# The dictionary's closed lists are English words; beside each stands what it means.
_INDONESIAN: Mapping[str, str] = {
    "active": "aktif",
    "inactive": "tidak aktif",
    "alive": "hidup",
    "deceased": "meninggal",
    "resident": "tinggal di tempat",
    "moved": "pindah",
    "matched": "padan",
    "unmatched": "tidak padan",
    "not_checked": "belum diperiksa",
    "duplicate": "ganda",
    "eligible": "layak",
    "not_eligible": "tidak layak",
    "unknown": "belum diketahui",
}
_OPERATORS: Mapping[str, Callable[[Text], Text]] = {
    "equals": lambda one: Text(f"adalah {one.id}", f"is {one.en}"),
    "one_of": lambda one: Text(f"salah satu dari: {one.id}", f"is one of: {one.en}"),
    "none_of": lambda one: Text(f"bukan salah satu dari: {one.id}", f"is none of: {one.en}"),
    "at_most": lambda one: Text(f"paling tinggi {one.id}", f"is at most {one.en}"),
    "at_least": lambda one: Text(f"paling rendah {one.id}", f"is at least {one.en}"),
    "includes_any": lambda one: Text(f"memuat salah satu dari: {one.id}", f"includes one of: {one.en}"),
    "includes_none": lambda one: Text(f"tidak memuat satu pun dari: {one.id}", f"includes none of: {one.en}"),
    "age_at_least": lambda one: Text(
        f"menunjukkan umur paling sedikit {one.id} tahun", f"gives an age of at least {one.en}"
    ),
    "age_at_most": lambda one: Text(
        f"menunjukkan umur paling banyak {one.id} tahun", f"gives an age of at most {one.en}"
    ),
}
