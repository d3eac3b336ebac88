"""How reconciliations look on the wire of the admin API: what staff send, and what they are shown."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.exchanges import BothLanguages
from gateway.reconciliation.extract_folder import EXTRACT_NAME
from gateway.reconciliation.report import RegionsOfRun
from gateway.reconciliation.runs import Phase, Run, RunState
from gateway.reconciliation.statuses import MEANINGS, Status

RunId = Annotated[UUID, Path(examples=["0d9c4d0e-3f0e-4f57-9d2a-5a1f3c1f6a52"])]
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, for the audit log. Names no person.",
        examples=["ND-41/PUSDATIN/2026"],
    ),
]
SubmissionKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r'^"[ !#-\[\]-~]{8,64}"$',
        description="Required. The same key again gives the run that it made, for ever.",
        examples=['"7f0c2a34-submission"'],
    ),
]
_Counts = Annotated[dict[str, int], Field(examples=[{"matched": 9612, "unknown_nik": 201, "deceased": 57}])]
_Rate = Annotated[
    float | None,
    Field(
        description="Share of the people checked whose NIK leads to themselves (matched, with differences, "
        "moved or deceased), 0 to 1; those not yet checked do not count. Null where nobody was checked.",
        examples=[0.9721],
    ),
]
_Labels = Annotated[
    dict[str, BothLanguages],
    Field(description="Every status in words.", examples=[{"matched": {"id": "padan", "en": "matched"}}]),
]


class Form(BaseModel):
    """What staff send: exactly the declared members."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewReconciliation(Form):
    """What is to be compared. An extract lies in the folder `extracts` of the gateway's home."""

    way: Literal["extract", "live"]
    extract: Annotated[
        str | None,
        Field(
            pattern=EXTRACT_NAME,
            description="The name of a file or folder there: see `GET /admin/v1/reconciliations/extracts`.",
            examples=["dukcapil-2026-11.parquet"],
        ),
    ] = None
    region: Annotated[
        str | None,
        Field(pattern=r"^\d{2}(\.\d{2}(\.\d{2}(\.\d{4})?)?)?$", examples=["35.78"]),
    ] = None
    engine: Literal["duckdb", "spark"] = "duckdb"


class ReasonForRun(Form):
    """Why something is done with a run."""

    reason: Reason


class ReconciliationOut(BaseModel):
    """A run as it stands. Counts are of people: `checked` of `people` are done."""

    id: UUID
    way: Literal["extract", "live"]
    region: str | None = Field(description="Null: the whole country.", examples=["35.78"])
    engine: Literal["duckdb", "spark"]
    state: RunState = Field(description="`waiting`: a live run until `waits_until`.", examples=["running"])
    worked_on: bool = Field(
        description="Whether a process is at it. A run under way that nobody is at was left by a process "
        "that ended; the gateway goes on with it within a minute."
    )
    submitted_at: datetime
    submitted_by: str = Field(examples=["budi"])
    started_at: datetime | None
    finished_at: datetime | None
    waits_until: datetime | None
    as_of: date | None = Field(description="The day of which the extract speaks.")
    phase: Phase | None = Field(
        description="What a run with an extract is at: `reading` both sides, `comparing` them, `linking` "
        "(looking for likely persons) or `storing`, which `checked` of `people` counts.",
        examples=["storing"],
    )
    people: int | None = Field(description="Null until it is known how many there are.", examples=[10000])
    checked: int = Field(examples=[4000])
    rate_per_s: float | None = Field(description="People a second since it began.", examples=[812.4])
    seconds_left: float | None = Field(description="What that rate makes of the rest.", examples=[7.4])
    changed: int = Field(description="Statuses that differ from those before.", examples=[310])
    statuses: _Counts
    findings_opened: int = Field(examples=[288])
    findings_closed: int = Field(examples=[41])
    accepted_by_rule: int = Field(
        description="Likely persons whose NIK a rule gave to somebody at the end of the run.", examples=[12]
    )
    failure: str | None = Field(description="Why it stopped.")
    problems: list[dict[str, Any]] = Field(description="Parts of the extract that could not be used.")

    @classmethod
    def of(cls, run: Run, now: datetime, *, worked_on: bool) -> Self:
        """A run at a moment; `worked_on` says whether a process works on runs."""
        order, pace = run.order, run.progress(now)
        told = {name: getattr(run, name) for name in cls.model_fields if hasattr(run, name)}
        told |= {"way": order.way, "region": order.region, "engine": order.engine}
        return cls(
            **told,
            worked_on=worked_on and run.is_under_way,
            rate_per_s=pace.rate_per_s,
            seconds_left=pace.seconds_left,
            statuses=dict(run.counts),
            findings_opened=run.opened,
            findings_closed=run.closed,
        )


class ReconciliationList(BaseModel):
    """A page of runs, newest first; `next` is the `after` of the following page, null on the last."""

    reconciliations: list[ReconciliationOut]
    total: int = Field(description="Of all pages.", examples=[12])
    next: UUID | None


class RegionOut(BaseModel):
    """A regency or city in a run, and in the run before it; null there where that one had nobody of it."""

    code: str = Field(description="Kemendagri's; `-` where the registry has no region.", examples=["35.78"])
    people: int = Field(examples=[6630])
    match_rate: _Rate
    match_rate_before: _Rate
    statuses: _Counts
    statuses_before: _Counts | None


class RegionsOut(BaseModel):
    """A run by regency and city, beside the completed run of the same region before it, if there is one."""

    run_before: UUID | None
    match_rate: _Rate
    match_rate_before: _Rate
    labels: _Labels
    regions: list[RegionOut]

    @classmethod
    def of(cls, figures: RegionsOfRun) -> Self:
        """The figures with the statuses in words."""
        told = {name: getattr(figures, name) for name in ("run_before", "match_rate", "match_rate_before")}
        regions = [RegionOut.model_validate(one, from_attributes=True) for one in figures.regions]
        return cls(**told, labels=labels(), regions=regions)


class FindingsOfRun(BaseModel):
    """Findings that a run opened and closed, and by kind those that it found, new and again."""

    opened: int
    closed: int
    by_kind: dict[str, int] = Field(examples=[{"deceased": 57, "unknown_nik": 201}])


class RegionInReport(BaseModel):
    """A regency or city in a report."""

    statuses: _Counts
    match_rate: _Rate


class ReportOut(BaseModel):
    """What a completed run came to. `regions` goes by regency or city, `quality` by province."""

    people: int
    match_rate: _Rate
    statuses: _Counts
    run_before: UUID | None = None
    statuses_before: _Counts | None = Field(description="Of the completed run of the same region before.")
    labels: _Labels
    changed: int
    accepted_by_rule: int = 0
    findings: FindingsOfRun
    regions: dict[str, RegionInReport]
    quality: dict[str, dict[str, int]] = Field(
        description="The provincial offices' measures of their data, from the registry as it stood.",
        examples=[{"35": {"people": 6630, "aged_under_18": 1904, "no_longer_eligible": 12}}],
    )


class ExtractOut(BaseModel):
    """A file, or a folder of `files` partitions; `bytes` is the size of all."""

    name: str = Field(examples=["dukcapil-2026-11.parquet"])
    kind: Literal["file", "folder"]
    files: int
    bytes: int
    modified_at: datetime


class ExtractList(BaseModel):
    """What Dukcapil handed over, the newest first."""

    extracts: list[ExtractOut]


def labels() -> dict[str, BothLanguages]:
    """Every status in words, in the order in which they are told."""
    return {
        word.value: BothLanguages(id=MEANINGS[word].label.id, en=MEANINGS[word].label.en) for word in Status
    }
