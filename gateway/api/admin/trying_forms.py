"""How a preview and an impact look on the wire of the admin API: what staff send, and what they are shown."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.agreements.impact_words import told
from gateway.agreements.preview import Previewed, Tried
from gateway.agreements.replay import Replayed
from gateway.agreements.sides import FieldState, FieldTold, Side
from gateway.answer import UNANSWERED
from gateway.api.exchanges import BothLanguages
from gateway.api.malformed import own_check
from gateway.registry.personas import PERSONAS, persona
from policies.agreement import OPERATIONS
from policies.dictionary import Field as DictionaryField
from policies.dictionary import Text
from policies.impact import ConsumerImpact
from policies.plan import Plan

_Word = Annotated[str, Field(min_length=1, max_length=64)]


class PreviewForm(BaseModel):
    """The question to be tried, about one person: by `persona` (an invented one) or by `nik`."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {"persona": "eligible", "operation": "eligibility", "programme": "PBI-JK"},
                {"persona": "pkh_member", "operation": "records", "fields": ["birth_date", "decile"]},
            ]
        },
    )

    persona: Annotated[_Word | None, Field(description=f"One of {', '.join(p.key for p in PERSONAS)}.")] = (
        None
    )
    nik: Annotated[str | None, Field(max_length=64, description="16 digits, as text.")] = None
    operation: Annotated[_Word, Field(description=f"One of {', '.join(OPERATIONS)}.")]
    purpose: Annotated[_Word | None, Field(description="Left out, the agreement's.")] = None
    programme: _Word | None = None
    fields: Annotated[list[_Word] | None, Field(min_length=1, max_length=100)] = None
    on_date: date | None = None
    claims: Annotated[dict[_Word, Annotated[str, Field(max_length=256)]], Field(max_length=32)] = {}
    consumer: Annotated[_Word | None, Field(description="Left out, the agreement's.")] = None
    ask_sources: Annotated[
        bool, Field(description="Ask outside sources too. Of invented people only their simulators are.")
    ] = False
    reason: Annotated[
        str,
        Field(
            max_length=500,
            description="Why a real person is looked at, for the audit log; needs the role auditor or "
            "approver. Left out, only synthetic people are found. Names no person.",
        ),
    ] = ""

    @model_validator(mode="after")
    def _names_one_person(self) -> "PreviewForm":
        if (self.persona is None) == (self.nik is None):
            raise own_check("tepat satu dari persona dan nik", "exactly one of persona and nik")
        if self.persona is not None and self.persona not in {one.key for one in PERSONAS}:
            raise own_check(
                "sebagai persona, salah satu yang disebut kontrak",
                "as persona, one of those that the contract names",
            )
        return self

    @property
    def tried(self) -> Tried:
        """The question as the preview takes it."""
        return Tried(
            nik=persona(self.persona).nik if self.persona is not None else self.nik or "",
            operation=self.operation,
            purpose=self.purpose,
            programme=self.programme,
            fields=tuple(self.fields) if self.fields else None,
            on_date=self.on_date,
            claims=self.claims,
            consumer=self.consumer,
            ask_sources=self.ask_sources,
            reason=self.reason.strip(),
        )


class PersonaOut(BaseModel):
    """An invented person, by the key that a preview takes."""

    key: str
    name: str
    shows: str = Field(description="What asking about them shows.")


class PersonaList(BaseModel):
    """The invented people of every demo registry."""

    personas: list[PersonaOut]


class DeniedOut(BaseModel):
    """The refusal that the consumer would get."""

    code: str
    reason: BothLanguages
    remedy: BothLanguages


class NobodyOut(BaseModel):
    """Why nothing is said of the person. The consumer is not told whether somebody is out of its scope."""

    code: str
    words: BothLanguages
    out_of_scope: bool


class FieldOut(BaseModel):
    """What becomes of one field, and by which clause."""

    field: str
    label: BothLanguages | None
    state: FieldState
    released_as: str | None
    form: BothLanguages | None = Field(description="In which form it leaves, in words.")
    value: Any
    code: str | None = Field(description="Why it is withheld, if it is.")
    clause: BothLanguages
    ask_for: BothLanguages | None
    ceiling: str | None = Field(description="The most that any agreement may release of it.")
    source: str | None
    as_of: date | None


class SideOut(BaseModel):
    """What comes out under one set of policies: a refusal, nobody, or a decision and fields."""

    agreement: str | None
    version: int | None
    denied: DeniedOut | None
    nobody: NobodyOut | None
    decision: str | None
    clauses: dict[str, str] | None
    clause_words: dict[str, BothLanguages] = Field(description="What each clause of the rule says.")
    pseudonym: str | None = Field(description="`(pseudonym)` if the consumer gets one; never the real one.")
    fields: list[FieldOut]


class PreviewOut(BaseModel):
    """Both sides of a preview. `differences` names what is otherwise."""

    consumer: str
    registered: bool = Field(description="If not, it is taken as the agreement takes it for granted.")
    sandbox: bool
    decided_for: date = Field(description="The civil day on which both are asked.")
    on_date: date
    synthetic: bool | None = Field(description="null where nobody was found.")
    not_asked: list[str] = Field(description="Fields of outside sources that were left alone.")
    before: SideOut
    after: SideOut
    differences: list[str]
    case: str | None = Field(
        description="A cases file with this exchange, to be put into the draft's; for synthetic people only."
    )


class EffectOut(BaseModel):
    """One thing that would be otherwise for so many exchanges, a few of them by id."""

    kind: str
    what: str
    before: str | None
    after: str | None
    words: BothLanguages
    exchanges: int
    samples: list[str]


class ConsumerImpactOut(BaseModel):
    """What would be otherwise for one consumer: of so many exchanges, so many."""

    consumer: str
    name: str
    exchanges: int
    affected: int
    effects: list[EffectOut]


class ImpactOut(BaseModel):
    """The questions of the civil days `first` to `last`, decided anew."""

    first: date
    last: date
    decided_for: date
    exchanges: int
    left_out: int = Field(description="Of consumers that may not call now; they are not replayed.")
    of_its_consumer: int | None = Field(
        description="Of an agreement: what its consumer asked for its purpose; at 0 it was tried on nothing."
    )
    affected: int
    consumers: list[ConsumerImpactOut]


def preview_out(previewed: Previewed) -> PreviewOut:
    """A preview as it is shown."""
    return PreviewOut(
        consumer=previewed.asking.terms.id,
        registered=previewed.asking.registered,
        sandbox=previewed.asking.sandbox,
        decided_for=previewed.decided_for,
        on_date=previewed.on_date,
        synthetic=previewed.synthetic,
        not_asked=sorted(previewed.not_asked),
        before=_side(previewed.before),
        after=_side(previewed.after),
        differences=list(previewed.differences),
        case=previewed.case,
    )


def impact_out(replayed: Replayed) -> ImpactOut:
    """An impact as it is shown: consumers by id, of each the effects on most exchanges first."""
    dictionary = {**replayed.books.before.dictionary, **replayed.books.after.dictionary}
    return ImpactOut(
        first=replayed.first,
        last=replayed.last,
        decided_for=replayed.decided_for,
        exchanges=replayed.exchanges,
        left_out=replayed.left_out,
        of_its_consumer=replayed.of_its_consumer,
        affected=replayed.impact.affected,
        consumers=[
            _consumer(id_, replayed.names[id_], one, dictionary)
            for id_, one in replayed.impact.by_consumer.items()
        ],
    )


def both(text: Text) -> BothLanguages:
    """A sentence in both languages."""
    return BothLanguages(id=text.id, en=text.en)


def _consumer(
    id_: str, name: str, impact: ConsumerImpact, dictionary: Mapping[str, DictionaryField]
) -> ConsumerImpactOut:
    by_weight = sorted(impact.effects.items(), key=lambda item: -item[1].exchanges)
    return ConsumerImpactOut(
        consumer=id_,
        name=name,
        exchanges=impact.exchanges,
        affected=impact.affected,
        effects=[
            EffectOut(
                kind=effect.kind,
                what=effect.what,
                before=effect.before,
                after=effect.after,
                words=both(told(effect, dictionary)),
                exchanges=tally.exchanges,
                samples=tally.samples,
            )
            for effect, tally in by_weight
        ],
    )


def _side(side: Side) -> SideOut:
    plan: Plan | None = side.plan
    denied, reason = side.denied, side.reason
    return SideOut(
        agreement=plan.agreement.id if plan else None,
        version=plan.agreement.version if plan else None,
        denied=DeniedOut(code=denied.code, reason=both(denied.detail), remedy=both(denied.remedy))
        if denied
        else None,
        nobody=NobodyOut(code=reason, words=both(UNANSWERED[reason]), out_of_scope=side.out_of_scope)
        if reason
        else None,
        decision=side.decision,
        clauses=dict(side.clauses) if side.clauses is not None else None,
        clause_words={one.id: both(one.reason) for one in plan.rule.clauses} if plan and plan.rule else {},
        pseudonym=side.pseudonym,
        fields=[_field(field) for field in side.fields],
    )


def _field(field: FieldTold) -> FieldOut:
    return FieldOut(
        field=field.name,
        label=both(field.label) if field.label else None,
        state=field.state,
        released_as=field.released_as,
        form=both(field.form) if field.form else None,
        value=field.value,
        code=field.code,
        clause=both(field.clause),
        ask_for=both(field.ask_for) if field.ask_for else None,
        ceiling=field.ceiling,
        source=field.source,
        as_of=field.as_of,
    )
