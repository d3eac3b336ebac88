"""The wording of agreements, kept by hash: an entry of years ago must still be readable in its own terms.

Versions come and go where agreements are written; what once was in force stays here, and nothing removes it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from gateway.audit.tables import audit_documents


def add_document(connection: Connection, text: bytes, at: datetime) -> str:
    """Keep one text within the caller's transaction, under the SHA-256 of its bytes, which is given back."""
    digest = hashlib.sha256(text).hexdigest()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(audit_documents).values(sha256=digest, text=text.decode(), kept_at=at)
    connection.execute(statement.on_conflict_do_nothing())
    return digest
