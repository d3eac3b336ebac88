"""Administrative acts: what is written down whenever somebody changes, or tries to use, a right.

An act is recorded inside the transaction that does it, so neither exists without the other. It names staff
ids, roles and states. It MUST NOT hold a secret, a token, an e-mail address, or a name that somebody typed
and that belongs to no account: people type their password there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from gateway.audit import entry
from gateway.audit.log import BLIND_BYTES, add_entries, adding
from gateway.lanes import Procedure

UNKNOWN = "unknown"
Details = Mapping[str, str | int | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Act:
    """One act: who (`Staff.actor`, or `unknown`) did what (`staff.added`) to what (`staff/ani`), and why."""

    actor: str
    act: str
    object: str
    at: datetime
    reason: str = ""
    details: Details = field(default_factory=dict)


class RecordAct(Protocol):
    """Writes an act within the caller's transaction."""

    def __call__(self, connection: Connection, act: Act) -> None:
        """Record the act. MUST raise when it cannot: then the caller's change is rolled back with it."""


class WriteAct(Protocol):
    """Writes an act as part of a procedure: see `gateway.lanes`."""

    def __call__(self, act: Act) -> Procedure[None]:
        """What writes the act. MUST raise when it cannot, as `RecordAct`."""


def record_in_audit_log(connection: Connection, act: Act) -> None:
    """Write the act as an entry of the audit log."""
    add_entries(connection, [_sealed(act)])


def writing_in_audit_log(act: Act, *, sqlite: bool) -> Procedure[None]:
    """The same as part of a procedure."""
    return adding([_sealed(act)], sqlite=sqlite)


def _sealed(act: Act) -> entry.Sealed:
    written = entry.act(
        actor=act.actor,
        act=act.act,
        object_id=act.object,
        object_sha256=None,  # accounts have no wording that could be pinned
        reason=act.reason,
        at=act.at,
        **act.details,
    )
    return written.seal(os.urandom(BLIND_BYTES))


def account_object(staff_id: str) -> str:
    """How an act names an account."""
    return f"staff/{staff_id}"
