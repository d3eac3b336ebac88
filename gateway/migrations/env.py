"""Alembic's entry: runs revisions on the connection that `gateway.migrations.applying` opened and commits."""

from __future__ import annotations

from alembic import context

from gateway.database import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True
)
context.run_migrations()
