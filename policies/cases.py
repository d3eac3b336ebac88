"""Cases: what an agreement means, written so that a lawyer can read it, and run so that it stays true.

Beside `<agreement>.yaml` stands `<agreement>.cases.yaml`: given this person and this request, these fields
come out, and these do not. A case goes through the same `decide`, `in_scope`, `evaluate` and `release` as a
real exchange. The people in cases are invented: differences are told with their values, so real ones MUST NOT
be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from policies.agreement import (
    CASES_SUFFIX,
    ELIGIBILITY,
    MOST_SUBJECTS,
    OPERATIONS,
    REFUSE,
    Agreement,
    AgreementBook,
)
from policies.conditions import evaluate
from policies.decide import ConsumerTerms, Deny, Request, decide, in_scope
from policies.dictionary import Field, Text, Value, read_text
from policies.errors import PolicyError
from policies.plan import Plan, withheld_by_text
from policies.pseudonym import derive_sector_key
from policies.refusals import SOURCE_UNAVAILABLE
from policies.regions import is_region_code
from policies.release import Unknown, release
from policies.strict_yaml import Part, content_of, parse_yaml

# Stands in a case where a pseudonymised identifier comes out: its text depends on a key, its kind does not.
A_PSEUDONYM = "(pseudonym)"

_KEY_OF_CASES = b"the sector keys of cases protect nobody"
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)

_REFUSALS = ("denied", "out_of_scope")

Listed = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes out. Of an expectation, None means that the case says nothing about it."""

    denied: str | None = None
    out_of_scope: bool = False
    decision: str | None = None
    clauses: Listed | None = None
    values: Listed | None = None
    absent: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    withheld: Listed | None = None


_ASPECTS = tuple(item.name for item in fields(Outcome))


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `unavailable` are fields whose source gives no answer; `place` is the file and line."""

    place: str
    title: Text
    on: date
    consumer: ConsumerTerms
    request: Request
    person: Mapping[str, Value]
    claims: Mapping[str, str]
    unavailable: frozenset[str]
    expected: Outcome


@dataclass(frozen=True, slots=True)
class Checked:
    """One agreement and its cases: how many there are, and what differs from them."""

    agreement: Agreement
    cases: int
    problems: list[str] = field(default_factory=list)


def check_cases(folder: Path, book: AgreementBook) -> list[Checked]:
    """Run every case beside the agreements of a folder. An agreement without cases is a problem of its own.

    Raises PolicyError if a cases file belongs to no agreement.
    """
    known = {f"{agreement.id}{CASES_SUFFIX}" for agreement in book.agreements}
    orphans = [path for path in sorted(folder.glob(f"*{CASES_SUFFIX}")) if path.name not in known]
    if orphans:
        raise PolicyError(
            [
                f"{path}:1: expected an agreement beside it, got none, write one or remove it"
                for path in orphans
            ]
        )
    return [
        _checked(folder / f"{agreement.id}{CASES_SUFFIX}", agreement, book) for agreement in book.agreements
    ]


def load_cases(path: Path, agreement: Agreement, dictionary: Mapping[str, Field]) -> tuple[Case, ...]:
    """The cases of one agreement. Raises PolicyError with all problems of the file at once."""
    return parse_cases(content_of(path), str(path), agreement, dictionary)


def parse_cases(
    text: bytes, name: str, agreement: Agreement, dictionary: Mapping[str, Field]
) -> tuple[Case, ...]:
    """The cases that a text holds; `name` is what messages call it. Raises PolicyError as load does."""
    root = parse_yaml(text, name)
    parts = root.mapping(("people", "cases"))
    people = {
        key.text("a name for the person"): _person(value, dictionary)
        for key, value in parts["people"].entries("people by a name that cases use")
    }
    reader = _Reader(agreement, dictionary, people)
    cases = tuple(reader.case(part) for part in parts["cases"].items("a list of cases"))
    root.file.finish()
    return cases


def run_case(case: Case, book: AgreementBook) -> list[str]:
    """Every difference between what a case expects and what comes out, one by one; empty if it holds."""
    got = outcome(case, book)
    return [
        f"{case.place}: {case.title.en}: {what}: expected {wanted}, got {came}, write the case as the "
        "parties mean it, or mend the agreement"
        for name in differing(case.expected, got)
        for what, wanted, came in _differences(name, getattr(case.expected, name), getattr(got, name))
    ]


def differing(expected: Outcome, got: Outcome) -> list[str]:
    """The aspects of an outcome in which an expectation is not met; empty where the case holds."""
    found = [name for name in _ASPECTS if not _agrees(name, expected, got)]
    # A refusal explains why nothing else is as expected.
    return [name for name in found if name in _REFUSALS] or found


def _differences(aspect: str, wanted: Any, got: Any) -> Iterator[tuple[str, str, str]]:
    """What differs in one aspect of an outcome: of lists by field only those fields that do."""
    if isinstance(wanted, frozenset) and isinstance(got, frozenset):
        for name in sorted(wanted ^ got):
            words = (aspect, f"not {aspect}")
            yield f"{aspect}.{name}", *(words if name in wanted else words[::-1])
    elif isinstance(wanted, Mapping):
        came = got or {}
        listed = wanted if aspect == "clauses" and wanted else {**wanted, **came}
        for name in sorted(listed):
            if wanted.get(name) != came.get(name):
                yield f"{aspect}.{name}", _shown(wanted.get(name)), _shown(came.get(name))
    else:
        yield aspect, _shown(wanted), _shown(got)


def _checked(path: Path, agreement: Agreement, book: AgreementBook) -> Checked:
    try:
        cases = load_cases(path, agreement, book.dictionary)
    except PolicyError as error:
        return Checked(agreement, 0, error.problems)
    return Checked(agreement, len(cases), [problem for case in cases for problem in run_case(case, book)])


def outcome(case: Case, book: AgreementBook) -> Outcome:
    """What comes out of the case's question under a book, spelt as cases spell it."""
    answer = decide(book, case.consumer, case.request, case.on)
    if isinstance(answer, Deny):
        return Outcome(denied=answer.code)
    plan = answer.plan
    known = {name: value for name, value in case.person.items() if name not in case.unavailable}
    if not in_scope(plan, known):
        return Outcome(out_of_scope=True)
    if plan.on_source_failure == REFUSE and case.unavailable & plan.needs:
        return Outcome(denied=SOURCE_UNAVAILABLE)
    evaluation = evaluate(plan.rule, known, case.on) if plan.rule is not None else None
    unknown = {name: Unknown(_SINCE, None) for name in case.unavailable}
    key = derive_sector_key(_KEY_OF_CASES, plan.pseudonym_sector) if plan.pseudonym_sector else None
    released = release(plan, known, unknown, case.claims, on_date=case.on, sector_key=key)
    states = {name: told["state"] for name, told in released.exceptions.items()}
    return Outcome(
        decision=evaluation.decision if evaluation else None,
        clauses=evaluation.clauses if evaluation and plan.reasons else {},
        values=_as_written(plan, released.values),
        absent=frozenset(name for name, state in states.items() if state == "absent"),
        unknown=frozenset(name for name, state in states.items() if state == "unknown"),
        withheld=withheld_by_text(plan, case.request.fields),
    )


def _as_written(plan: Plan, values: Mapping[str, Any]) -> Listed:
    """Released values in the spelling of a case: keys do not matter to it, and an empty list is `none`."""
    keyed = {output.name for output in plan.outputs if output.transformation.needs_sector_key}
    spelt = {
        name: (value or "none") if isinstance(value, list) else str(value) for name, value in values.items()
    }
    return spelt | dict.fromkeys(keyed & spelt.keys(), A_PSEUDONYM)


def _agrees(aspect: str, expected: Outcome, got: Outcome) -> bool:
    """Whether an expectation is met: of clauses the ones listed count, all else is compared as a whole."""
    wanted, actual = getattr(expected, aspect), getattr(got, aspect)
    if aspect not in _REFUSALS and (wanted is None or expected.denied or expected.out_of_scope):
        return True
    if aspect == "clauses" and wanted:
        return bool(wanted.items() <= (actual or {}).items())
    return bool(wanted == actual)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return "nothing" if value is None else str(value)


def _person(part: Part, dictionary: Mapping[str, Field]) -> Mapping[str, Value]:
    facts: dict[str, Value] = {}
    for key, value in part.entries("what the registry says of the person"):
        name = key.word(dictionary, "a field of the dictionary")
        if name:
            facts[name] = _fact(value, dictionary[name])
    return facts


def _fact(part: Part, field: Field) -> Value:
    if field.type == "date":
        return part.day()
    if field.type == "number":
        return part.whole_number(0, 1_000_000_000)
    if field.type == "words":
        return () if part.is_word("none") else part.words(field.words, "`none`, or a list of words")
    if field.type == "word":
        return part.word(field.words)
    return part.text()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads cases: what they are about is the same for a whole file."""

    agreement: Agreement
    dictionary: Mapping[str, Field]
    people: Mapping[str, Mapping[str, Value]]

    def case(self, part: Part) -> Case:
        parts = part.mapping(
            ("case", "on", "person", "request", "expect"), ("registered", "claims", "unavailable")
        )
        person = parts["person"].word(self.people, "one of the people above")
        return Case(
            place=f"{part.file.name}:{part.line}",
            title=read_text(parts["case"]),
            on=parts["on"].day(),
            consumer=self._consumer(parts.get("registered")),
            request=self._request(parts["request"]),
            person=self.people.get(person, {}),
            claims=self._claims(parts.get("claims")),
            unavailable=self._fields(parts.get("unavailable")),
            expected=self._expected(parts["expect"]),
        )

    def _consumer(self, part: Part | None) -> ConsumerTerms:
        """The agreement's consumer, in its sector and for the whole country unless a case says else."""
        usual = self.agreement.pseudonym_sector or self.agreement.consumer
        if part is None:
            return ConsumerTerms(self.agreement.consumer, usual, frozenset())
        parts = part.mapping((), ("consumer", "sector", "regions"))
        return ConsumerTerms(
            id=parts["consumer"].text() if "consumer" in parts else self.agreement.consumer,
            sector=parts["sector"].text() if "sector" in parts else usual,
            regions=frozenset(map(_region, parts["regions"].items("region codes")))
            if "regions" in parts
            else frozenset(),
        )

    def _request(self, part: Part) -> Request:
        parts = part.mapping(("operation",), ("purpose", "programme", "fields", "persons"))
        operation = parts["operation"].word(OPERATIONS)
        if operation == ELIGIBILITY and "programme" not in parts:
            part.lack("programme", "`programme: ...` for a question of eligibility")
        named = parts.get("fields")
        return Request(
            operation=operation,
            purpose=parts["purpose"].text() if "purpose" in parts else self.agreement.purpose,
            programme=parts["programme"].text() if "programme" in parts else None,
            fields=None if named is None else tuple(item.text() for item in named.items("a list of fields")),
            subject_count=parts["persons"].whole_number(1, 10 * MOST_SUBJECTS) if "persons" in parts else 1,
        )

    def _claims(self, part: Part | None) -> Mapping[str, str]:
        if part is None:
            return {}
        return {
            key.word(self.dictionary, "a field of the dictionary"): str(
                value.scalar("what the caller claims")
            )
            for key, value in part.entries("claims by field")
        }

    def _fields(self, part: Part | None) -> frozenset[str]:
        return frozenset() if part is None else frozenset(part.words(self.dictionary, "a list of fields"))

    def _expected(self, part: Part) -> Outcome:
        """A refusal, nobody, or an answer of which every value that leaves is named."""
        parts = part.mapping(
            (), (*_REFUSALS, "decision", "clauses", "values", "absent", "unknown", "withheld")
        )
        if any(name in parts for name in _REFUSALS) and len(parts) > 1:
            part.refuse("nothing beside a refusal", "one of the two", got=", ".join(parts))
        if "denied" in parts:
            return Outcome(denied=parts["denied"].text("a reason code"))
        if "out_of_scope" in parts:
            return Outcome(out_of_scope=parts["out_of_scope"].word(("true",)) == "true")
        if "values" not in parts and not part.refused:
            part.lack("values", "`values: ...` with everything that leaves, or `values: none`")
        return Outcome(
            decision=parts["decision"].word(("eligible", "ineligible", "unknown"))
            if "decision" in parts
            else None,
            clauses=_listed(parts.get("clauses")),
            values=_listed(parts.get("values")),
            absent=self._fields(parts.get("absent")),
            unknown=self._fields(parts.get("unknown")),
            withheld=_listed(parts.get("withheld")),
        )


def _region(part: Part) -> str:
    code = part.text("a dotted region code in quotes")
    if not is_region_code(code):
        part.refuse("a dotted region code in quotes", 'it as "35" or "35.78"')
    return code


def _listed(part: Part | None) -> Listed | None:
    if part is None:
        return None
    if part.is_word("none"):
        return {}
    return {key.raw: _as_spelt(value) for key, value in part.entries("`none`, or one line per field")}


def _as_spelt(part: Part) -> str | list[str]:
    """The characters as they stand: whether 1990 is a number or a text is no question for a lawyer."""
    if part.is_list():
        return [item.raw for item in part.items("a list of words")]
    if not part.raw:
        part.refuse("a value", "what leaves, or `none` for an empty list")
    return part.raw
