"""The two largest tables of the log by month, on PostgreSQL; on SQLite each stays one table.

What is there becomes the first month as it stands: nothing is copied. PostgreSQL reads through it once, to
see that every number is below the bound, and does so before, while others append. The months are in a schema
of their own, which nobody but the owner may enter: rights are those of the whole.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gateway.civil_day import civil_day
from gateway.database import UtcDateTime

revision = "0023"
down_revision = "0022"
phase = "backfill"

_TABLES = ("audit_entries", "audit_subjects")
# Numbers for a month: more than could be written in one, and few enough for 600 000 years.
_NUMBERS = 2**40
_CHECK = "in_the_first_month"
_LIKE = "INCLUDING DEFAULTS INCLUDING STORAGE"
_KIND = sa.text("SELECT relkind FROM pg_class WHERE oid = CAST(:whole AS regclass)")
_SEEN = sa.text(
    "SELECT convalidated FROM pg_constraint WHERE conrelid = CAST(:whole AS regclass) AND conname = :name"
)

# Whoever serves may not make tables, and calls these, which act as their owner. What may be asked is bounded
# by the server's own clock, so that a stolen password makes three months and no more. A reader that holds the
# default partition makes them give up, and be tried again, before others queue behind them.
_MAKE = """
CREATE FUNCTION make_audit_months(upto date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    newest public.audit_months;
    made integer := 0;
    coming date;
    lowest bigint;
    whole text;
    part text;
BEGIN
    IF upto > current_date + 100 THEN
        RAISE EXCEPTION 'months of the log are made three ahead at most';
    END IF;
    PERFORM pg_advisory_xact_lock(7240124);
    LOOP
        SELECT * INTO newest FROM public.audit_months ORDER BY month DESC LIMIT 1;
        EXIT WHEN newest.month >= date_trunc('month', upto);
        coming := newest.month + interval '1 month';
        lowest := newest.first_sequence + NUMBERS;
        FOREACH whole IN ARRAY ARRAY['audit_entries', 'audit_subjects'] LOOP
            part := whole || to_char(coming, '_YYYY_MM');
            EXECUTE format('CREATE TABLE audit_by_month.%I (LIKE audit_by_month.%I INCLUDING ALL)',
                part, whole || '_default');
            -- What the default partition caught for want of this one.
            EXECUTE format('WITH stray AS (DELETE FROM audit_by_month.%I WHERE sequence >= %s '
                'AND sequence < %s RETURNING *) INSERT INTO audit_by_month.%I SELECT * FROM stray',
                whole || '_default', lowest, lowest + NUMBERS, part);
            EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION audit_by_month.%I '
                'FOR VALUES FROM (%s) TO (%s)', whole, part, lowest, lowest + NUMBERS);
        END LOOP;
        INSERT INTO public.audit_months (month, first_sequence) VALUES (coming, lowest);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$
""".replace("NUMBERS", str(_NUMBERS))
_BEGIN = """
CREATE FUNCTION begin_audit_month(today date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due public.audit_months;
    given bigint;
BEGIN
    IF today > current_date + 1 THEN
        RAISE EXCEPTION 'a month of the log begins on its first day, and not before';
    END IF;
    PERFORM pg_advisory_xact_lock(7240124);
    SELECT * INTO due FROM public.audit_months WHERE month <= today ORDER BY month DESC LIMIT 1;
    IF due.month IS NULL OR due.opened_at IS NOT NULL THEN
        RETURN false;
    END IF;
    SELECT last_value INTO given FROM public.audit_entries_sequence_seq;
    IF given < due.first_sequence THEN
        PERFORM setval('public.audit_entries_sequence_seq', due.first_sequence, false);
    END IF;
    UPDATE public.audit_months SET opened_at = now() WHERE month = due.month;
    RETURN true;
END $$
"""
# Whoever serves meanwhile goes on with what it had of the table that is now a part.
_SAME_RIGHTS = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT held.grantee::regrole AS role, held.privilege_type AS what
        FROM pg_class, aclexplode(relacl) AS held
        WHERE oid = '{part}'::regclass AND held.grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('GRANT %s ON {whole} TO %s', one.what, one.role);
    END LOOP;
END $$
"""


def batch(connection: sa.Connection) -> int:
    """See that all there is belongs to the first month, which PostgreSQL then takes in without reading it."""
    if connection.dialect.name == "sqlite":
        return 0
    for whole in _TABLES:
        if connection.execute(_KIND, {"whole": whole}).scalar() == "p":
            continue
        seen = connection.execute(_SEEN, {"whole": whole, "name": _CHECK}).scalar()
        if seen is None:
            said = f"CHECK (sequence < {_NUMBERS}) NOT VALID"
            connection.execute(sa.text(f"ALTER TABLE {whole} ADD CONSTRAINT {_CHECK} {said}"))
        elif not seen:
            connection.execute(sa.text(f"ALTER TABLE {whole} VALIDATE CONSTRAINT {_CHECK}"))
        else:
            continue
        return 1
    return 0


def upgrade() -> None:
    op.create_table(
        "audit_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("detached_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_audit_months")),
    )
    if op.get_bind().dialect.name == "sqlite":
        return
    month = civil_day(datetime.now(UTC)).replace(day=1)
    # In the order of whoever appends, who then needs the counter: otherwise each would wait for the other.
    op.execute(f"LOCK TABLE {', '.join(_TABLES)} IN ACCESS EXCLUSIVE MODE")
    op.execute("CREATE SCHEMA audit_by_month")
    op.execute("ALTER SEQUENCE audit_entries_sequence_seq OWNED BY NONE")
    for whole in _TABLES:
        _divide(whole, f"audit_by_month.{whole}_{month:%Y_%m}")
    op.execute("ALTER SEQUENCE audit_entries_sequence_seq OWNED BY audit_entries.sequence")
    # A number once per month: PostgreSQL has no index over all of them.
    op.execute("CREATE UNIQUE INDEX ON audit_by_month.audit_entries_default (exchange_id, kind)")
    first = sa.text("INSERT INTO audit_months (month, first_sequence, opened_at) VALUES (:month, 0, now())")
    op.get_bind().execute(first, {"month": month})
    for function in (_MAKE, _BEGIN):
        op.execute(function)
    op.execute("REVOKE ALL ON FUNCTION make_audit_months(date), begin_audit_month(date) FROM PUBLIC")


def _divide(whole: str, part: str) -> None:
    """Make the table the first month of one by months, of the same name."""
    for statement in (
        f"ALTER TABLE {whole} SET SCHEMA audit_by_month",
        f"ALTER TABLE audit_by_month.{whole} RENAME TO {part.partition('.')[2]}",
        f"CREATE TABLE {whole} (LIKE {part} {_LIKE}) PARTITION BY RANGE (sequence)",
        *_indexes(whole),
        f"ALTER TABLE {whole} ATTACH PARTITION {part} FOR VALUES FROM (MINVALUE) TO ({_NUMBERS})",
        f"ALTER TABLE {part} DROP CONSTRAINT IF EXISTS {_CHECK}",
        f"CREATE TABLE audit_by_month.{whole}_default PARTITION OF {whole} DEFAULT",
        _SAME_RIGHTS.format(whole=whole, part=part),
    ):
        op.execute(statement)


def _indexes(whole: str) -> tuple[str, ...]:
    if whole == "audit_subjects":
        return (f"ALTER TABLE {whole} ADD CONSTRAINT pk_{whole} PRIMARY KEY (subject_hash, sequence)",)
    return (
        f"ALTER TABLE {whole} ADD CONSTRAINT pk_{whole} PRIMARY KEY (sequence)",
        f"CREATE INDEX ix_{whole}_consumer_id_at ON {whole} (consumer_id, at)",
    )


def downgrade() -> None:
    """Copies both tables. What was detached stays where it is, in the months' schema, if anything was."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"LOCK TABLE {', '.join(_TABLES)} IN ACCESS EXCLUSIVE MODE")
        op.execute("DROP FUNCTION make_audit_months(date), begin_audit_month(date)")
        op.execute("ALTER SEQUENCE audit_entries_sequence_seq OWNED BY NONE")
        for whole in _TABLES:
            _join(whole)
        op.execute("ALTER SEQUENCE audit_entries_sequence_seq OWNED BY audit_entries.sequence")
        op.execute(
            "CREATE UNIQUE INDEX uq_audit_entries_exchange_id_kind ON audit_entries (exchange_id, kind)"
        )
        left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'audit_by_month'"
        if not op.get_bind().execute(sa.text(left)).scalar():
            op.execute("DROP SCHEMA audit_by_month")
    op.drop_table("audit_months")


def _join(whole: str) -> None:
    """Make one table of its months."""
    for statement in (
        f"CREATE TABLE joined (LIKE {whole} {_LIKE})",
        f"INSERT INTO joined SELECT * FROM {whole}",  # noqa: S608 - our own names
        _SAME_RIGHTS.format(whole="joined", part=whole),
        f"DROP TABLE {whole}",
        f"ALTER TABLE joined RENAME TO {whole}",
        *_indexes(whole),
    ):
        op.execute(statement)
