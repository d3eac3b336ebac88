"""Reconciliation with the population register: runs, statuses with their history, findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0015"
down_revision = "0014"

_NOT_CLOSED = sa.text("state <> 'closed'")


def upgrade() -> None:
    _runs()
    _statuses()
    _findings()
    _likely_persons()
    _acceptance()


def _runs() -> None:
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("extract", sa.Text(), nullable=True),
        sa.Column("region", sa.String(length=13), nullable=True),
        sa.Column("engine", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_by", sa.String(length=80), nullable=False),
        sa.Column("submission_key", sa.String(length=160), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("waits_until", UtcDateTime(), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
        sa.UniqueConstraint("submission_key", name=op.f("uq_reconciliation_runs_submission_key")),
    )
    op.create_index(op.f("ix_reconciliation_runs_state"), "reconciliation_runs", ["state"])
    op.create_table(
        "reconciliation_chunks",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_regency", sa.String(length=8), nullable=True),
        sa.Column("first_person", sa.Uuid(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=True),
        sa.Column("opened", sa.Integer(), nullable=True),
        sa.Column("closed", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_runs.id"], name=op.f("fk_reconciliation_chunks_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_reconciliation_chunks")),
    )


def _statuses() -> None:
    op.create_table(
        "reconciliation_statuses",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("verdicts", sa.String(length=8), nullable=True),
        sa.Column("state_since", sa.Date(), nullable=True),
        sa.Column("moved_to", sa.String(length=5), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_reconciliation_statuses")),
    )
    op.create_table(
        "reconciliation_changes",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.String(length=32), nullable=True),
        sa.Column("after", sa.String(length=32), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("identity_before", sa.String(length=16), nullable=False),
        sa.Column("life_before", sa.String(length=16), nullable=False),
        sa.Column("residence_before", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "run_id", name=op.f("pk_reconciliation_changes")),
    )


def _findings() -> None:
    op.create_table(
        "findings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("region", sa.String(length=5), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened_run", sa.Uuid(), nullable=False),
        sa.Column("last_run", sa.Uuid(), nullable=False),
        sa.Column("closed_run", sa.Uuid(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("state_at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.String(length=32), nullable=True),
        sa.Column("answer_reference", sa.String(length=200), nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(
        "uq_findings_standing",
        "findings",
        ["person_id", "kind"],
        unique=True,
        sqlite_where=_NOT_CLOSED,
        postgresql_where=_NOT_CLOSED,
    )
    op.create_index("ix_findings_region_id", "findings", ["region", "id"])


def _likely_persons() -> None:
    op.create_table(
        "likely_persons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region", sa.String(length=5), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("proposal", sa.String(length=8), nullable=False),
        sa.Column("agreeing", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("sealed_nik", sa.LargeBinary(), nullable=True),
        sa.Column("pair", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_runs.id"], name=op.f("fk_likely_persons_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_likely_persons")),
        sa.UniqueConstraint("run_id", "person_id", "rank", name=op.f("uq_likely_persons_run_id")),
    )
    op.create_index(op.f("ix_likely_persons_person_id"), "likely_persons", ["person_id"])
    op.create_index("ix_likely_persons_state_region", "likely_persons", ["state", "region", "person_id"])


def _acceptance() -> None:
    op.create_table(
        "nik_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("likely_person_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("sealed_before", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nik_changes")),
    )
    op.create_index(op.f("ix_nik_changes_person_id"), "nik_changes", ["person_id"])
    op.create_table(
        "acceptance_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("least_probability", sa.Float(), nullable=False),
        sa.Column("least_agreeing", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", sa.String(length=80), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptance_rules")),
    )
