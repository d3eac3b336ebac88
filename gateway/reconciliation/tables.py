"""Tables of the reconciliation: runs and their chunks, what each person's status is and was, findings.

What is kept of the population register are words (statuses, verdicts), days and a regency's code, never an
element of it. The one exception is the NIK of a likely person, which is stored sealed until somebody decides.
Times are UTC; dates are civil dates of Indonesia.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from gateway.database import UtcDateTime, metadata

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("way", String(16), nullable=False),  # extract | live
    Column("extract", Text),  # path of the file or folder that Dukcapil handed over
    Column("region", String(13)),  # empty: the whole country
    Column("engine", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("submitted_by", String(80), nullable=False),
    # What makes the same submission twice one run: an Idempotency-Key, or a schedule and its moment.
    Column("submission_key", String(160), unique=True),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # A live run that waits for the night or for tomorrow's quota: until when.
    Column("waits_until", UtcDateTime),
    Column("as_of", Date),  # the day of which the extract speaks
    Column("people", Integer),  # how many are to be checked; empty until that is known
    Column("phase", String(16)),  # reading | comparing | linking | storing; empty for a live run
    Column("failure", Text),  # why it stopped; names files, columns and causes, never a value
    Column("problems", JSON, nullable=False),  # parts of the extract that could not be used
    Column("report", JSON),
)

reconciliation_chunks = Table(
    "reconciliation_chunks",
    metadata,
    Column("run_id", ForeignKey("reconciliation_runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    # The first person of the chunk in the order of regency and id; empty for a live run's.
    Column("first_regency", String(8)),
    Column("first_person", Uuid),
    Column("people", Integer, nullable=False),
    Column("finished_at", UtcDateTime),
    # How many of the chunk's people have each status, by regency; how many statuses changed.
    Column("counts", JSON),
    Column("changed", Integer),
    Column("opened", Integer),
    Column("closed", Integer),
)

reconciliation_statuses = Table(
    "reconciliation_statuses",
    metadata,
    # Not a foreign key: a million of them would each be looked up again.
    Column("person_id", Uuid, primary_key=True),
    Column("status", String(32), nullable=False),
    Column("verdicts", String(8)),  # one letter for each element, in the order of statuses.ELEMENTS
    Column("state_since", Date),
    Column("moved_to", String(5)),  # the regency, where it is known
    Column("as_of", Date, nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
)

# Append-only: one row for each status that a run changed, with what the registry said before.
reconciliation_changes = Table(
    "reconciliation_changes",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("run_id", Uuid, primary_key=True),
    Column("before", String(32)),  # empty: never checked before
    Column("after", String(32), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("identity_before", String(16), nullable=False),
    Column("life_before", String(16), nullable=False),
    Column("residence_before", String(16), nullable=False),
)

_NOT_CLOSED = text("state <> 'closed'")

findings = Table(
    "findings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("evidence", JSON, nullable=False),  # verdict words and days, never elements
    Column("region", String(5), nullable=False),  # the regency that looks into it; `-` where unknown
    Column("state", String(16), nullable=False),  # open | sent | answered | closed
    Column("opened_run", Uuid, nullable=False),
    Column("last_run", Uuid, nullable=False),
    Column("closed_run", Uuid),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("state_at", UtcDateTime, nullable=False),
    Column("answer", String(32)),
    Column("answer_reference", String(200)),
    Column("answered_by", String(80)),
    Index(
        "uq_findings_standing",
        "person_id",
        "kind",
        unique=True,
        sqlite_where=_NOT_CLOSED,
        postgresql_where=_NOT_CLOSED,
    ),
    Index("ix_findings_region_id", "region", "id"),
    Index("ix_findings_region_state_kind", "region", "state", "kind"),
    Index("ix_findings_opened_run", "opened_run"),
    Index("ix_findings_last_run", "last_run"),
    Index("ix_findings_closed_run", "closed_run"),
)

likely_persons = Table(
    "likely_persons",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("run_id", ForeignKey("reconciliation_runs.id"), nullable=False),
    Column("person_id", Uuid, nullable=False, index=True),
    Column("region", String(5), nullable=False),  # the person's regency; `-` where unknown
    Column("rank", Integer, nullable=False),
    Column("weight", Float, nullable=False),  # bits; the sum of the reasons'
    Column("probability", Float, nullable=False),
    Column("proposal", String(8), nullable=False),  # of the model: accept | review
    Column("agreeing", Integer, nullable=False),  # how many traits speak for it
    Column("model", String(64), nullable=False),  # digest
    Column("reasons", JSON, nullable=False),  # trait, level in words, bits
    Column("sealed_nik", LargeBinary),  # emptied when it was accepted, refused or superseded
    # Keyed hash of person and NIK: who was refused is not proposed for the same person again.
    Column("pair", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # proposed | accepted | refused | superseded
    Column("decided_at", UtcDateTime),
    Column("decided_by", String(80)),
    Column("decided_why", Text),
    UniqueConstraint("run_id", "person_id", "rank"),
    Index("ix_likely_persons_state_region", "state", "region", "person_id"),
    Index("ix_likely_persons_state_probability", "state", "probability", "person_id"),
)

# Append-only: what a person's NIK was before it was accepted from a likely person, and who decided so.
nik_changes = Table(
    "nik_changes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False, index=True),
    Column("source", String(32), nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("likely_person_id", Uuid, nullable=False),
    Column("rule_id", Uuid),  # empty: somebody looked
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(80), nullable=False),
    Column("sealed_before", LargeBinary),  # empty: there was none
)

acceptance_rules = Table(
    "acceptance_rules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("least_probability", Float, nullable=False),
    Column("least_agreeing", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # set | active | ended
    Column("set_at", UtcDateTime, nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_at", UtcDateTime),
    Column("approved_by", String(80)),
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(80)),
)
