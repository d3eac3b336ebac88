"""The first schema: registry, consumers, audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.database import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entries_consumer_id_at", ["consumer_id", "at"], unique=False)
        batch_op.create_index("uq_audit_entries_exchange_id_kind", ["exchange_id", "kind"], unique=True)

    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("keys_mark", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "consumers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sector", sa.String(length=64), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consumers")),
    )
    op.create_table(
        "households",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("family_card_number", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_households")),
        sa.UniqueConstraint("source_key", name=op.f("uq_households_source_key")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("file_format", sa.String(length=16), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("rows_imported", sa.Integer(), nullable=False),
        sa.Column("rows_unchanged", sa.Integer(), nullable=False),
        sa.Column("rows_rejected", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    with op.batch_alter_table("imports", schema=None) as batch_op:
        batch_op.create_index("ix_imports_file_sha256", ["file_sha256"], unique=False)

    op.create_table(
        "regions",
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", "valid_from", name=op.f("pk_regions")),
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("jti_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("jti_sha256", name=op.f("pk_revoked_tokens")),
    )
    with op.batch_alter_table("revoked_tokens", schema=None) as batch_op:
        batch_op.create_index("ix_revoked_tokens_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "spent_assertions",
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("jti_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer_id", "jti_sha256", name=op.f("pk_spent_assertions")),
    )
    with op.batch_alter_table("spent_assertions", schema=None) as batch_op:
        batch_op.create_index("ix_spent_assertions_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "spent_proofs",
        sa.Column("proof_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proof_sha256", name=op.f("pk_spent_proofs")),
    )
    with op.batch_alter_table("spent_proofs", schema=None) as batch_op:
        batch_op.create_index("ix_spent_proofs_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "consumer_keys",
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=128), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["consumer_id"], ["consumers.id"], name=op.f("fk_consumer_keys_consumer_id")),
        sa.PrimaryKeyConstraint("consumer_id", "kid", name=op.f("pk_consumer_keys")),
    )
    op.create_table(
        "household_deciles",
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("decile", sa.SmallInteger(), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint("decile BETWEEN 1 AND 10", name=op.f("ck_household_deciles_decile_range")),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_household_deciles_household_id")
        ),
        sa.PrimaryKeyConstraint("household_id", "period_from", name=op.f("pk_household_deciles")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("dtks_id", sa.Text(), nullable=True),
        sa.Column("nik", sa.String(length=16), nullable=True),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("family_relation", sa.String(length=32), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("birth_place", sa.Text(), nullable=True),
        sa.Column("sex", sa.String(length=1), nullable=True),
        sa.Column("mother_name", sa.Text(), nullable=True),
        sa.Column("occupation", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("hamlet", sa.Text(), nullable=True),
        sa.Column("rt", sa.String(length=3), nullable=True),
        sa.Column("rw", sa.String(length=3), nullable=True),
        sa.Column("region_code", sa.String(length=13), nullable=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("registry_status", sa.String(length=16), nullable=False),
        sa.Column("registry_status_source", sa.String(length=32), nullable=False),
        sa.Column("registry_status_as_of", sa.Date(), nullable=False),
        sa.Column("life_status", sa.String(length=16), nullable=False),
        sa.Column("life_status_source", sa.String(length=32), nullable=False),
        sa.Column("life_status_as_of", sa.Date(), nullable=False),
        sa.Column("residence_status", sa.String(length=16), nullable=False),
        sa.Column("residence_status_source", sa.String(length=32), nullable=False),
        sa.Column("residence_status_as_of", sa.Date(), nullable=False),
        sa.Column("identity_status", sa.String(length=16), nullable=False),
        sa.Column("identity_status_source", sa.String(length=32), nullable=False),
        sa.Column("identity_status_as_of", sa.Date(), nullable=False),
        sa.Column("welfare_status", sa.String(length=16), nullable=False),
        sa.Column("welfare_status_source", sa.String(length=32), nullable=False),
        sa.Column("welfare_status_as_of", sa.Date(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_people_household_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("source_key", name=op.f("uq_people_source_key")),
    )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_people_household_id"), ["household_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_people_nik"), ["nik"], unique=False)

    op.create_table(
        "enrolments",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=16), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("segment", sa.String(length=32), nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_enrolments_person_id")),
        sa.PrimaryKeyConstraint("person_id", "programme", "starts_on", name=op.f("pk_enrolments")),
    )
