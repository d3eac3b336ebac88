"""What lists show of policies, a row for each: ten thousand need not be read to show fifty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
import yaml
from alembic import op

revision = "0017"
down_revision = "0016"

_IN_FORCE = {"active", "suspended"}
_OPEN = {"draft", "submitted", "approved"}
_COUNTED = {"revoked", "superseded"}
_LONGEST = 300


def upgrade() -> None:
    listing = op.create_table(
        "policy_listing",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("in_force", sa.Integer(), nullable=True),
        sa.Column("open_version", sa.Integer(), nullable=True),
        sa.Column("open_state", sa.String(length=16), nullable=True),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("title_id", sa.String(length=300), nullable=True),
        sa.Column("title_en", sa.String(length=300), nullable=True),
        sa.Column("consumer", sa.String(length=80), nullable=True),
        sa.Column("purpose", sa.String(length=80), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_policy_listing")),
    )
    op.create_index("ix_policy_listing_valid_until", "policy_listing", ["kind", "valid_until", "name"])
    op.create_index("ix_policy_listing_consumer", "policy_listing", ["consumer"])
    rows = list(_rows(op.get_bind()))
    if rows:
        op.bulk_insert(listing, rows)


def _rows(connection: sa.Connection) -> Any:
    """A row for each policy that is there already, of the version that speaks for it."""
    versions = sa.table(
        "policy_versions", *(sa.column(name) for name in ("kind", "name", "version", "state", "text"))
    )
    by_policy: dict[tuple[str, str], list[Any]] = {}
    for row in connection.execute(
        sa.select(versions.c.kind, versions.c.name, versions.c.version, versions.c.state)
    ):
        by_policy.setdefault((row.kind, row.name), []).append(row)
    for (kind, name), of_one in by_policy.items():
        of_one.sort(key=lambda row: row.version)
        speaks = max(of_one, key=_weight)
        being_made = next((row for row in of_one if row.state in _OPEN), None)
        text = connection.execute(
            sa.select(versions.c.text).where(
                versions.c.kind == kind, versions.c.name == name, versions.c.version == speaks.version
            )
        ).scalar_one()
        yield {
            "kind": kind,
            "name": name,
            "state": speaks.state,
            "in_force": speaks.version if speaks.state in _IN_FORCE else None,
            "open_version": being_made.version if being_made is not None else None,
            "open_state": being_made.state if being_made is not None else None,
            "newest": of_one[-1].version,
            **_facts(text),
        }


def _weight(row: Any) -> tuple[bool, bool, bool, int]:
    return row.state in _IN_FORCE, row.state in _COUNTED, row.state != "discarded", row.version


def _facts(text: str) -> dict[str, Any]:
    try:
        said = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - constructs nothing but texts and lists
    except yaml.YAMLError:
        said = None
    said = said if isinstance(said, Mapping) else {}
    title = said.get("title")
    title = title if isinstance(title, Mapping) else {}
    return {
        "title_id": _text(title.get("id"), _LONGEST),
        "title_en": _text(title.get("en"), _LONGEST),
        "consumer": _text(said.get("consumer"), 80),
        "purpose": _text(said.get("purpose"), 80),
        "valid_from": _day(said.get("valid_from")),
        "valid_until": _day(said.get("valid_until")),
    }


def _text(value: Any, longest: int) -> str | None:
    return value[:longest] or None if isinstance(value, str) else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
