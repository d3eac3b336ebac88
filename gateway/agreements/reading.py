"""Texts into what decides: one book from the texts in force, each text parsed once while it is known.

Pure but for its memory, which holds nothing that could not be worked out again. A text is parsed under the
dictionary and the rules that it names fields and programmes of: when these change, everything is read anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from policies.agreement import Agreement, AgreementBook, State, Suspension, parse_agreement
from policies.cases import parse_cases, run_case
from policies.conditions import ProgrammeRule, parse_programme
from policies.dictionary import Field, parse_dictionary
from policies.errors import PolicyError
from policies.plan import withdrawn_fields

DICTIONARY_NAME = "fields"
_OWN_NUMBER = re.compile(rb"^version:[ \t]*([1-9][0-9]{0,3})[ \t]*(?:#.*)?\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AgreementText:
    """An agreement's text and its cases' (empty: none), and in which state it is in the book.

    `before` is the text that was in force before it, empty where none was.
    """

    text: bytes
    cases: bytes
    state: State
    before: bytes = b""
    suspension: Suspension | None = None


@dataclass(frozen=True, slots=True)
class PolicyTexts:
    """Everything in force, by name as files are named without their ending."""

    dictionary: bytes
    programmes: Mapping[str, bytes] = field(default_factory=dict)
    agreements: Mapping[str, AgreementText] = field(default_factory=dict)

    def with_agreement(self, name: str, text: AgreementText) -> PolicyTexts:
        """These texts with one agreement put in or replaced."""
        return replace(self, agreements={**self.agreements, name: text})


@dataclass(frozen=True, slots=True)
class _Ground:
    """What agreements are read against; `words` stands for what their texts can name of it."""

    key: str
    words: str
    dictionary: Mapping[str, Field]
    programmes: Mapping[str, ProgrammeRule]


class PolicyReader:
    """Reads texts into books. Thread-safe; one per process is enough."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ground: _Ground | None = None
        self._agreements: dict[tuple[str, str, str], Agreement] = {}
        self._largest = 0  # book that was read

    def book(self, texts: PolicyTexts) -> AgreementBook:
        """The book over these texts. Raises PolicyError with the problems of all of them.

        Mistakes of the dictionary and of the rules come first, alone: agreements are judged by them. What is
        revoked and cannot be read any more is left out: nothing depends on it but the words of a refusal.
        """
        with self._lock:
            ground = self._read_ground(texts)
            agreements: list[Agreement] = []
            problems: list[str] = []
            for name, written in sorted(texts.agreements.items()):
                try:
                    agreements.append(self._agreement(ground, name, written))
                except PolicyError as error:
                    if written.state != "revoked":
                        problems.extend(error.problems)
            if problems:
                raise PolicyError(problems)
            self._forget_all_but(ground, agreements)
        return AgreementBook.of(agreements, ground.dictionary, ground.programmes)

    def _read_ground(self, texts: PolicyTexts) -> _Ground:
        named = [("", texts.dictionary), *sorted(texts.programmes.items())]
        key = hashlib.sha256(repr([(name, _sha256(text)) for name, text in named]).encode()).hexdigest()
        if self._ground is not None and self._ground.key == key:
            return self._ground
        dictionary = parse_dictionary(texts.dictionary, f"{DICTIONARY_NAME}.yaml")
        programmes: dict[str, ProgrammeRule] = {}
        problems: list[str] = []
        for name, text in sorted(texts.programmes.items()):
            try:
                rule = parse_programme(text, f"{name}.yaml", dictionary)
            except PolicyError as error:
                problems.extend(error.problems)
            else:
                programmes[rule.programme] = rule
        if problems:
            raise PolicyError(problems)
        words = repr([_sha256(texts.dictionary), sorted(programmes)])
        return _Ground(key, words, dictionary, programmes)

    def _agreement(self, ground: _Ground, name: str, written: AgreementText) -> Agreement:
        agreement = self._parsed(ground, name, written.text)
        return replace(
            agreement,
            state=written.state,
            suspension=written.suspension,
            withdrawn=self._withdrawn(ground, name, written.before, agreement) if written.before else {},
        )

    def _withdrawn(
        self, ground: _Ground, name: str, before: bytes, agreement: Agreement
    ) -> Mapping[str, int]:
        try:
            old = self._parsed(ground, name, before)
        except PolicyError:
            return {}  # under the dictionary of today nobody can say what it released
        return withdrawn_fields(old, agreement, ground.dictionary)

    def _parsed(self, ground: _Ground, name: str, text: bytes) -> Agreement:
        key = (ground.words, name, _sha256(text))
        known = self._agreements.get(key)
        if known is None:
            known = parse_agreement(text, f"{name}.yaml", ground.dictionary, ground.programmes)
            self._agreements[key] = known
        return known

    def _forget_all_but(self, ground: _Ground, agreements: list[Agreement]) -> None:
        """Drop what was read on another ground; on this one drafts that were tried are few."""
        if self._ground is not None and self._ground.words != ground.words:
            self._agreements = {
                key: one
                for key, one in self._agreements.items()
                if key[0] in {ground.words, self._ground.words}
            }
        self._ground = ground
        self._largest = max(self._largest, len(agreements))
        if len(self._agreements) > 4 * self._largest + 1000:
            self._agreements.clear()


def case_problems(agreement_id: str, cases: bytes, book: AgreementBook) -> list[str]:
    """What keeps the cases of one agreement of the book from holding; to have none is a problem."""
    found = next((one for one in book.agreements if one.id == agreement_id), None)
    if found is None:
        name = f"{agreement_id}.cases.yaml"
        return [f"{name}:1: expected an agreement beside it, got none, write one or remove it"]
    return problems_of_cases(found, cases, book)


def problems_of_cases(agreement: Agreement, cases: bytes, book: AgreementBook) -> list[str]:
    """The same of an agreement that is at hand."""
    name = f"{agreement.id}.cases.yaml"
    if not cases:
        return [f"{name}:1: expected cases that say what the agreement means, got none, write at least one"]
    try:
        parsed = parse_cases(cases, name, agreement, book.dictionary)
    except PolicyError as error:
        return error.problems
    return [problem for case in parsed for problem in run_case(case, book)]


def own_number(text: bytes) -> int:
    """The version number that a text gives itself, readable or not as a whole; 1 where it gives none."""
    found = _OWN_NUMBER.search(text)
    return int(found[1]) if found else 1


def same_but_for_number(one: bytes, other: bytes) -> bool:
    """Whether two texts are the same but for the number that each gives itself."""
    return _OWN_NUMBER.sub(b"version:", one, count=1) == _OWN_NUMBER.sub(b"version:", other, count=1)


def line_of_number(text: bytes) -> int:
    """The line, from 1, on which a text gives itself a number; 1 where it gives none."""
    found = _OWN_NUMBER.search(text)
    return text.count(b"\n", 0, found.start()) + 1 if found else 1


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
