"""Acts about people's rights: written down before anything is told, and findable by whom they are about.

The person stands in the entry as its subject, under the keyed hash, like everybody of whom an exchange spoke.
A reason that holds what looks like a NIK is refused: reasons are read by auditors and never erased.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from gateway.audit import entry
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.errors import BadInput
from gateway.staff.roles import Staff
from policies.dictionary import Text

_MAX_REASON_CHARS = 500
_NIK = re.compile(r"\d{16}")


def record(
    connection: Connection,
    staff: Staff,
    act: str,
    object_id: str,
    reason: str,
    at: datetime,
    *,
    subjects: Sequence[str] = (),
    **more: str | int | Sequence[str],
) -> UUID:
    """Write the act within the caller's transaction; gives its reference. Raises BadInput for the reason."""
    written = entry.act(
        actor=staff.actor,
        act=act,
        object_id=object_id,
        object_sha256=None,
        reason=checked_reason(reason),
        at=at,
        **more,
    )
    sealed = replace(written, subjects=tuple(subjects)).seal(os.urandom(BLIND_BYTES))
    add_entries(connection, [sealed])
    return written.exchange_id


def checked_reason(reason: str) -> str:
    """The reason without space around it. Raises BadInput for one that is none, or seems to hold a NIK."""
    reason = reason.strip()
    if not reason or len(reason) > _MAX_REASON_CHARS or not reason.isprintable():
        raise BadInput(
            Text(
                f"Alasan: diharapkan 1 sampai {_MAX_REASON_CHARS} karakter biasa yang menyebut alasannya.",
                f"reason: expected 1 to {_MAX_REASON_CHARS} printable characters that say why.",
            )
        )
    if _NIK.search(reason):
        raise BadInput(
            Text(
                "Alasan: memuat enam belas angka seperti NIK; sebutlah surat atau perkaranya saja.",
                "reason: it holds sixteen digits, as a NIK has; name the letter or case instead.",
            )
        )
    return reason
