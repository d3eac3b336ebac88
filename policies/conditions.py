"""Programme rules: who qualifies, clause by clause, in three-valued logic.

A wrong "no" takes help from a poor household, so a clause answers "no" only when it is known to fail. What
is missing, what says "we do not know", and what is not a word of the field's closed list are unknown, and
unknown is never silently no.

Clauses are data of a small closed set of operators, so that the same rule can later run over a whole table.
They MUST NOT become code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Literal

from policies.ages import age_on
from policies.dictionary import Ceiling, Field, Text, Value, read_text
from policies.errors import PolicyError
from policies.strict_yaml import NAME, NAME_ADVICE, Part, advice, content_of, parse_yaml

Answer = Literal["yes", "no", "unknown"]
Decision = Literal["eligible", "ineligible", "unknown"]
Operand = str | int | date | tuple[str, ...]
Facts = Mapping[str, Value]

# Not a field of a person: the day that the question is about, for programmes that have an end.
ON_DATE = "on_date"
# Rules and days asked about are few, and so are the facts of most rules; the bounds keep memory from growing.
_JUDGES_KEPT = 64
_FACTS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Dated:
    """A parameter's value from a day on, until the next one begins, with the source that set it."""

    since: date
    value: Operand
    source: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition. Exactly one of `value` and `parameter` is set.

    `unknown_when` lists the words of the field which mean "we do not know"; `vocabulary` is its closed list,
    empty for other fields. A word outside it is unknown too: a source that renames a status must not make
    thousands ineligible overnight.
    """

    id: str
    field: str
    operator: str
    value: Operand | None
    parameter: str | None
    unknown_when: frozenset[str]
    vocabulary: frozenset[str]
    reason: Text
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammeRule:
    """The rule of one programme. `parameters` are dated values, oldest first."""

    programme: str
    version: int
    sha256: str
    title: Text
    clauses: tuple[Clause, ...]
    parameters: Mapping[str, tuple[Dated, ...]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A decision, and what each clause said."""

    decision: Decision
    clauses: Mapping[str, Answer]


def evaluate(rule: ProgrammeRule, facts: Facts, on_date: date) -> Evaluation:
    """Whether a person qualifies on a day. A fact that is missing or None is unknown.

    Any clause known to fail makes the person ineligible; otherwise any unknown clause makes the answer
    unknown; only a rule of which every clause is known to hold makes a person eligible.
    """
    return evaluate_all(rule, [facts], on_date)[0]


def evaluate_all(rule: ProgrammeRule, people: Sequence[Facts], on_date: date) -> list[Evaluation]:
    """`evaluate` for each of these people, in their order."""
    names, judge = _judged_by(rule, on_date)
    if not names:  # the rule looks at the day alone
        return [judge()] * len(people)
    return list(map(judge, *([facts.get(name) for facts in people] for name in names)))


# People are many, and what rules read of them takes few values: whoever has the same facts is judged alike.
@lru_cache(maxsize=_JUDGES_KEPT)
def _judged_by(rule: ProgrammeRule, on_date: date) -> tuple[tuple[str, ...], Callable[..., Evaluation]]:
    """The fields that the rule reads, and what judges one value of each."""
    names = tuple(sorted(inputs(rule)))

    # By type as well: to a cache, True and 1 are one fact.
    @lru_cache(maxsize=_FACTS_KEPT, typed=True)
    def judge(*facts: Value) -> Evaluation:
        return _evaluate(rule, dict(zip(names, facts, strict=True)), on_date)

    return names, judge


def _evaluate(rule: ProgrammeRule, facts: Facts, on_date: date) -> Evaluation:
    clauses: dict[str, Answer] = {}
    decision: Decision = "eligible"
    for clause in rule.clauses:
        operand = clause.value if clause.parameter is None else _in_force(rule, clause.parameter, on_date)
        fact = on_date if clause.field == ON_DATE else facts.get(clause.field)
        answer: Answer = "unknown"
        if operand is not None:
            answer = _OPERATORS[clause.operator].answer(clause, fact, operand, on_date)
        clauses[clause.id] = answer
        if answer == "no":
            decision = "ineligible"
        elif answer == "unknown" and decision == "eligible":
            decision = "unknown"
    return Evaluation(decision, clauses)


def inputs(rule: ProgrammeRule) -> frozenset[str]:
    """The fields that the rule reads."""
    return frozenset(clause.field for clause in rule.clauses if clause.field != ON_DATE)


def load_rules(folder: Path, dictionary: Mapping[str, Field]) -> Mapping[str, ProgrammeRule]:
    """Every rule of a folder by its programme. Raises PolicyError with the problems of all files."""
    rules: dict[str, ProgrammeRule] = {}
    problems: list[str] = []
    for path in sorted(folder.iterdir()):
        try:
            rule = load_rule(path, dictionary)
        except PolicyError as error:
            problems.extend(error.problems)
            continue
        if rule.programme in rules:
            problems.append(f"{path}:1: expected one rule per programme, got a second one, write one file")
        rules[rule.programme] = rule
    if problems:
        raise PolicyError(problems)
    return rules


def load_rule(path: Path, dictionary: Mapping[str, Field]) -> ProgrammeRule:
    """The rule of a file. Raises PolicyError with all problems of the file at once."""
    return parse_programme(content_of(path), str(path), dictionary)


def parse_programme(text: bytes, name: str, dictionary: Mapping[str, Field]) -> ProgrammeRule:
    """The rule that a text is. Raises PolicyError with all problems at once.

    `name` is what messages call the text: a path, or `PROGRAMME.yaml` in lower case, as files are named.
    """
    root = parse_yaml(text, name)
    parts = root.mapping(("programme", "version", "title", "clauses"), ("parameters",))
    written = _written_parameters(parts["parameters"]) if "parameters" in parts else {}
    parameters: dict[str, tuple[Dated, ...]] = {}
    clauses: dict[str, Clause] = {}
    found_before = len(root.file.found)
    for part in parts["clauses"].items("a list of clauses"):
        clause = _clause(part, dictionary, written, parameters)
        if clause.id and clause.id in clauses:
            part.refuse("each clause id once", "another id", got=f"{clause.id!r} a second time")
        clauses[clause.id] = clause
    # A clause that could not be read may be the one that uses a parameter.
    if len(root.file.found) == found_before:
        for unused in sorted(written.keys() - parameters.keys()):
            parts["parameters"].refuse(
                "parameters that a clause uses", "it into a clause, or remove it", got=f"{unused!r}"
            )
    programme = parts["programme"].text("the programme's name")
    file_name = PurePath(name)
    if f"{programme.lower()}.yaml" != file_name.name:
        parts["programme"].refuse(
            f"the programme that the file is named after, {file_name.stem}", "the same in both"
        )
    rule = ProgrammeRule(
        programme=programme,
        version=parts["version"].whole_number(1, 9999),
        sha256=root.file.sha256,
        title=read_text(parts["title"]),
        clauses=tuple(clauses.values()),
        parameters=parameters,
    )
    root.file.finish()
    return rule


_Written = Mapping[str, list[tuple[date, Part, str]]]


def _clause(
    part: Part, dictionary: Mapping[str, Field], written: _Written, parameters: dict[str, tuple[Dated, ...]]
) -> Clause:
    """One clause; the parameter that it uses is read as its operator needs it and added to `parameters`."""
    parts = part.mapping(("id", "field", "reason", "source"), (*_OPERATORS, "unknown_when"))
    field_name = parts["field"].word([*dictionary, ON_DATE])
    if not field_name:
        # Nobody can say what suits a field that is not known.
        parts = {key: part.silent(key) if key in _OF_THE_FIELD else value for key, value in parts.items()}
    field = dictionary.get(field_name, _THE_DAY)
    name, operand_part = _operator(part, parts, field)
    operator = _OPERATORS[name]
    value: Operand | None = None
    parameter: str | None = None
    if operand_part.is_mapping():
        parameter = _parameter(operand_part.mapping(("parameter",))["parameter"], written)
        if parameter:
            parameters[parameter] = tuple(
                Dated(since, operator.operand(entry, field), source)
                for since, entry, source in written[parameter]
            )
    else:
        value = operator.operand(operand_part, field)
    return Clause(
        id=parts["id"].text("a clause id", NAME, NAME_ADVICE),
        field=field_name,
        operator=name,
        value=value,
        parameter=parameter,
        unknown_when=_unknown_when(parts, field),
        vocabulary=frozenset(field.words),
        reason=read_text(parts["reason"]),
        source=parts["source"].text("the legal source, or the practice, of this clause"),
    )


def _operator(part: Part, parts: Mapping[str, Part], field: Field) -> tuple[str, Part]:
    """The one operator of a clause, if it suits the field's type."""
    suitable = [name for name, operator in _OPERATORS.items() if field.type in operator.types]
    written = [name for name in _OPERATORS if name in parts]
    if len(written) != 1:
        part.refuse("exactly one operator", f"one of {', '.join(suitable)}", got=", ".join(written) or "none")
        return "equals", part.silent("equals")
    name = written[0]
    if name not in suitable:
        parts[name].refuse(f"an operator for {field.type} fields", advice(name, suitable), got=f"{name!r}")
    return name, parts[name]


def _parameter(part: Part, written: _Written) -> str:
    if not written:
        part.refuse("a parameter of this file", "it under `parameters`, with its dated values")
    return part.word(written, "a parameter of this file")


def _unknown_when(parts: Mapping[str, Part], field: Field) -> frozenset[str]:
    if "unknown_when" not in parts:
        return frozenset()
    if not field.words:
        parts["unknown_when"].refuse(f"no unknown_when for {field.type} fields", "the line away")
        return frozenset()
    return frozenset(parts["unknown_when"].words(field.words, f"a list of words of {field.name}"))


def _written_parameters(part: Part) -> _Written:
    """By the name as it stands there: one that is refused is still the one that a clause uses."""
    written: dict[str, list[tuple[date, Part, str]]] = {}
    for key, value in part.entries("parameters by name"):
        key.text("a parameter's name", NAME, NAME_ADVICE)
        written[key.raw] = _dated_entries(value)
    return written


def _dated_entries(part: Part) -> list[tuple[date, Part, str]]:
    entries: list[tuple[date, Part, str]] = []
    for item in part.items("a list of dated values"):
        parts = item.mapping(("since", "value", "source"))
        since = parts["since"].day()
        if entries and not parts["since"].refused and since <= entries[-1][0]:
            parts["since"].refuse("a later day than the entry before", "the entries oldest first")
        entries.append((since, parts["value"], parts["source"].text("who set this value, and where")))
    return entries


def _in_force(rule: ProgrammeRule, parameter: str, on_date: date) -> Operand | None:
    """The parameter's value on a day; None before its first."""
    value: Operand | None = None
    for dated in rule.parameters[parameter]:
        if dated.since > on_date:
            break
        value = dated.value
    return value


def _says(clause: Clause, word: str) -> bool:
    """Whether the word says something: not one for "we do not know", nor one that the dictionary lacks."""
    return word not in clause.unknown_when and (not clause.vocabulary or word in clause.vocabulary)


def _yes_if(holds: object) -> Answer:
    return "yes" if holds else "no"


def _equals(clause: Clause, fact: Value, operand: Operand, _on_date: date) -> Answer:
    if type(fact) is not type(operand) or (type(fact) is str and not _says(clause, fact)):
        return "unknown"
    return _yes_if(fact == operand)


def _one_of(clause: Clause, fact: Value, operand: Operand, _on_date: date) -> Answer:
    if type(fact) is not str or type(operand) is not tuple or not _says(clause, fact):
        return "unknown"
    return _yes_if(fact in operand)


def _none_of(clause: Clause, fact: Value, operand: Operand, on_date: date) -> Answer:
    return _NEGATION[_one_of(clause, fact, operand, on_date)]


def _at_most(_clause: Clause, fact: Value, operand: Operand, _on_date: date) -> Answer:
    if type(fact) is int and type(operand) is int:
        return _yes_if(fact <= operand)
    if type(fact) is date and type(operand) is date:
        return _yes_if(fact <= operand)
    return "unknown"


def _at_least(_clause: Clause, fact: Value, operand: Operand, _on_date: date) -> Answer:
    if type(fact) is int and type(operand) is int:
        return _yes_if(fact >= operand)
    if type(fact) is date and type(operand) is date:
        return _yes_if(fact >= operand)
    return "unknown"


def _includes_any(clause: Clause, fact: Value, operand: Operand, _on_date: date) -> Answer:
    if type(fact) is not tuple or type(operand) is not tuple:
        return "unknown"
    if any(word in operand for word in fact):
        return "yes"  # one known member settles it, whatever else the list says
    return "no" if all(_says(clause, word) for word in fact) else "unknown"


def _includes_none(clause: Clause, fact: Value, operand: Operand, on_date: date) -> Answer:
    return _NEGATION[_includes_any(clause, fact, operand, on_date)]


def _age_at_least(_clause: Clause, fact: Value, operand: Operand, on_date: date) -> Answer:
    age = age_on(fact, on_date) if type(fact) is date else None
    return "unknown" if age is None or type(operand) is not int else _yes_if(age >= operand)


def _age_at_most(_clause: Clause, fact: Value, operand: Operand, on_date: date) -> Answer:
    age = age_on(fact, on_date) if type(fact) is date else None
    return "unknown" if age is None or type(operand) is not int else _yes_if(age <= operand)


def _read_one(part: Part, field: Field) -> Operand:
    if field.type == "number":
        return part.whole_number(0, 1_000_000_000)
    if field.type == "date":
        return part.day()
    return part.word(field.words, f"a word of {field.name}: {', '.join(field.words)}")


def _read_several(part: Part, field: Field) -> Operand:
    return part.words(field.words, f"a list of words of {field.name}")


def _read_years(part: Part, _field: Field) -> Operand:
    return part.whole_number(0, 150)


@dataclass(frozen=True, slots=True)
class _Operator:
    """For which types of field it is, how its operand is read, and what it answers for a known fact."""

    types: tuple[str, ...]
    operand: Callable[[Part, Field], Operand]
    answer: Callable[[Clause, Value, Operand, date], Answer]


_NEGATION: Mapping[Answer, Answer] = {"yes": "no", "no": "yes", "unknown": "unknown"}
_THE_DAY = Field(ON_DATE, Text("tanggal", "day"), "date", None, "public", "question", Ceiling.FULL)
_OPERATORS: Mapping[str, _Operator] = {
    "equals": _Operator(("word", "number"), _read_one, _equals),
    "one_of": _Operator(("word",), _read_several, _one_of),
    "none_of": _Operator(("word",), _read_several, _none_of),
    "at_most": _Operator(("number", "date"), _read_one, _at_most),
    "at_least": _Operator(("number", "date"), _read_one, _at_least),
    "includes_any": _Operator(("words",), _read_several, _includes_any),
    "includes_none": _Operator(("words",), _read_several, _includes_none),
    "age_at_least": _Operator(("date",), _read_years, _age_at_least),
    "age_at_most": _Operator(("date",), _read_years, _age_at_most),
}
_OF_THE_FIELD = frozenset({*_OPERATORS, "unknown_when"})
