"""The figures that are looked up: their names, what each means, and by what they are told apart.

Labels come from closed lists: states, patterns, and names that staff gave to witnesses and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NO_LABELS: Mapping[str, str] = MappingProxyType({})

# name -> what it is, and its labels
FIGURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gapura_database_up": ("1 if the database answered this look, 0 if not.", ()),
    "gapura_database_seconds": ("What one trip to the database took, seconds.", ()),
    "gapura_database_bytes": ("Size of the database, bytes.", ()),
    "gapura_database_connections": ("Connections to this database, from everywhere, by state.", ("state",)),
    "gapura_database_connections_most": ("Connections that the server takes.", ()),
    "gapura_clock_skew_seconds": ("This machine's clock less the database's, seconds.", ()),
    "gapura_log_entries": ("Entries that have their place in the log's tree.", ()),
    "gapura_log_waiting_entries": ("Committed entries without a place in the tree yet.", ()),
    "gapura_log_oldest_waiting_seconds": ("Age of the oldest of them.", ()),
    "gapura_log_unsigned_seconds": ("Age of the last checkpoint, if the tree has grown since; else 0.", ()),
    "gapura_log_uncosigned_seconds": (
        "Age of the oldest checkpoint that this witness has not covered by a cosignature; else 0.",
        ("witness",),
    ),
    "gapura_log_unsound": ("1 if the last check of the whole log found something wrong, 0 if not.", ()),
    "gapura_limit_alarms": ("Agreements whose questions of today look like this.", ("pattern", "level")),
    "gapura_agreements_ending": ("Active agreements that end within so many days.", ("days",)),
    "gapura_reconciliation_runs": ("Reconciliations by state.", ("state",)),
    "gapura_reconciliation_progress_ratio": ("Share done of the reconciliation that is under way.", ()),
    "gapura_reconciliation_still_seconds": ("Since when it has not got any further, seconds.", ()),
    "gapura_maintenance": ("1 while closed for maintenance, by what closed it; else 0.", ("by",)),
    "gapura_maintenance_overdue_seconds": ("For how long closed after partners were told it ends.", ("by",)),
    "gapura_disk_bytes": ("Size of the disk under this folder, bytes.", ("folder",)),
    "gapura_disk_free_bytes": ("What is left of it, bytes.", ("folder",)),
    "gapura_certificate_ends_timestamp_seconds": ("When the first certificate of a file ends.", ("file",)),
    "gapura_archive_late_seconds": (
        "For how long what the database should have archived of its own log is not; 0 where all of it is.",
        (),
    ),
    "gapura_backup_finished_timestamp_seconds": ("When the last good backup was finished.", ()),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, of a name of FIGURES, with a value for each of its labels."""

    name: str
    number: float
    labels: Mapping[str, str] = field(default_factory=lambda: _NO_LABELS)
