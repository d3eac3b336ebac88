"""Alembic's entry: runs the revisions on the connection that `migrate` opened and commits."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from gateway.advisory_locks import AdvisoryLock
from gateway.migrations import metadata

# Any constant does; it only has to be the same for every process that migrates.

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # A migration that waits for a long read must not make every other query queue behind it.
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.MIGRATION:d})"))
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True
)
context.run_migrations()
