"""The advisory locks that processes of one PostgreSQL take turns by: a number each, all of them here.

MUST NOT give a number to two of them: one who holds the first would keep everybody from the second. Any
numbers would do; they only have to be ours.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """Who takes turns with whom."""

    MIGRATION = 7_240_117
    LOG_INTEGRATION = 7_240_118
    RECONCILIATION_AT_WORK = 7_240_119
    ACCEPTANCE_RULES = 7_240_120
    RECONCILIATION_SUBMITTED = 7_240_121
    REGISTRY_IMPORT = 7_240_122
    AREAS_IMPORT = 7_240_123
    LOG_MONTHS = 7_240_124
    MIGRATION_INDEXES = 7_240_125
