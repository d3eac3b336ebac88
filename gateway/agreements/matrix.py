"""The field matrix: every field of the dictionary by how an agreement releases it, and how it could. Pure.

What a field's type and ceiling allow is asked of the transformations themselves, so that a page offers what
the reader of agreements accepts, and nothing else. Writing goes into the agreement's text; nothing here
decides what leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from gateway.agreements.facts import as_written
from gateway.agreements.rewriting import REMOVED, Place
from policies import wording
from policies.dictionary import Ceiling, Field, Text
from policies.errors import PolicyError
from policies.regions import LEVELS
from policies.transforms import Transformation, compile_transformation, exceeds_ceiling

Release = Literal["none", "verdict", "pseudonym", "generalise", "mask", "full"]
RELEASES: tuple[Release, ...] = get_args(Release)
_RELEASE_OF: Mapping[str, Release] = {
    "drop": "none",
    "verdict": "verdict",
    "pseudonym": "pseudonym",
    "generalise": "generalise",
    "bucket": "generalise",
    "mask": "mask",
    "keep": "full",
}
_GROUP = re.compile(r"# -{2,} (\S.*?) -{2,}")
_FIELD = re.compile(r"([a-z][a-z0-9_]*):")
_RANGES = ("1-2", "3-4", "5+")
_USUAL_YEARS = 10
_MOST_SHOWN = 6
_NUMBERS = ("show_first", "years")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One way to release a field, with what it needs: `to` and `years`, `show_first`, or `ranges`."""

    release: Release
    to: str | None = None
    years: int | None = None
    show_first: int | None = None
    ranges: tuple[str, ...] | None = None
    words: Text | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One way that a field could be released; `why_not` where it may not, `above` if that is its ceiling.

    `to` are the levels or classes among which one is chosen, `most_shown` the bound of `show_first`.
    """

    release: Release
    why_not: Text | None
    above: bool = False
    to: tuple[str, ...] = ()
    most_shown: int | None = None
    takes_ranges: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One field. `chosen` is None where what is written cannot be read: `problem` says why.

    `unnamed_in_force` is whether something is in force, and does not name the field.
    """

    field: Field
    group: str
    named: bool
    chosen: Chosen | None
    problem: str | None
    active: Chosen | None
    unnamed_in_force: bool
    options: tuple[Option, ...]
    basis: str | None


def matrix(
    dictionary: Mapping[str, Field],
    dictionary_text: bytes,
    text: bytes,
    active: Mapping[str, Transformation] | None,
) -> tuple[Row, ...]:
    """A row for each field, in the dictionary's order; `active` is what is in force, None if nothing is."""
    said = as_written(text) or {}
    written, bases = (_mapping(said.get(name)) for name in ("fields", "field_basis"))
    groups = groups_of(dictionary_text)
    return tuple(
        _row(field, groups.get(name, ""), written, active, bases.get(name), dictionary)
        for name, field in dictionary.items()
    )


def groups_of(dictionary_text: bytes) -> Mapping[str, str]:
    """Under which heading the dictionary's text has each field: a comment such as `# --- Place ---`."""
    found: dict[str, str] = {}
    group = ""
    for line in dictionary_text.decode(errors="replace").splitlines():
        if heading := _GROUP.fullmatch(line.rstrip()):
            group = heading[1]
        elif field := _FIELD.match(line):
            found[field[1]] = group
    return found


def spec_of(chosen: Chosen, field_type: str) -> Any:
    """How an agreement spells a choice, such as `keep` or `{generalise: year}`. Nothing is judged."""
    match chosen.release:
        case "mask":
            return {"mask": {"show_first": chosen.show_first or 0}}
        case "generalise" if field_type == "number":
            return {"bucket": list(chosen.ranges or ())}
        case "generalise" if chosen.to == "age_band":
            return {"generalise": {"to": "age_band", "years": chosen.years or _USUAL_YEARS}}
        case "generalise":
            return {"generalise": chosen.to or ""}
        case plain:
            return {"none": "drop", "full": "keep"}.get(plain, plain)


def edits(
    rows: Sequence[Row], choices: Mapping[str, Chosen], bases: Mapping[str, str | None]
) -> Iterator[tuple[Place, Any]]:
    """What choices write into the text: only what differs, and a field that was never named stays unnamed."""
    made = {
        row.field.name: _written(row, choice)
        for row in rows
        if (choice := choices.get(row.field.name)) is not None and not _same(row, choice)
    }
    if made and not any(made.get(row.field.name, row.named or REMOVED) is not REMOVED for row in rows):
        yield ("fields",), "none"
    else:
        yield from ((("fields", name), spec) for name, spec in made.items())
    kept = {row.field.name: row.basis for row in rows if row.basis is not None}
    wanted = {name: basis for name, basis in {**kept, **bases}.items() if basis}
    if wanted == kept:
        return
    if not wanted:
        yield ("field_basis",), REMOVED
    for name in bases if wanted else ():
        yield ("field_basis", name), wanted.get(name, REMOVED)


def _written(row: Row, choice: Chosen) -> Any:
    """How a choice is written; back to nothing where what is in force does not name the field."""
    if choice.release == "none" and row.named and row.unnamed_in_force:
        return REMOVED
    return spec_of(choice, row.field.type)


def _same(row: Row, choice: Chosen) -> bool:
    if choice.release == "none" and not row.named:
        return True
    spec = spec_of(choice, row.field.type)
    return row.chosen is not None and spec == spec_of(row.chosen, row.field.type)


def _row(
    field: Field,
    group: str,
    written: Mapping[str, Any],
    in_force: Mapping[str, Transformation] | None,
    basis: Any,
    dictionary: Mapping[str, Field],
) -> Row:
    named, problem = field.name in written, None
    active = in_force.get(field.name) if in_force is not None else None
    chosen: Chosen | None = Chosen("none")
    if named:
        try:
            chosen = chosen_of(compile_transformation(field, _typed(written[field.name])))
        except PolicyError as error:
            chosen, problem = None, error.problems[0]
    return Row(
        field=field,
        group=group,
        named=named,
        chosen=chosen,
        problem=problem,
        active=chosen_of(active) if active is not None else None,
        unnamed_in_force=in_force is not None and active is None,
        options=tuple(_option(field, release, dictionary) for release in RELEASES),
        basis=basis if isinstance(basis, str) else None,
    )


def chosen_of(made: Transformation) -> Chosen:
    """A compiled transformation as a choice of the matrix."""
    told = made.parameters
    ranges = told.get("ranges")
    return Chosen(
        release=_RELEASE_OF[made.name],
        to=told.get("to"),
        years=told.get("years"),
        show_first=told.get("show_first"),
        ranges=tuple(ranges) if ranges is not None else None,
        words=wording.form_of(made),
    )


def _option(field: Field, release: Release, dictionary: Mapping[str, Field]) -> Option:
    suits = [(one, _suits(field, one, dictionary)) for one in _candidates(field, release)]
    possible = [one for one, answer in suits if answer == "yes"]
    if not possible:
        above = any(answer == "above" for _, answer in suits)
        return Option(release, _CEILINGS[field.ceiling] if above else _UNSUITED[release], above)
    shown = [one.show_first for one in possible if one.show_first is not None]
    return Option(
        release,
        None,
        to=tuple(one.to for one in possible if one.to is not None),
        most_shown=max(shown) if shown else None,
        takes_ranges=any(one.ranges is not None for one in possible),
    )


def _candidates(field: Field, release: Release) -> Iterator[Chosen]:
    """Every form of a release, for the transformations to judge."""
    if release == "generalise" and field.type == "number":
        yield Chosen("generalise", ranges=_RANGES)
    elif release == "generalise":
        yield from (Chosen("generalise", to=to) for to in ("year", "year_month", "age_band", *LEVELS))
    elif release == "mask":
        yield from (Chosen("mask", show_first=shown) for shown in range(_MOST_SHOWN + 1))
    else:
        yield Chosen(release)


def _suits(field: Field, choice: Chosen, dictionary: Mapping[str, Field]) -> Literal["yes", "above", "no"]:
    """Whether a form suits the type of a field, and then whether its ceiling has room for it."""
    try:
        made = compile_transformation(replace(field, ceiling=Ceiling.FULL), spec_of(choice, field.type))
    except PolicyError:
        return "no"
    return "above" if exceeds_ceiling(made, dictionary, field.name) else "yes"


def _typed(spec: Any) -> Any:
    """A transformation as written, with its numbers as numbers."""
    if not isinstance(spec, Mapping):
        return spec
    return {
        key: int(one)
        if key in _NUMBERS and isinstance(one, str) and one.isascii() and one.isdecimal()
        else _typed(one)
        for key, one in spec.items()
    }


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


_CEILINGS: Mapping[Ceiling, Text] = {
    Ceiling.NEVER: Text(
        "Melampaui batas kamus data: elemen ini tidak boleh keluar dalam bentuk apa pun.",
        "Above the dictionary's ceiling: this field may not leave in any form.",
    ),
    Ceiling.VERDICT: Text(
        "Melampaui batas kamus data: elemen ini hanya boleh dicocokkan (cocok atau tidak).",
        "Above the dictionary's ceiling: this field may only be compared (match or no match).",
    ),
    Ceiling.REDUCED: Text(
        "Melampaui batas kamus data: elemen ini tidak boleh keluar utuh, hanya sebagian atau pseudonimnya.",
        "Above the dictionary's ceiling: this field may not leave in full, only in part or as a pseudonym.",
    ),
}
_UNSUITED: Mapping[Release, Text] = {
    "none": Text("Selalu mungkin.", "Always possible."),
    "verdict": Text(
        "Jenis data ini tidak dapat dicocokkan dengan satu nilai.",
        "Data of this type cannot be compared with one value.",
    ),
    "pseudonym": Text(
        "Hanya nomor identitas 16 digit yang dapat menjadi pseudonim.",
        "Only a 16-digit identity number can become a pseudonym.",
    ),
    "generalise": Text(
        "Hanya tanggal, angka, wilayah dan alamat yang dapat digeneralisasi.",
        "Only dates, numbers, regions and addresses can be generalised.",
    ),
    "mask": Text(
        "Hanya teks dan nomor identitas yang dapat disamarkan.",
        "Only texts and identity numbers can be masked.",
    ),
    "full": Text(
        "Sumbernya tidak memberikan nilai, hanya hasil pencocokan.",
        "Its source gives no value, only the outcome of a comparison.",
    ),
}
