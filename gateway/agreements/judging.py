"""What would be if a version counted: does everything still load, do the cases hold, is more opened. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.agreements.case_adjusting import Untrue, untrue_cases
from gateway.agreements.lifecycle import Judgement, Kind, Version
from gateway.agreements.named import unknown_regions
from gateway.agreements.provided import Provided, unprovided
from gateway.agreements.reading import (
    AgreementText,
    PolicyReader,
    PolicyTexts,
    case_problems,
    problems_of_cases,
    same_but_for_number,
)
from policies.agreement import Agreement, AgreementBook
from policies.change import Change, compare
from policies.checklist import missing_documents
from policies.conditions import ProgrammeRule
from policies.errors import PolicyError
from policies.rule_change import compare_dictionaries, compare_rules


@dataclass(frozen=True, slots=True)
class Difference:
    """How two texts of one policy differ: in words, None while one of them cannot be read; line by line."""

    change: Change | None
    lines: tuple[str, ...]


def judge(
    version: Version,
    texts: PolicyTexts,
    reader: PolicyReader,
    names: Mapping[str, str],
    waiting: Mapping[str, bytes],
    provided: Provided | None = None,
) -> Judgement:
    """What is known of `version`, were it put among the texts in force.

    `provided` are the fields that this gateway's sources have; None where that is not known.
    `names` are the consumers' names by id, for the words of what changes; `waiting` the cases of agreements'
    open versions. While it does not load, whatever it would open is unknown: there is no `change`.
    """
    try:
        after = reader.book(candidate(version.kind, version.name, version.text, texts, version.cases))
    except PolicyError as error:
        return Judgement(None, error.problems, (), None)
    # While an agreement is suspended nothing leaves: whatever comes instead opens.
    before = _answering(texts, reader)
    opened = change_between(version.kind, version.name, before, after, names)
    problems = list(_misnumbered(version, after))
    same = _same_as_in_force(version, texts)
    if provided is not None:
        problems += unprovided(version, before.dictionary if before is not None else {}, after, provided)
    if version.kind != "agreement":
        return Judgement(opened, problems + _broken_cases(version, texts, after, waiting), (), None, same)
    new = _of(after, version.name)
    assert new is not None  # noqa: S101 - it was put into the book under this id
    problems += unknown_regions(new.scope.regions, version.text, f"{version.name}.yaml")
    problems += case_problems(version.name, version.cases, after)
    return Judgement(opened, problems, missing_documents(new, after.dictionary), new.valid_until, same)


def untrue_under(version: Version, texts: PolicyTexts, reader: PolicyReader) -> tuple[Untrue, ...]:
    """The cases that `version` alone makes untrue; none where it replaces nothing, or does not load."""
    present = texts.agreements.get(version.name)
    if version.kind != "agreement" or present is None:
        return ()
    # As if it were answering: while it is suspended every case is refused.
    before, after = (
        _readable(candidate("agreement", version.name, text, texts), reader)
        for text in (present.text, version.text)
    )
    if before is None or after is None:
        return ()
    written = AgreementText(version.text, version.cases, "active")
    return untrue_cases(version.name, written, present, before, after)


def candidate(kind: Kind, name: str, text: bytes, texts: PolicyTexts, cases: bytes = b"") -> PolicyTexts:
    """The texts in force with one text in its place, as if it were active."""
    match kind:
        case "agreement":
            present = texts.agreements.get(name)
            before = present.text if present is not None else b""
            return texts.with_agreement(name, AgreementText(text, cases, "active", before))
        case "programme":
            return replace(texts, programmes={**texts.programmes, name: text})
        case "dictionary":
            return replace(texts, dictionary=text)


def difference(
    kind: Kind,
    name: str,
    old: bytes | None,
    new: bytes,
    texts: PolicyTexts,
    reader: PolicyReader,
    names: Mapping[str, str],
) -> Difference:
    """How `new` differs from `old`, each read among the texts in force; None is the absence of a text."""
    after = _readable(candidate(kind, name, new, texts), reader)
    before = after if old == new else None
    if old is not None and old != new:
        before = _readable(candidate(kind, name, old, texts), reader)
    readable = after is not None and (old is None or before is not None)
    lines = difflib.unified_diff(
        (old or b"").decode().splitlines(), new.decode().splitlines(), "before", "after", lineterm="", n=1
    )
    change = change_between(kind, name, before, after, names) if readable and after is not None else None
    return Difference(change, tuple(lines))


def change_between(
    kind: Kind, name: str, before: AgreementBook | None, after: AgreementBook, names: Mapping[str, str]
) -> Change:
    """How one policy differs between two books; without the first, whatever is in the second is new."""
    match kind:
        case "agreement":
            old = _of(before, name) if before is not None else None
            new = _of(after, name)
            assert new is not None  # noqa: S101 - callers have put it there
            return compare(
                old, new, after.dictionary, after.programmes, names.get(new.consumer, new.consumer)
            )
        case "programme":
            rule = _rule(after, name)
            assert rule is not None  # noqa: S101 - as above
            return compare_rules(_rule(before, name) if before is not None else None, rule)
        case "dictionary":
            return compare_dictionaries(before.dictionary if before is not None else {}, after.dictionary)


def _same_as_in_force(version: Version, texts: PolicyTexts) -> bool:
    """Whether what answers now already says it, word for word but for its number, with the same cases."""
    match version.kind:
        case "agreement":
            present = texts.agreements.get(version.name)
            if present is None or present.state != "active" or present.cases != version.cases:
                return False
            return same_but_for_number(present.text, version.text)
        case "programme":
            rule = texts.programmes.get(version.name)
            return rule is not None and same_but_for_number(rule, version.text)
        case "dictionary":
            return texts.dictionary == version.text


def _answering(texts: PolicyTexts, reader: PolicyReader) -> AgreementBook | None:
    """The book of what leads to answers now; None if the texts in force cannot be read: they open nothing."""
    active = {name: one for name, one in texts.agreements.items() if one.state == "active"}
    return _readable(replace(texts, agreements=active), reader)


def _readable(texts: PolicyTexts, reader: PolicyReader) -> AgreementBook | None:
    try:
        return reader.book(texts)
    except PolicyError:
        return None


def _misnumbered(version: Version, book: AgreementBook) -> Iterator[str]:
    """Answers and evidence cite the number that a text gives itself, so it has to be the version's."""
    find = {"agreement": _of, "programme": _rule}.get(version.kind)
    written = find(book, version.name) if find is not None else None  # a dictionary has no number
    if written is not None and written.version != version.version:
        yield (
            f"{version.name}.yaml: version: expected {version.version}, the number of this version, got "
            f"{written.version}, write {version.version}"
        )


def _broken_cases(
    version: Version,
    texts: PolicyTexts,
    book: AgreementBook,
    waiting: Mapping[str, bytes],
) -> list[str]:
    """Cases of agreements in force that no longer hold under a changed dictionary or rule.

    Cases that wait in an agreement's open version will do in their place: a rule and the cases that it makes
    true could otherwise never come into force, neither of them being able to go first.
    """
    broken: list[str] = []
    own = {one.id: one for one in book.agreements}
    concerns = _concerned_by(version, book)
    for name, written in sorted(texts.agreements.items()):
        if written.state != "active" or not concerns(own[name]):
            continue
        problems = problems_of_cases(own[name], written.cases, book)
        if problems and name in waiting:
            problems = problems_of_cases(own[name], waiting[name], book)
        broken += problems
    return broken


def _concerned_by(version: Version, book: AgreementBook) -> Callable[[Agreement], bool]:
    """Which agreements a version bears upon: of a rule those that may ask about its programme."""
    rule = _rule(book, version.name) if version.kind == "programme" else None
    return lambda one: rule is None or rule.programme in one.programmes


def _of(book: AgreementBook, agreement_id: str) -> Agreement | None:
    return next((one for one in book.agreements if one.id == agreement_id), None)


def _rule(book: AgreementBook, name: str) -> ProgrammeRule | None:
    """A rule by its file's name, which is the programme's in lower case."""
    return next((rule for programme, rule in book.programmes.items() if programme.lower() == name), None)
