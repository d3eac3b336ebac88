"""How entries of the log look on the wire of the admin API: exchanges, acts, and what was checked of them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.admin.explain import ReasonOut
from gateway.api.exchanges import AgreementOut, BothLanguages
from gateway.audit.inclusion import Inclusion
from gateway.audit.search import Hit
from gateway.rights.access import both
from gateway.rights.wording import operation_words, outcome_words

Reference = Annotated[UUID, Path(examples=["6f1e0f0e-30c0-4c0b-9a8a-2f4f4a5f0d11"])]
# One printable word: what else may stand in a query is nobody's id, purpose or act.
Word = Annotated[str | None, Query(pattern=r"^[\x21-\x7e]{1,64}$")]
Since = Annotated[AwareDatetime | None, Query(description="From this moment on, with zone.")]
Until = Annotated[AwareDatetime | None, Query(description="Before this moment, with zone.")]
After = Annotated[UUID | None, Query(description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]
AsOf = Annotated[datetime, Field(description="Whatever was listed at this moment is in the list.")]
_Outcome = Literal["answered", "refused", "unfinished", "erased"]
_Counts = Annotated[
    dict[str, int], Field(description="People by how it ended for them.", examples=[{"eligible": 3}])
]


class BundleForm(BaseModel):
    """Why a bundle is made."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="For whom and why, for the audit log. Names no person of the registry.",
            examples=["Permintaan BPK 17/LHP/2026"],
        ),
    ]


class ConsumerOut(BaseModel):
    """Who asked, as registered now."""

    id: str
    name: str


class ExchangeOut(BaseModel):
    """One exchange in short. An `erased` one's entry was erased under an order: only its hash is left."""

    exchange_id: UUID
    at: datetime
    consumer: ConsumerOut
    operation: str | None = Field(examples=["eligibility"])
    operation_words: BothLanguages
    purpose: str | None
    programme: str | None
    outcome: _Outcome
    reason: str | None = Field(description="The code of a refusal.", examples=["purpose_not_covered"])
    outcome_words: BothLanguages
    agreement: AgreementOut | None
    subject_count: int | None = Field(description="How many people were asked about.")
    counts: _Counts
    sandbox: bool

    @classmethod
    def of(cls, hit: Hit, names: Mapping[str, str], *, finished: bool = True) -> "ExchangeOut":
        """The exchange of an outcome, or of an intent that has none."""
        said = hit.entry or {}
        outcome: _Outcome = "erased" if hit.entry is None else "answered" if finished else "unfinished"
        if said.get("outcome") == "refused":
            outcome = "refused"
        code = said.get("reason") or ("unfinished" if outcome == "unfinished" else "released")
        agreement = said.get("agreement")
        by = hit.consumer_id or ""
        return cls(
            exchange_id=hit.exchange_id,
            at=hit.at,
            consumer=ConsumerOut(id=by, name=names.get(by, by)),
            operation=said.get("operation"),
            operation_words=BothLanguages(**both(operation_words(said.get("operation", "")))),
            purpose=said.get("purpose"),
            programme=said.get("programme"),
            outcome=outcome,
            reason=said.get("reason"),
            outcome_words=BothLanguages(**both(outcome_words(code))),
            agreement=AgreementOut(**agreement) if agreement else None,
            subject_count=said.get("subject_count"),
            counts=said.get("counts", {}),
            sandbox=bool(said.get("sandbox")),
        )


class ExchangeList(BaseModel):
    """Exchanges, the newest first; `next` leads to the older ones."""

    exchanges: list[ExchangeOut]
    next: UUID | None
    as_of: AsOf


class ExchangeFilters(BaseModel):
    """By which words exchanges can be searched now."""

    consumers: list[ConsumerOut]
    operations: list[str]
    purposes: list[str]
    outcomes: list[str]


class InclusionOut(BaseModel):
    """What a check of the entry came to, made just now with the log's public keys.

    `problem` says what is not proven. While `waits`, no signed checkpoint covers the entry yet.
    """

    model_config = ConfigDict(from_attributes=True)

    proven: bool
    waits: bool
    erased: bool
    problem: str | None
    index: int | None = Field(description="The entry's number in the tree, from 0.")
    sha256: str | None = Field(description="SHA-256 of the entry's text: the leaf's data.")
    size: int | None = Field(description="How many entries the signed tree has.")
    root: str | None
    path: int | None = Field(description="How many hashes lead from the entry to the root.")
    signed_by: list[str] = Field(description="The log's keys whose signatures were checked.")
    cosigned_by: list[str] = Field(description="The witnesses whose cosignatures were checked.")

    @classmethod
    def of(cls, inclusion: Inclusion) -> "InclusionOut":
        """What was checked."""
        return cls.model_validate(inclusion)


class FieldToldOut(BaseModel):
    """A field that was released: in which form, from which source, as of which day most values held."""

    field: str
    label: BothLanguages
    released_as: str
    source: str | None
    as_of: date | None
    unavailable: bool = Field(description="For somebody, its source gave no answer.")


class FieldWithheldOut(BaseModel):
    """A field that was asked for and withheld, with the clauses of then that withheld it."""

    field: str
    label: BothLanguages
    reasons: list[ReasonOut]


class IntentOut(BaseModel):
    """That outside sources were going to be asked; written down before they were."""

    at: datetime
    sources: list[str]


class ReceiptOut(BaseModel):
    """What the answer's receipt says, and the id of the key that signed receipts at that moment."""

    kid: str | None
    claims: dict[str, Any]


class ExchangeDetail(ExchangeOut):
    """An exchange as the log tells it. No value of a person is in the log."""

    on_date: date | None
    asked: list[str] | Literal["all"] | None
    legal_basis: list[str]
    rule: dict[str, Any] | None = Field(description="The programme's rule, pinned by its hash.")
    fields: list[FieldToldOut]
    withheld: list[FieldWithheldOut]
    reasons: list[ReasonOut] = Field(description="Of a refusal: why.")
    disclosure_delay_days: int | None
    intent: IntentOut | None
    receipt: ReceiptOut | None
    inclusion: InclusionOut


class ActOut(BaseModel):
    """One act of staff: which account did what to which thing, why."""

    act_id: UUID
    at: datetime
    actor: str = Field(
        description="The account; behind @ the door: a token, or a command on the machine.",
        examples=["ani.wulandari"],
    )
    act: str = Field(examples=["policy.approve"])
    object: str = Field(examples=["agreement/bpjs-kesehatan-pbi"])
    reason: str

    @classmethod
    def of(cls, hit: Hit) -> "ActOut":
        """The act of an entry."""
        said = hit.entry or {}
        words = {name: str(said.get(name) or "") for name in ("actor", "act", "object", "reason")}
        return cls(act_id=hit.exchange_id, at=hit.at, **words)


class ActList(BaseModel):
    """Acts, the newest first; `next` leads to the older ones."""

    acts: list[ActOut]
    next: UUID | None
    as_of: AsOf


class ActFilters(BaseModel):
    """By which words acts can be searched now."""

    actors: list[str]
    acts: list[str]


class ActDetail(ActOut):
    """An act, all that the log says of it, and where it stands."""

    object_sha256: str | None = Field(description="Of the text that was acted upon, where there is one.")
    details: dict[str, Any]
    inclusion: InclusionOut


MEMBER_NAMES = frozenset(
    {"reason", "exchange_id", "act_id", "consumer", "purpose", "operation", "outcome", "actor", "act"}
    | {"since", "until", "after", "limit", "checkpoints"}
)
