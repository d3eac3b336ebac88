"""What the audit log holds of data balikan: whom Dukcapil was told of, before it is told, and how it ended.

Feedback discloses that a person receives help, so whoever asks for the access history of a NIK finds it there
as every exchange. Acts hold counts and keyed hashes; they MUST NOT hold a NIK or what is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from gateway.audit.entry import SubjectHasher
from gateway.database import Database
from gateway.rights.acts import record
from gateway.sources.feedback import FeedbackReport, FeedbackRow
from gateway.staff.roles import Staff

BEGUN, ENDED = "feedback.begun", "feedback.ended"
_OBJECT = "source/dukcapil_feedback"
_REASON = "data balikan, Permendagri 102/2019"
# So many people stand in one entry: a delivery may be about millions.
_PEOPLE_PER_ACT = 1_000


def record_begun(
    database: Database, hasher: SubjectHasher, staff: Staff, rows: Sequence[FeedbackRow], now: datetime
) -> None:
    """Write down about whom Dukcapil is going to be told; call it first. Blocks; raises StoreUnavailable."""
    remaining = iter(rows)
    with database.unit_of_work() as connection:
        while chunk := list(islice(remaining, _PEOPLE_PER_ACT)):
            subjects = [hasher.identifier(row.entry.nik) for row in chunk]
            record(
                connection, staff, BEGUN, _OBJECT, _REASON, now, subjects=subjects, subject_count=len(chunk)
            )


def record_ended(database: Database, staff: Staff, report: FeedbackReport, now: datetime) -> None:
    """Write down what Dukcapil said to it, in counts. Blocks; raises StoreUnavailable."""
    with database.unit_of_work() as connection:
        record(
            connection,
            staff,
            ENDED,
            _OBJECT,
            _REASON,
            now,
            delivered=report.delivered,
            already_there=report.already_there,
            messages_refused=len(report.refused),
            state="complete" if report.complete else "incomplete",
        )
