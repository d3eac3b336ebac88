"""What the routes of `/admin/v1/policies` take and give. It decides nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.judging import Difference
from gateway.agreements.keepable import LONGEST_TEXT_BYTES
from gateway.agreements.lifecycle import (
    NEEDS_REASON,
    NOT_JUDGED,
    ROLES_FOR,
    Act,
    Judgement,
    Kind,
    State,
    Unmet,
    Version,
)
from gateway.agreements.listing import Listed
from gateway.agreements.refused import difference_in_words
from gateway.agreements.store import Done
from gateway.api.exchanges import BothLanguages
from gateway.errors import PreconditionMissing
from gateway.staff.roles import Role
from policies.agreement import Standing as AgreementStanding
from policies.dictionary import Text

Name = Annotated[str, Path(min_length=1, max_length=80, examples=["bpjs-pbi-jk"])]
Number = Annotated[int, Path(ge=1, le=9999, examples=[1])]
IfMatch = Annotated[
    str | None,
    Header(
        description="The ETag of the version as you saw it; without it the answer is 428.",
        examples=['"9f86d081884c7d659a2feaa0c55ad015"'],
        max_length=64,
    ),
]
_Reason = Annotated[
    str,
    Field(
        max_length=500,
        description="Why, for the audit log. Names no person of the registry.",
        examples=["Adendum CONTOH-ADD-1/2026"],
    ),
]
_EXAMPLE_TEXT = "id: bpjs-pbi-jk\nversion: 2\nconsumer: bpjs-kesehatan\n"
_EXAMPLE_CASES = "people:\n  bu Sari: {sex: P}\n\ncases:\n  - case: {id: ..., en: ...}\n"


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PolicyText(_Form):
    """A text and its cases, as git would hold them: they are kept and given back byte for byte."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT_BYTES, examples=[_EXAMPLE_TEXT])]
    cases: Annotated[
        str,
        Field(
            max_length=LONGEST_TEXT_BYTES,
            description="Of an agreement: what it means, person by person. Empty for other kinds.",
            examples=[_EXAMPLE_CASES],
        ),
    ] = ""
    reason: _Reason = ""


class ReasonToAct(_Form):
    """Why an act is done; some acts need it."""

    reason: _Reason = ""


class NewCase(_Form):
    """A cases file with one person and one case, as a preview offers it."""

    case: Annotated[str, Field(min_length=1, max_length=20_000, examples=[_EXAMPLE_CASES])]
    reason: _Reason = ""


class Condition(BaseModel):
    """A condition that is not met, what it is about, and who can meet it. `code` is stable."""

    code: str
    what: BothLanguages
    who: BothLanguages


class PossibleAct(BaseModel):
    """An act that makes sense in the version's state; `unmet` is empty if you may do it now."""

    act: Act
    roles: list[Role]
    needs_reason: bool
    unmet: list[Condition]


class NeededDocument(BaseModel):
    """A document that an agreement does not name yet, and why it needs it."""

    kind: str = Field(examples=["mou"])
    why: BothLanguages


class ChangedClause(BaseModel):
    """One clause that differs: `wider` opens, `narrower` closes, `neutral` does neither."""

    path: str = Field(examples=["fields.birth_date"])
    way: Literal["wider", "narrower", "neutral"]
    words: BothLanguages


class PolicyDifference(BaseModel):
    """How a text differs from another. `direction` is null while one of them cannot be read."""

    against: int | None = Field(description="The version compared with; null where there is none.")
    direction: Literal["unchanged", "narrowing", "widening"] | None
    items: list[ChangedClause]
    lines: list[str] = Field(description="The differing lines, as `diff -u` shows them.")


class VersionSummary(BaseModel):
    """One version of a policy, without its texts. Moments are UTC."""

    version: int
    state: State
    sha256: str
    etag: str = Field(description="What `If-Match` asks for, without the quotes.")
    author: str
    editors: list[str]
    approver: str | None
    suspended_by: str | None
    reason: str = Field(
        description="Why the last act was done; of a suspended version the consumer reads it."
    )
    created_at: datetime
    changed_at: datetime = Field(description="When it came to its state, or was last edited.")


class PolicyVersion(VersionSummary):
    """One version with its texts, what may be done with it, and what it would change."""

    resumable_by: list[str] | None = Field(
        description="Of a suspended version: the approvers who neither wrote nor suspended it; else null."
    )
    resumable_afterwards: list[str] | None = Field(
        description="Of an agreement that answers: the approvers who could let it answer again if you "
        "suspended it; else null."
    )
    missing_documents: list[NeededDocument] | None = Field(
        description="What it has to name before it can be put into force; null while the text has mistakes, "
        "and of a version that is not on its way into force."
    )
    kind: Kind
    name: str
    text: str
    cases: str
    problems: list[str] = Field(
        description="Why it would not load or hold: `FILE:LINE: ... expected ..., got ..., write ...`."
    )
    acts: list[PossibleAct]
    difference: PolicyDifference = Field(description="Against the version in force.")


class PolicySummary(BaseModel):
    """One policy: what is in force, and what is being worked on."""

    kind: Kind
    name: str
    standing: State | AgreementStanding = Field(description="As of today (WIB): the clock alone expires.")
    in_force: int | None
    open_version: int | None
    open_state: State | None
    newest: int = Field(description="The number of the newest version.")
    title: BothLanguages | None = Field(description="As the version that speaks for it says it, if it does.")
    consumer: str | None = Field(description="Of an agreement.")
    purpose: str | None = Field(description="Of an agreement.")
    valid_from: date | None = Field(description="Of an agreement: its first day.")
    valid_until: date | None = Field(description="Of an agreement: its last day.")
    suspended_since: datetime | None = Field(description="Of a suspended agreement: since when (UTC).")
    suspended_for: str | None = Field(description="Of a suspended agreement: the reason that was given.")


class PolicyList(BaseModel):
    """A page of the policies."""

    policies: list[PolicySummary]
    page: int
    per_page: int
    total: int = Field(description="How many there are on all pages.")


class PolicyAct(BaseModel):
    """An act of the history. `at` is UTC."""

    version: int
    act: Act
    actor: str
    reason: str
    sha256: str
    at: datetime


class PolicyDetail(PolicySummary):
    """One policy with its versions and its history, the newest first."""

    versions: list[VersionSummary]
    history: list[PolicyAct]


def etag_of(if_match: str | None) -> str:
    """The ETag that a header names. Raises PreconditionMissing."""
    if if_match is None or not if_match.strip():
        raise PreconditionMissing(
            Text(
                "If-Match: diharapkan ETag versi seperti yang Anda lihat: baca (GET) versinya dahulu.",
                "If-Match: expected the ETag of the version as you saw it, got none: GET the version first.",
            )
        )
    return if_match.strip().removeprefix("W/").strip('"')


def summary_of_version(version: Version) -> VersionSummary:
    """A version as lists show it."""
    return VersionSummary(**_facts(version))


def summary_out(listed: Listed) -> dict[str, Any]:
    """The members of a policy's summary."""
    told = dataclasses.asdict(listed)
    title = [told.pop(name) for name in ("title_id", "title_en")]
    first = next(filter(None, title), None)
    words = BothLanguages(id=title[0] or first, en=title[1] or first) if first else None
    return {**told, "title": words}


def version_out(
    version: Version,
    judgement: Judgement,
    possible: Mapping[Act, tuple[Unmet, ...]],
    difference: PolicyDifference,
    resumable_by: Sequence[str] | None,
    resumable_afterwards: Sequence[str] | None,
) -> PolicyVersion:
    """A version in full."""
    return PolicyVersion(
        resumable_by=None if resumable_by is None else list(resumable_by),
        resumable_afterwards=None if resumable_afterwards is None else list(resumable_afterwards),
        missing_documents=_needed(judgement),
        **_facts(version),
        kind=version.kind,
        name=version.name,
        text=version.text.decode(),
        cases=version.cases.decode(),
        problems=list(judgement.problems),
        acts=[
            PossibleAct(
                act=act,
                roles=list(ROLES_FOR[act]),
                needs_reason=act in NEEDS_REASON,
                unmet=[_condition(one) for one in conditions],
            )
            for act, conditions in possible.items()
        ],
        difference=difference,
    )


def difference_out(difference: Difference, against: Version | None) -> PolicyDifference:
    """A difference, in words as far as both texts can be read."""
    told = difference_in_words(difference)
    return PolicyDifference(against=against.version if against is not None else None, **told)


def act_out(done: Done) -> PolicyAct:
    """An act of the history."""
    return PolicyAct.model_validate(done, from_attributes=True)


def _needed(judgement: Judgement) -> list[NeededDocument] | None:
    missing = None if judgement is NOT_JUDGED else judgement.documents
    if missing is None:
        return None
    return [NeededDocument(kind=one.kind, why=BothLanguages(id=one.why.id, en=one.why.en)) for one in missing]


def _condition(one: Unmet) -> Condition:
    return Condition(
        code=one.code,
        what=BothLanguages(id=one.what.id, en=one.what.en),
        who=BothLanguages(id=one.who.id, en=one.who.en),
    )


def _facts(version: Version) -> dict[str, Any]:
    names = set(VersionSummary.model_fields) - {"editors"}
    return {name: getattr(version, name) for name in names} | {"editors": sorted(version.editors)}
