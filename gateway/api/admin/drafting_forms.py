"""What the routes take and give by which a draft is filled in without writing YAML. It decides nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.agreements.lifecycle import State, Version
from gateway.agreements.matrix import Chosen, Option, Release, Row
from gateway.agreements.terms import Terms, warnings
from gateway.api.exchanges import BothLanguages
from policies.checklist import MissingDocument
from policies.dictionary import Text

_Word = Annotated[str, Field(min_length=1, max_length=80)]
_Line = Annotated[str, Field(min_length=1, max_length=300)]
_Reason = Annotated[str, Field(max_length=500, description="Why, for the audit log. Names no person.")]
_Amount = Annotated[int, Field(ge=1, le=300_000_000)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class CopiedFrom(_Form):
    """A version of a policy of the same kind."""

    name: _Word
    version: Annotated[int, Field(ge=1, le=9999)]


class Beginning(_Form):
    """With which text a draft begins. Its heading is for a new agreement: what is left out is copied."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"copy_of": {"name": "bpjs-pbi-jk", "version": 1}, "reason": "adendum"}]
        }
    )

    copy_of: Annotated[
        CopiedFrom | None, Field(description="Left out, an outline that releases nothing; agreements only.")
    ] = None
    title_id: _Line | None = None
    title_en: _Line | None = None
    consumer: _Word | None = None
    purpose: _Word | None = None
    pks: Annotated[_Line | None, Field(description="The number of the new agreement's document.")] = None
    reason: _Reason = ""


class ChosenOut(BaseModel):
    """How a field is released, with what that needs."""

    release: Release
    to: str | None
    years: int | None
    show_first: int | None
    ranges: list[str] | None
    words: BothLanguages | None = Field(description="In which form it leaves.")


class OptionOut(BaseModel):
    """One way that a field could be released; `why_not` is null where it may."""

    release: Release
    why_not: BothLanguages | None
    above: bool = Field(description="Whether it may not because of the dictionary's ceiling.")
    to: list[str]
    most_shown: int | None
    takes_ranges: bool


class FieldRow(BaseModel):
    """One field of the matrix."""

    field: str
    label: BothLanguages
    type: str
    unit: str | None
    sensitivity: str
    source: str
    ceiling: str
    named: bool = Field(description="Whether the text names it: what it does not name is not released.")
    chosen: ChosenOut | None = Field(description="null where what is written cannot be read.")
    problem: str | None
    active: ChosenOut | None = Field(description="In the version in force; null where it does not name it.")
    options: list[OptionOut]
    basis: str | None = Field(description="The legal basis on which it rests, where not on all of them.")


class FieldGroup(BaseModel):
    """Fields under one heading of the dictionary."""

    name: str = Field(examples=["Identity"])
    fields: list[FieldRow]


class MatrixOut(BaseModel):
    """Every field of the dictionary, and how this version releases it."""

    version: int
    state: State
    etag: str
    active_version: int | None
    readable: bool = Field(description="Whether the text is YAML at all; if not, no field is told of it.")
    legal_basis: list[str]
    groups: list[FieldGroup]


class FieldChoice(_Form):
    """How a field is to be released."""

    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["birth_date"])]
    release: Release
    to: Annotated[str | None, Field(max_length=16, examples=["year"])] = None
    years: Annotated[int | None, Field(ge=1, le=100)] = None
    show_first: Annotated[int | None, Field(ge=0, le=16)] = None
    ranges: Annotated[list[Annotated[str, Field(max_length=20)]] | None, Field(max_length=50)] = None
    basis: Annotated[str | None, Field(max_length=300, description="Empty: all legal bases.")] = None


class MatrixForm(_Form):
    """Choices for fields; a field that is not named stays as the text has it."""

    choices: Annotated[list[FieldChoice], Field(max_length=500)]
    reason: _Reason = ""


class DocumentRow(BaseModel):
    """One document of the checklist; `why` it is needed where it is missing."""

    kind: str
    number: str | None
    why: BothLanguages | None


class NamedRegion(BaseModel):
    """A region's code with its name, null for a code that is not in force."""

    code: str
    name: str | None
    path: str | None = Field(description="From the region up to its province.")


class TermsWarning(BaseModel):
    """A field of the terms with what is odd about it."""

    field: str
    words: BothLanguages


class TermsOut(BaseModel):
    """An agreement's terms as they are written, beside its fields."""

    version: int
    state: State
    etag: str
    readable: bool = Field(description="Whether the text is YAML at all; if not, no term is told of it.")
    title: dict[str, str]
    consumer: str | None
    purpose: str | None
    legal_basis: list[str]
    documents: list[DocumentRow]
    documents_judged: bool = Field(
        description="Whether it is known which documents are needed: not while the text has mistakes."
    )
    valid_from: str | None
    valid_until: str | None
    operations: list[str]
    programmes: list[str]
    everywhere: bool
    regions: list[NamedRegion]
    anyone: bool
    enrolled_in: list[str]
    subjects_per_request: str | None
    limits: dict[str, str]
    pseudonym_sector: str | None
    reasons: str | None
    on_source_failure: str | None
    last_known_max_age_days: str | None
    disclosure_delay: dict[str, str]
    translation: dict[str, str]
    known_programmes: list[str] = Field(description="Those that have a rule.")
    known_consumers: list[str] = Field(description="Those that are registered.")
    warnings: list[TermsWarning] = Field(description="What is kept and cannot be meant so.")


class TitleForm(_Form):
    """A title in both languages."""

    id: _Line
    en: _Line


class LimitsForm(_Form):
    """How much may be asked, by all credentials of the consumer together."""

    requests_per_minute: _Amount
    subjects_per_day: _Amount
    new_people_per_day: _Amount


class TermsForm(_Form):
    """Terms to be written; what is left out stays as the text has it."""

    title: TitleForm | None = None
    consumer: _Word | None = None
    purpose: _Word | None = None
    legal_basis: Annotated[list[_Line] | None, Field(max_length=50)] = None
    documents: Annotated[
        dict[_Word, Annotated[str, Field(max_length=200)]] | None,
        Field(description="Numbers by kind; empty removes."),
    ] = None
    valid_from: date | None = None
    valid_until: date | None = None
    operations: Annotated[list[_Word] | None, Field(max_length=10)] = None
    programmes: Annotated[list[_Word] | None, Field(max_length=100)] = None
    regions: Literal["everywhere"] | Annotated[list[_Word], Field(max_length=600)] | None = None
    enrolled_in: Literal["anyone"] | Annotated[list[_Word], Field(max_length=100)] | None = None
    subjects_per_request: Annotated[int | None, Field(ge=1, le=1000)] = None
    limits: LimitsForm | None = None
    pseudonym_sector: Annotated[_Word | None, Field(description="`none` for no pseudonyms.")] = None
    reasons: bool | None = None
    on_source_failure: Literal["partial", "refuse"] | None = None
    last_known_max_age_days: Annotated[int, Field(ge=0, le=3650)] | Literal["none"] | None = None
    reason: _Reason = ""


def matrix_out(version: Version, rows: Sequence[Row], active_version: int | None, terms: Terms) -> MatrixOut:
    """The matrix as it is shown."""
    groups: dict[str, list[FieldRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(_row_out(row))
    return MatrixOut(
        version=version.version,
        state=version.state,
        etag=version.etag,
        active_version=active_version,
        readable=terms.readable,
        legal_basis=list(terms.legal_basis),
        groups=[FieldGroup(name=name, fields=fields) for name, fields in groups.items()],
    )


def terms_out(
    version: Version,
    terms: Terms,
    missing: Iterable[MissingDocument] | None,
    regions: Sequence[NamedRegion],
    kinds: Sequence[str],
    programmes: Iterable[str],
    consumers: Collection[str],
) -> TermsOut:
    """The terms as they are shown, `kinds` of documents among them; None is `missing` while nobody knows."""
    why = {one.kind: one.why for one in missing or ()}
    told: dict[str, Any] = {
        one.name: getattr(terms, one.name) for one in dataclasses.fields(terms) if one.name != "documents"
    }
    told["regions"] = regions
    return TermsOut(
        **told,
        version=version.version,
        state=version.state,
        etag=version.etag,
        documents=[
            DocumentRow(kind=kind, number=terms.documents.get(kind), why=_both(why.get(kind)))
            for kind in kinds
        ],
        documents_judged=missing is not None,
        known_programmes=sorted(programmes),
        known_consumers=sorted(consumers),
        warnings=[
            TermsWarning(field=name, words=BothLanguages(id=words.id, en=words.en))
            for name, words in warnings(terms, consumers)
        ],
    )


def choices_of(form: MatrixForm) -> tuple[Mapping[str, Chosen], Mapping[str, str | None]]:
    """The choices that a form makes, and the legal bases that it names, by field."""
    choices = {
        one.field: Chosen(
            one.release, one.to, one.years, one.show_first, None if one.ranges is None else tuple(one.ranges)
        )
        for one in form.choices
    }
    return choices, {one.field: one.basis for one in form.choices if one.basis is not None}


def _row_out(row: Row) -> FieldRow:
    field = row.field
    return FieldRow(
        field=field.name,
        label=BothLanguages(id=field.label.id, en=field.label.en),
        type=field.type,
        unit=field.unit,
        sensitivity=field.sensitivity,
        source=field.source,
        ceiling=field.ceiling.name.lower(),
        named=row.named,
        chosen=_chosen_out(row.chosen),
        problem=row.problem,
        active=_chosen_out(row.active),
        options=[_option_out(option) for option in row.options],
        basis=row.basis,
    )


def _chosen_out(chosen: Chosen | None) -> ChosenOut | None:
    if chosen is None:
        return None
    return ChosenOut(
        release=chosen.release,
        to=chosen.to,
        years=chosen.years,
        show_first=chosen.show_first,
        ranges=list(chosen.ranges) if chosen.ranges is not None else None,
        words=_both(chosen.words),
    )


def _option_out(option: Option) -> OptionOut:
    return OptionOut(
        release=option.release,
        why_not=_both(option.why_not),
        above=option.above,
        to=list(option.to),
        most_shown=option.most_shown,
        takes_ranges=option.takes_ranges,
    )


def _both(text: Text | None) -> BothLanguages | None:
    return None if text is None else BothLanguages(id=text.id, en=text.en)
