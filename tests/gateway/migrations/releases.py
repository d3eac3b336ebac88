"""A release that changes the schema in three steps, as the files that a next version would ship."""

from __future__ import annotations

from pathlib import Path

from gateway.migrations import history_of

EXPAND, BACKFILL, CONTRACT = "9001", "9002", "9003"
ROWS = 1000
BATCH = 50

_HEAD = '''"""{words}."""

import os
import signal

import sqlalchemy as sa
from alembic import op

revision, down_revision, phase = "{number}", "{before}", "{phase}"

{body}
'''
# The sector of a consumer gets another column: every request of either version reads it. On PostgreSQL, where
# both versions write side by side, each column follows the other.
_EXPAND = """
_IN_STEP = (
    "CREATE FUNCTION sectors_in_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "NEW.sector := coalesce(NEW.sector, NEW.sector_code); "
    "NEW.sector_code := coalesce(NEW.sector_code, NEW.sector); RETURN NEW; END $$",
    "CREATE TRIGGER sectors_in_step BEFORE INSERT ON consumers "
    "FOR EACH ROW EXECUTE FUNCTION sectors_in_step()",
)


def upgrade():
    op.add_column("consumers", sa.Column("sector_code", sa.String(64)))
    if op.get_bind().dialect.name == "postgresql":
        for statement in _IN_STEP:
            op.execute(statement)
    stock = op.create_table(
        "stock",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("old", sa.Integer, nullable=False),
        sa.Column("new", sa.Integer),
        sa.Column("filled", sa.Integer, nullable=False, server_default="0"),
    )
    op.bulk_insert(stock, [{{"id": one, "old": one}} for one in range({rows})])
"""
_BACKFILL = """
_SECTORS = sa.text("UPDATE consumers SET sector_code = sector WHERE sector_code IS NULL")
_FILL = sa.text(
    "UPDATE stock SET new = old * 2, filled = filled + 1 "
    "WHERE id IN (SELECT id FROM stock WHERE new IS NULL ORDER BY id LIMIT {batch})"
)


def upgrade():
    pass


def batch(connection):
    filled = connection.execute(_SECTORS).rowcount + connection.execute(_FILL).rowcount
    left = connection.execute(sa.text("SELECT count(*) FROM stock WHERE new IS NULL")).scalar()
    if os.environ.get("TEST_DIES_WITH_LEFT") == str(left):
        os.kill(os.getpid(), signal.SIGKILL)
    return filled
"""
_CONTRACT = """
def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER sectors_in_step ON consumers")
        op.execute("DROP FUNCTION sectors_in_step()")
    op.drop_column("consumers", "sector")
"""


def write_release(folder: Path) -> Path:
    """The three revisions as files of a folder, behind the newest that is shipped."""
    folder.mkdir()
    before = history_of().head
    for number, phase, body in (
        (EXPAND, "expand", _EXPAND.format(rows=ROWS)),
        (BACKFILL, "backfill", _BACKFILL.format(batch=BATCH)),
        (CONTRACT, "contract", _CONTRACT),
    ):
        text = _HEAD.format(words=phase, number=number, before=before, phase=phase, body=body)
        (folder / f"{number}_{phase}.py").write_text(text, encoding="utf-8")
        before = number
    return folder
