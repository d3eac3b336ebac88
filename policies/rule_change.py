"""What differs between two versions of what agreements stand on: a programme's rule, and the data dictionary.

A rule that changes turns some decisions one way or the other, and a wrong "no" harms as a leak does: any
change of what a rule asks is wider. A dictionary narrows where a ceiling falls or a field is held to be more
sensitive. What only explains (titles, reasons, legal sources, labels, units) is neutral.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies import wording
from policies.change import Change, Item, Way
from policies.conditions import Clause, Dated, ProgrammeRule
from policies.dictionary import SENSITIVITIES, Field, Text

_NEW, _GONE = Text("baru", "new"), Text("dihapus", "removed")


def compare_rules(old: ProgrammeRule | None, new: ProgrammeRule) -> Change:
    """How a programme's rule differs from the version that it would replace; None if there is none.

    The order of clauses is no difference: they are all asked. The version number is not compared.
    """
    if old is None:
        words = wording.becomes(new.programme, Text("aturan", "the rule"), _NEW, wording.NOTHING)
        return Change((Item("rule", "wider", words),))
    title = _differs(new.programme, "title", "neutral", old.title, new.title)
    return Change((*title, *_parameters(old, new), *_clauses(old, new)))


def compare_dictionaries(old: Mapping[str, Field], new: Mapping[str, Field]) -> Change:
    """How the data dictionary differs from the version that it would replace.

    A new field is neutral: nothing of it leaves before an agreement names it.
    """
    items: list[Item] = []
    for name in dict.fromkeys([*new, *old]):
        before, after = old.get(name), new.get(name)
        if before is not None and after is not None:
            items.extend(_fields(before, after))
        elif after is not None:
            items.append(Item(name, "neutral", wording.becomes(name, after.label, _NEW, wording.NOTHING)))
        elif before is not None:
            words = wording.becomes(name, before.label, _GONE, Text("ada", "there"))
            items.append(Item(name, "narrower", words))
    return Change(tuple(items))


def _parameters(old: ProgrammeRule, new: ProgrammeRule) -> Iterator[Item]:
    for name in dict.fromkeys([*new.parameters, *old.parameters]):
        before, after = old.parameters.get(name, ()), new.parameters.get(name, ())
        values, sources = (
            [_values(steps) for steps in (before, after)],
            [_sources(each) for each in (before, after)],
        )
        path = f"parameters.{name}"
        yield from _differs(new.programme, path, "wider", *values)
        if values[0] == values[1]:
            yield from _differs(new.programme, f"{path}.source", "neutral", *sources)


def _clauses(old: ProgrammeRule, new: ProgrammeRule) -> Iterator[Item]:
    was, now = ({clause.id: clause for clause in rule.clauses} for rule in (old, new))
    for name in dict.fromkeys([*now, *was]):
        before, after, path = was.get(name), now.get(name), f"clauses.{name}"
        yield from _differs(new.programme, path, "wider", _condition(before), _condition(after))
        if before is not None and after is not None:
            yield from _differs(new.programme, f"{path}.reason", "neutral", before.reason, after.reason)
            yield from _differs(new.programme, f"{path}.source", "neutral", before.source, after.source)


def _fields(old: Field, new: Field) -> Iterator[Item]:
    ways: dict[str, tuple[Way, object, object]] = {
        "ceiling": (
            "wider" if new.ceiling > old.ceiling else "narrower",
            old.ceiling.name.lower(),
            new.ceiling.name.lower(),
        ),
        "sensitivity": (
            "wider" if _sensitivity(new) < _sensitivity(old) else "narrower",
            old.sensitivity,
            new.sensitivity,
        ),
        "type": ("wider", old.type, new.type),
        "words": ("wider", ", ".join(old.words), ", ".join(new.words)),
        "source": ("wider", old.source, new.source),
        "unit": ("neutral", old.unit, new.unit),
        "label": ("neutral", old.label, new.label),
    }
    for aspect, (way, before, after) in ways.items():
        yield from _differs(new.name, f"{new.name}.{aspect}", way, before, after)


def _differs(subject: str, path: str, way: Way, before: object, after: object) -> Iterator[Item]:
    if before != after:
        told = [value if isinstance(value, Text) else wording.plain(value) for value in (after, before)]
        yield Item(
            path, way, wording.becomes(subject, wording.plain(path.removeprefix(f"{subject}.")), *told)
        )


def _condition(clause: Clause | None) -> str | None:
    """What a clause asks, in one line; not why, and not by which words a source may answer."""
    if clause is None:
        return None
    operand = clause.value if clause.parameter is None else f"parameter {clause.parameter}"
    listed = ", ".join(sorted(operand)) if isinstance(operand, tuple) else str(operand)
    unknown = f", unknown when {', '.join(sorted(clause.unknown_when))}" if clause.unknown_when else ""
    return f"{clause.field} {clause.operator} {listed}{unknown}"


def _values(steps: tuple[Dated, ...]) -> str | None:
    return "; ".join(f"{step.value} since {step.since}" for step in steps) or None


def _sources(steps: tuple[Dated, ...]) -> str:
    return "; ".join(step.source for step in steps)


def _sensitivity(field: Field) -> int:
    return SENSITIVITIES.index(field.sensitivity)
