"""Agreements (PKS): what one consumer may receive, for one purpose, on which legal basis, until when.

An agreement is a file that lawyers and administrators can read. It is loaded strictly: what is empty,
unknown or above a field's ceiling is refused with its line and the remedy, and "everything" has to be spelt
out (`everywhere`, `anyone`, `none`). An agreement is identified by the hash of its file's bytes, which
travels into every answer and audit entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from policies import regions
from policies.conditions import ProgrammeRule
from policies.dictionary import Field, Text, read_text
from policies.errors import PolicyError
from policies.strict_yaml import NAME, SLUG, Part, advice, read_yaml
from policies.transforms import Transformation, compile_transformation, exceeds_ceiling

if TYPE_CHECKING:
    from policies.plan import Deny, Permit

ELIGIBILITY, RECORDS = "eligibility", "records"
OPERATIONS = (ELIGIBILITY, RECORDS)
ACTIVE, SUSPENDED = "active", "suspended"
PARTIAL, REFUSE = "partial", "refuse"
MOST_SUBJECTS = 1000
CASES_SUFFIX = ".cases.yaml"

# UU 27/2022 art. 34: matching data sets and automated decisions need an impact assessment beforehand.
_REQUIRED_DOCUMENTS = ("pks", "dpia")
_SLUG_ADVICE = "lower-case letters, digits and hyphens"
_DOCUMENT = re.compile(r"\S(.*\S)?")

Result = TypeVar("Result")
Standing = Literal["active", "suspended", "expired", "not_yet_valid"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which people an agreement is about. None means everywhere, or anyone."""

    regions: frozenset[str] | None
    enrolled_in: frozenset[str] | None


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """One agreement as its file says it. `valid_until` is the last day on which it holds.

    `sha256` is of the file's bytes. `fields` holds one compiled transformation for each field named,
    `drop` included: a field that is dropped is withheld by a decision, not by an oversight. `reasons` lets
    out what each clause of a programme rule said, and so a yes or no about every field that the rule reads.
    """

    id: str
    version: int
    sha256: str
    state: str
    consumer: str
    title: Text
    purpose: str
    legal_basis: tuple[str, ...]
    documents: Mapping[str, str]
    valid_from: date
    valid_until: date
    operations: tuple[str, ...]
    programmes: tuple[str, ...]
    scope: Scope
    pseudonym_sector: str | None
    reasons: bool
    fields: Mapping[str, Transformation]
    on_source_failure: str
    subjects_per_request: int

    @property
    def cited(self) -> Text:
        """How a sentence names this agreement."""
        return Text(
            f"Perjanjian {self.id} versi {self.version}", f"Agreement {self.id} version {self.version}"
        )

    def standing(self, today: date) -> Standing:
        """How it stands on a day (civil date of Indonesia). What is over stays over, suspended or not."""
        if today < self.valid_from:
            return "not_yet_valid"
        if today > self.valid_until:
            return "expired"
        return "suspended" if self.state == SUSPENDED else "active"


PlanKey = tuple[str, str, str | None, tuple[str, ...] | None, frozenset[str]]


@dataclass(frozen=True, slots=True, eq=False)
class AgreementBook:
    """All agreements, with the dictionary and the rules that they were checked against. Immutable.

    A changed policy is a new book. `plans` belongs to `decide`: it forgets, and holds nothing that could not
    be worked out again.
    """

    dictionary: Mapping[str, Field]
    programmes: Mapping[str, ProgrammeRule]
    agreements: tuple[Agreement, ...]
    by_consumer: Mapping[str, Mapping[str, Agreement]]
    plans: dict[PlanKey, Permit | Deny] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        agreements: Sequence[Agreement],
        dictionary: Mapping[str, Field],
        programmes: Mapping[str, ProgrammeRule],
    ) -> AgreementBook:
        """A book over these agreements, in which a purpose picks exactly one agreement of a consumer.

        Raises PolicyError if two agreements of one consumer share a purpose.
        """
        problems: list[str] = []
        by_consumer: dict[str, dict[str, Agreement]] = {}
        for agreement in agreements:
            own = by_consumer.setdefault(agreement.consumer, {})
            other = own.setdefault(agreement.purpose, agreement)
            if other is not agreement:
                problems.append(
                    f"{agreement.id}.yaml:1: purpose: expected one agreement of {agreement.consumer} for "
                    f"{agreement.purpose}, got {other.id} as well, write another purpose or remove one"
                )
        if problems:
            raise PolicyError(problems)
        return cls(dictionary, programmes, tuple(agreements), by_consumer)

    def agreements_of(self, consumer_id: str) -> tuple[Agreement, ...]:
        """Every agreement of one consumer, whatever its state; empty if it has none."""
        return tuple(self.by_consumer.get(consumer_id, {}).values())


def load_agreements(
    folder: Path, dictionary: Mapping[str, Field], programmes: Mapping[str, ProgrammeRule]
) -> AgreementBook:
    """Every `*.yaml` of a folder but its cases. Raises PolicyError with the problems of all files."""
    agreements: list[Agreement] = []
    problems: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(CASES_SUFFIX):
            continue
        if path.suffix != ".yaml":
            problems.append(
                f"{path}:1: expected only .yaml files, got another, write it elsewhere or rename it"
            )
            continue
        try:
            agreements.append(load_agreement(path, dictionary, programmes))
        except PolicyError as error:
            problems.extend(error.problems)
    if problems:
        raise PolicyError(problems)
    return AgreementBook.of(agreements, dictionary, programmes)


def load_agreement(
    path: Path, dictionary: Mapping[str, Field], programmes: Mapping[str, ProgrammeRule]
) -> Agreement:
    """One agreement. Raises PolicyError with all problems of the file at once."""
    root = read_yaml(path)
    parts = root.mapping(_REQUIRED, _OPTIONAL)
    operations = parts["operations"].words(OPERATIONS, "a list of operations")
    sector = _none_or(
        parts["pseudonym_sector"], lambda part: part.text("a sector, or `none`", SLUG, _SLUG_ADVICE)
    )
    agreement = Agreement(
        id=_id(parts["id"], path),
        version=parts["version"].whole_number(1, 9999),
        sha256=root.file.sha256,
        state=parts["state"].word((ACTIVE, SUSPENDED)),
        consumer=parts["consumer"].text("a consumer's id", SLUG, _SLUG_ADVICE),
        title=read_text(parts["title"]),
        purpose=parts["purpose"].text("one purpose", SLUG, _SLUG_ADVICE),
        legal_basis=tuple(
            item.text("a law and article") for item in parts["legal_basis"].items("a list of legal bases")
        ),
        documents=_documents(parts["documents"]),
        valid_from=parts["valid_from"].day(),
        valid_until=_last_day(parts),
        operations=operations,
        programmes=_programmes(root, parts, operations, programmes),
        scope=_scope(parts["scope"], programmes),
        pseudonym_sector=sector,
        reasons=parts["reasons"].truth(),
        fields=_fields(parts["fields"], dictionary, operations, sector),
        on_source_failure=parts["on_source_failure"].word((PARTIAL, REFUSE)),
        subjects_per_request=parts["subjects_per_request"].whole_number(1, MOST_SUBJECTS),
    )
    root.file.finish()
    return agreement


_REQUIRED = (
    "id",
    "version",
    "state",
    "consumer",
    "title",
    "purpose",
    "legal_basis",
    "documents",
    "valid_from",
    "valid_until",
    "operations",
    "scope",
    "subjects_per_request",
    "pseudonym_sector",
    "reasons",
    "on_source_failure",
    "fields",
)
_OPTIONAL = ("programmes",)


def _id(part: Part, path: Path) -> str:
    written = part.text("the agreement's id", SLUG, _SLUG_ADVICE)
    if written != path.stem:
        part.refuse(f"the id that the file is named after, {path.stem}", "the same in both")
    return written


def _documents(part: Part) -> Mapping[str, str]:
    documents = {
        key.text("a kind of document", NAME): value.text("a document's number", _DOCUMENT, "its number")
        for key, value in part.entries("the numbers of the documents")
    }
    for name in _REQUIRED_DOCUMENTS:
        if name not in documents:
            part.refuse(f"the number of the {name}", f"`{name}: number`", got="none")
    return documents


def _last_day(parts: Mapping[str, Part]) -> date:
    first, last = parts["valid_from"].day(), parts["valid_until"].day()
    if not parts["valid_from"].refused and last < first:
        parts["valid_until"].refuse("a day not before valid_from", "the last day on which it holds")
    return last


def _programmes(
    root: Part, parts: Mapping[str, Part], operations: tuple[str, ...], known: Mapping[str, ProgrammeRule]
) -> tuple[str, ...]:
    """The programmes it may ask about: named if, and only if, eligibility is among its operations."""
    if "programmes" not in parts:
        if ELIGIBILITY in operations:
            root.lack("programmes", "`programmes: [...]` with those that may be asked about")
        return ()
    if ELIGIBILITY not in operations and not parts["operations"].refused:
        parts["programmes"].refuse("no programmes without the operation eligibility", "the line away")
    return parts["programmes"].words(known, "a list of programmes")


def _scope(part: Part, known: Mapping[str, ProgrammeRule]) -> Scope:
    parts = part.mapping(("regions", "enrolled_in"))
    where, who = parts["regions"], parts["enrolled_in"]
    return Scope(
        regions=None if where.is_word("everywhere") else _regions(where),
        enrolled_in=None
        if who.is_word("anyone")
        else frozenset(who.words(known, "`anyone`, or a list of programmes")),
    )


def _regions(part: Part) -> frozenset[str]:
    codes: set[str] = set()
    for item in part.items("`everywhere`, or a list of region codes"):
        code = item.text("a dotted region code in quotes")
        if not regions.is_region_code(code):
            item.refuse(
                "a dotted region code in quotes", 'it as "35", "35.78", "35.78.01" or "35.78.01.1001"'
            )
        codes.add(code)
    return frozenset(codes)


def _fields(
    part: Part, dictionary: Mapping[str, Field], operations: tuple[str, ...], sector: str | None
) -> Mapping[str, Transformation]:
    if part.is_word("none"):
        if RECORDS in operations:
            part.refuse("fields, because records are released", "at least one field, such as `decile: keep`")
        return MappingProxyType({})
    compiled: dict[str, Transformation] = {}
    for key, value in part.entries("one line per field, or `none`"):
        if key.raw not in dictionary:
            key.refuse("a field of the dictionary", advice(key.raw, list(dictionary)), got=repr(key.raw))
            continue
        transformation = _transformation(dictionary, key.raw, value)
        if transformation is None:
            continue
        if transformation.needs_sector_key and sector is None:
            value.refuse(
                "pseudonym_sector beside a pseudonymised field", "a sector, or another transformation"
            )
        compiled[key.raw] = transformation
    if compiled and all(transformation.name == "drop" for transformation in compiled.values()):
        part.refuse("a field that is released", "`none` if only the decision is", got="only dropped fields")
    return MappingProxyType(compiled)


def _transformation(dictionary: Mapping[str, Field], name: str, part: Part) -> Transformation | None:
    found_before = len(part.file.found)
    spec = _plain(part)
    if len(part.file.found) > found_before:
        return None
    try:
        transformation = compile_transformation(dictionary[name], spec)
    except PolicyError as error:
        part.complain(error.problems[0])
        return None
    if exceeds_ceiling(transformation, dictionary, name):
        part.refuse(
            f"no more than the ceiling of {transformation.reads}, which this reads", "a coarser level"
        )
    return transformation


def _plain(part: Part) -> object:
    """A transformation's YAML as plain values; what they mean is for `compile_transformation` to judge."""
    if part.is_mapping():
        return {key.raw: _plain(value) for key, value in part.entries()}
    if part.is_list():
        return [item.scalar("a range in quotes") for item in part.items("a list of ranges")]
    return part.scalar("a transformation")


def _none_or(part: Part, read: Callable[[Part], Result]) -> Result | None:
    return None if part.is_word("none") else read(part)
