"""Agreements (PKS): what one consumer may receive, for one purpose, on which legal basis, until when.

An agreement is a file that lawyers and administrators can read. It is loaded strictly: what is empty,
unknown or above a field's ceiling is refused with its line and the remedy, and "everything" has to be spelt
out (`everywhere`, `anyone`, `none`). An agreement is identified by the hash of its text's bytes, which
travels into every answer and audit entry.

Whether an agreement is in force is not in its text: that is its life cycle's, and is given by whoever loads
it. What is still a draft, submitted or approved MUST NOT be put into a book: a book decides requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from policies.basis import read_field_basis
from policies.bounds import Limits, Scope, read_limits, read_scope
from policies.conditions import ProgrammeRule
from policies.dictionary import Field, Text, read_text
from policies.disclosure import DisclosureDelay, read_delay
from policies.errors import PolicyError
from policies.strict_yaml import SLUG, Part, advice, content_of, parse_yaml
from policies.transforms import Transformation, compile_transformation, exceeds_ceiling
from policies.translation import TranslationGrant, read_grant

if TYPE_CHECKING:
    from policies.plan import Deny, Permit

ELIGIBILITY, RECORDS = "eligibility", "records"
# A person asks, through an app that knows who they are, who looked at their record.
ACCESS_HISTORY = "access_history"
# A region fetches what reconciliation found of its people, and says what became of it.
FINDINGS = "findings"
OPERATIONS = (ELIGIBILITY, RECORDS, ACCESS_HISTORY, FINDINGS)
# The states of the life cycle in which an agreement may be in a book, if only for a refusal to name them.
ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
EXPIRED: Final = "expired"
REVOKED: Final = "revoked"
SUPERSEDED: Final = "superseded"
PARTIAL, REFUSE = "partial", "refuse"
MOST_SUBJECTS = 1000
OLDEST_LAST_KNOWN_DAYS = 3650
CASES_SUFFIX = ".cases.yaml"
DOCUMENT_KINDS = ("mou", "pks", "technical_terms", "nda", "sptjm", "dpia")

_SLUG_ADVICE = "lower-case letters, digits and hyphens, such as `bpjs-kesehatan`"
_DOCUMENT = re.compile(r"\S(.*\S)?")

Result = TypeVar("Result")
State = Literal["active", "suspended", "expired", "revoked", "superseded"]
Standing = Literal["active", "suspended", "expired", "not_yet_valid", "revoked", "superseded"]

_OVER: frozenset[str] = frozenset({EXPIRED, REVOKED, SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Suspension:
    """Since when nothing is answered (an aware moment, as the clocks of Indonesia's west show it), and why.

    `reference` is what was given as the reason, such as a letter's number. It is told to the consumer.
    """

    since: datetime
    reference: str


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """One agreement as its text says it, and how it stands. `valid_until` is the last day on which it holds.

    `sha256` is of the text's bytes. Not in the text, but given by whoever loads it, are `state`, `suspension`
    and `withdrawn`: the fields that the version before released to this consumer for this purpose and this
    one does not, with that version's number. `fields` holds one compiled transformation
    for each field named, `drop` included: a field that is dropped is withheld by a decision, not by an
    oversight. `reasons` lets out what each clause of a programme rule said, and so a yes or no about every
    field that the rule reads. `last_known_max_age_days` is how old an earlier answer of a source that is
    down may be to stand in for it; None means that none may. `field_basis` has, for fields that rest on one
    of the legal bases alone, which.
    """

    id: str
    version: int
    sha256: str
    state: State
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
    limits: Limits
    pseudonym_sector: str | None
    reasons: bool
    fields: Mapping[str, Transformation]
    on_source_failure: str
    last_known_max_age_days: int | None
    subjects_per_request: int
    disclosure_delay: DisclosureDelay | None = None
    translation: TranslationGrant | None = None
    suspension: Suspension | None = None
    withdrawn: Mapping[str, int] = field(default_factory=dict)
    field_basis: Mapping[str, str] = field(default_factory=dict)

    @property
    def cited(self) -> Text:
        """How a sentence names this agreement."""
        return Text(
            f"Perjanjian {self.id} versi {self.version}", f"Agreement {self.id} version {self.version}"
        )

    def standing(self, today: date) -> Standing:
        """How it stands on a day (civil date of Indonesia). What is over stays over, whatever the day.

        Only the state `active` can stand as active: any word that is not known counts as suspended.
        """
        if self.state in {REVOKED, SUPERSEDED}:
            return self.state
        if self.state == EXPIRED or today > self.valid_until:
            return "expired"
        if today < self.valid_from:
            return "not_yet_valid"
        return "active" if self.state == ACTIVE else "suspended"


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
    purposes: frozenset[str] = frozenset()
    plans: dict[PlanKey, Permit | Deny] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        agreements: Sequence[Agreement],
        dictionary: Mapping[str, Field],
        programmes: Mapping[str, ProgrammeRule],
    ) -> AgreementBook:
        """A book over these agreements, in which a purpose picks exactly one agreement of a consumer.

        One that is over gives way to one that is not, and among those that are over the last one speaks.
        Raises PolicyError if two that are not over share a consumer and a purpose.
        """
        problems: list[str] = []
        by_consumer: dict[str, dict[str, Agreement]] = {}
        for agreement in agreements:
            own = by_consumer.setdefault(agreement.consumer, {})
            other = own.get(agreement.purpose)
            if other is None or other.state in _OVER:
                own[agreement.purpose] = agreement
            elif agreement.state not in _OVER:
                problems.append(
                    f"{agreement.id}.yaml:1: purpose: expected one agreement of {agreement.consumer} for "
                    f"{agreement.purpose}, got {other.id} as well, write another purpose or remove one"
                )
        if problems:
            raise PolicyError(problems)
        purposes = frozenset(agreement.purpose for agreement in agreements)
        return cls(dictionary, programmes, tuple(agreements), by_consumer, purposes)

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
    path: Path,
    dictionary: Mapping[str, Field],
    programmes: Mapping[str, ProgrammeRule],
    state: State = ACTIVE,
) -> Agreement:
    """The agreement of a file. Raises PolicyError with all problems of the file at once."""
    return parse_agreement(content_of(path), str(path), dictionary, programmes, state)


def parse_agreement(
    text: bytes,
    name: str,
    dictionary: Mapping[str, Field],
    programmes: Mapping[str, ProgrammeRule],
    state: State = ACTIVE,
) -> Agreement:
    """The agreement that a text is, in the state given. Raises PolicyError with all problems at once.

    `name` is what messages call the text: a path, or `ID.yaml`. Its stem MUST be the agreement's id.
    """
    root = parse_yaml(text, name)
    parts = root.mapping(_REQUIRED, _OPTIONAL, _RETIRED)
    operations = parts["operations"].words(OPERATIONS, "a list of operations")
    sector = _none_or(
        parts["pseudonym_sector"], lambda part: part.text("a sector, or `none`", SLUG, _SLUG_ADVICE)
    )
    agreement = Agreement(
        id=_id(parts["id"], PurePath(name).stem),
        version=parts["version"].whole_number(1, 9999),
        sha256=root.file.sha256,
        state=state,
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
        scope=read_scope(parts["scope"], programmes),
        limits=read_limits(parts["limits"]),
        pseudonym_sector=sector,
        reasons=parts["reasons"].truth(),
        fields=_fields(parts["fields"], dictionary, operations, sector),
        on_source_failure=parts["on_source_failure"].word((PARTIAL, REFUSE)),
        last_known_max_age_days=parts["last_known_max_age_days"].whole_number(0, OLDEST_LAST_KNOWN_DAYS)
        if "last_known_max_age_days" in parts
        else None,
        subjects_per_request=parts["subjects_per_request"].whole_number(1, MOST_SUBJECTS),
        disclosure_delay=read_delay(parts["disclosure_delay"]) if "disclosure_delay" in parts else None,
        translation=read_grant(parts["translation"], sector, _SLUG_ADVICE)
        if "translation" in parts
        else None,
        field_basis=read_field_basis(parts["field_basis"], parts) if "field_basis" in parts else {},
    )
    root.file.finish()
    return agreement


_REQUIRED = (
    "id",
    "version",
    "consumer",
    "title",
    "purpose",
    "legal_basis",
    "documents",
    "valid_from",
    "valid_until",
    "operations",
    "scope",
    "limits",
    "subjects_per_request",
    "pseudonym_sector",
    "reasons",
    "on_source_failure",
    "fields",
)
_OPTIONAL = ("programmes", "last_known_max_age_days", "disclosure_delay", "translation", "field_basis")
_RETIRED = {"state": "nothing: leave the line away, the gateway keeps whether an agreement is in force"}


def _id(part: Part, stem: str) -> str:
    written = part.text("the agreement's id", SLUG, _SLUG_ADVICE)
    if written != stem:
        part.refuse(f"the id that the file is named after, {stem}", "the same in both")
    return written


def _documents(part: Part) -> Mapping[str, str]:
    """Their numbers by kind. Only the agreement's own is needed to read it; `checklist` asks for the rest."""
    documents = {
        key.word(DOCUMENT_KINDS): value.text("a document's number", _DOCUMENT, "its number")
        for key, value in part.entries("the numbers of the documents")
    }
    if "pks" not in documents:
        part.refuse("the number of the pks", "`pks: number`", got="none")
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
