"""What a restored log has lost, told by a dump of the log as it was later: acts of staff, orders of erasure.

Such a dump comes from the damaged database itself (`gapura audit dump`), or from a second restore that goes
on to the end. It is believed only as far as the log's own signatures go. It MUST NOT be written into the log:
what was lost is done again, by whoever may, and is then in the log with its true date.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from gateway.audit.proofs import Unproven, VerifierKey, open_checkpoint
from gateway.audit.tables import audit_entries
from gateway.audit.verifier import check_log, read_dump
from gateway.database import Database
from gateway.errors import FileUnusable

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class LostAct:
    """An act that the restored log does not have. `scope` is what an order of erasure covers."""

    act_id: UUID
    at: str
    actor: str
    act: str
    object: str
    reason: str
    scope: str | None


def lost_acts(database: Database, dump: Path, keys: Sequence[VerifierKey]) -> list[LostAct]:
    """The acts of a dump that are not in this database, in their order.

    Raises FileUnusable when the dump is not a sound log of these keys.
    """
    _refuse_unsound(dump, keys)
    lost = []
    acts = _acts_of(dump)
    while some := list(itertools.islice(acts, _CHUNK)):
        with database.reading() as connection:
            chosen = select(audit_entries.c.exchange_id).where(
                audit_entries.c.kind == "act", audit_entries.c.exchange_id.in_([one.act_id for one in some])
            )
            known = {*connection.execute(chosen).scalars()}
        lost += [one for one in some if one.act_id not in known]
    return lost


def _refuse_unsound(dump: Path, keys: Sequence[VerifierKey]) -> None:
    try:
        with dump.open("rb") as lines:
            notes, found, held = read_dump(lines)
            finding = check_log(found, held, [open_checkpoint(note, *keys) for note in notes]).finding
    except Unproven as problem:
        raise FileUnusable(f"{dump} is not a log that this one's keys signed: {problem}.") from None
    except OSError as error:
        raise FileUnusable(f"{dump} cannot be read: {error.strerror}.") from None
    if finding:
        raise FileUnusable(f"{dump} is not whole: {finding}.")


def _acts_of(dump: Path) -> Iterator[LostAct]:
    with dump.open("rb") as lines:
        for line in lines:
            parsed: dict[str, Any] = json.loads(line)
            entry = json.loads(parsed["entry"]) if "entry" in parsed else {}
            if entry.get("kind") == "act":
                yield LostAct(
                    act_id=UUID(entry["act_id"]),
                    at=entry["at"],
                    actor=entry["actor"],
                    act=entry["act"],
                    object=entry["object"],
                    reason=entry["reason"],
                    scope=entry.get("scope"),
                )
