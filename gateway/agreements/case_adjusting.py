"""Cases that a draft makes untrue: what each says, what would come out, and the same written into it. Pure.

Only cases are told that hold under what is in force: there the draft, and nothing else, is why they no longer
do. A case that never held is a mistake of whoever wrote it, and MUST NOT be made true here. Nothing is chosen
either: whoever adjusts a case has read it, and names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.agreements.reading import AgreementText
from gateway.agreements.rewriting import REMOVED, Place, rewritten
from gateway.errors import BadInput
from policies.agreement import AgreementBook
from policies.cases import Case, Outcome, differing, outcome, parse_cases
from policies.dictionary import Text
from policies.errors import PolicyError

# What becomes of one field: it leaves with a value, or it does not.
State = Literal["value", "absent", "unknown", "withheld", "nothing"]
_LISTS = ("absent", "unknown")
_FIELDS = ("values", *_LISTS, "withheld")


@dataclass(frozen=True, slots=True)
class Standing:
    """What becomes of a field; `what` is its value, or the code for which it is withheld."""

    state: State
    what: str | list[str] | None = None


@dataclass(frozen=True, slots=True)
class FieldDiffers:
    """One field of which a case says another thing than would come out."""

    field: str
    says: Standing
    comes: Standing


@dataclass(frozen=True, slots=True)
class Untrue:
    """A case that held and would not: its number from 1, and both outcomes."""

    number: int
    case: Case
    comes: Outcome
    aspects: tuple[str, ...]

    @property
    def about_the_answer(self) -> bool:
        """Whether it is refused, or nobody is found, on one side alone: then nothing else is compared."""
        return bool({"denied", "out_of_scope"} & set(self.aspects))

    @property
    def fields(self) -> tuple[FieldDiffers, ...]:
        """Each field that differs, by name; none where the answer as a whole does."""
        if self.about_the_answer:
            return ()
        says, comes = self.case.expected, self.comes
        names: set[str] = set()
        for aspect in set(_FIELDS) & set(self.aspects):
            before, after = getattr(says, aspect), getattr(comes, aspect)
            if aspect in _LISTS:
                names |= before ^ after
            else:
                names |= {one for one in {**before, **after} if before.get(one) != after.get(one)}
        return tuple(
            FieldDiffers(name, _standing(name, says), _standing(name, comes)) for name in sorted(names)
        )

    @property
    def clauses(self) -> Mapping[str, tuple[str | None, str | None]]:
        """Each clause of a programme that differs: what the case says, what would come out."""
        if self.about_the_answer or "clauses" not in self.aspects:
            return {}
        says, comes = self.case.expected.clauses or {}, self.comes.clauses or {}
        return {
            one: (says.get(one), comes.get(one)) for one in says or comes if says.get(one) != comes.get(one)
        }


def untrue_cases(
    name: str, written: AgreementText, in_force: AgreementText, before: AgreementBook, after: AgreementBook
) -> tuple[Untrue, ...]:
    """The cases of a draft that only the draft makes untrue. Empty while its cases cannot be read.

    `written` are the draft's texts, `in_force` those of the version that it would replace; `before` and
    `after` are the books that hold the one and the other.
    """
    drafted, held = _cases(name, written.cases, after), _cases(name, written.cases, before)
    known = [_asked(case) for case in _cases(name, in_force.cases, before) if _holds(case, before)]
    found: list[Untrue] = []
    for number, case in enumerate(drafted, start=1):
        comes = outcome(case, after)
        aspects = tuple(differing(case.expected, comes))
        # One that was adjusted, and of which the draft was changed again, is known by its question.
        kept = len(held) == len(drafted) and _holds(held[number - 1], before)
        if aspects and (kept or _asked(case) in known):
            found.append(Untrue(number, case, comes, aspects))
    return tuple(found)


def adjusted(cases: bytes, untrue: Collection[Untrue], chosen: Collection[int]) -> bytes:
    """The cases file in which each chosen case expects what would come out; everything else stays.

    Raises BadInput for a number that is none of those `untrue`.
    """
    by_number = {one.number: one for one in untrue}
    if not chosen or not set(chosen) <= by_number.keys():
        raise BadInput(_NOT_AMONG_THEM)
    return rewritten(cases, dict(edit for number in sorted(chosen) for edit in _edits(by_number[number])))


def _edits(one: Untrue) -> Iterator[tuple[Place, Any]]:
    expect: Place = ("cases", one.number - 1, "expect")
    says, comes = one.case.expected, one.comes
    if one.about_the_answer:
        yield expect, _whole(comes)
        return
    for aspect in one.aspects:
        came = getattr(comes, aspect)
        if aspect in _LISTS:
            yield (*expect, aspect), sorted(came) or REMOVED
        elif isinstance(came, Mapping):
            yield from _edits_of_mapping((*expect, aspect), getattr(says, aspect), came)
        else:
            yield (*expect, aspect), REMOVED if came is None else came


def _edits_of_mapping(
    place: Place, says: Mapping[str, Any], comes: Mapping[str, Any]
) -> Iterator[tuple[Place, Any]]:
    """Name by name; of clauses a case may name a few, and goes on to name those."""
    named = (
        {name: comes[name] for name in says if name in comes} if place[-1] == "clauses" and says else comes
    )
    if not named:
        yield place, "none"
        return
    for name in {**says, **named}:
        if says.get(name) != named.get(name):
            yield (*place, name), named.get(name, REMOVED)


def _whole(comes: Outcome) -> dict[str, Any]:
    """An outcome as a case says it in full."""
    if comes.denied is not None:
        return {"denied": comes.denied}
    if comes.out_of_scope:
        return {"out_of_scope": True}
    told = {
        "decision": comes.decision,
        "clauses": dict(comes.clauses or {}),
        "values": dict(comes.values or {}) or "none",
        "absent": sorted(comes.absent),
        "unknown": sorted(comes.unknown),
        "withheld": dict(comes.withheld or {}),
    }
    return {name: said for name, said in told.items() if said}


def _standing(name: str, of: Outcome) -> Standing:
    if of.values and name in of.values:
        return Standing("value", of.values[name])
    if of.withheld and name in of.withheld:
        return Standing("withheld", of.withheld[name])
    state: State = "nothing"
    if name in of.absent:
        state = "absent"
    elif name in of.unknown:
        state = "unknown"
    return Standing(state)


def _cases(name: str, text: bytes, book: AgreementBook) -> tuple[Case, ...]:
    agreement = next((one for one in book.agreements if one.id == name), None)
    if agreement is None or not text.strip():
        return ()
    try:
        return parse_cases(text, f"{name}.cases.yaml", agreement, book.dictionary)
    except PolicyError:
        return ()


def _holds(case: Case, book: AgreementBook) -> bool:
    return not differing(case.expected, outcome(case, book))


def _asked(case: Case) -> Case:
    """A case without its answer and its place: what it asks about whom."""
    return replace(case, place="", expected=Outcome())


_NOT_AMONG_THEM = Text(
    "cases: diharapkan nomor kasus yang tidak lagi sesuai hanya karena rancangan ini; baca (GET) daftarnya.",
    "cases: expected numbers of cases that this draft alone makes untrue; GET the list first.",
)
