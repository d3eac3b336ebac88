"""What a round leaves to be done behind it: entries that wait for the log's tree, and for its index.

It belongs to the cost of that round's answers, and would otherwise be done at the next contender's expense.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import create_engine, make_url, text

_PATIENCE_S = 120.0
_PAUSE_S = 0.1
_LEFT = text(
    """
    SELECT (SELECT count(*) FROM audit_pending)
         + (SELECT coalesce(max(leaf_index) + 1, 0) FROM audit_leaves)
         - (SELECT coalesce(max(leaf_index), 0) FROM audit_subjects_progress)
    """
)


def until_kept_up(database_url: str) -> Callable[[], None]:
    """Waits, at each call, until the log of this database has its tree and its index, or two minutes."""
    engine = create_engine(make_url(database_url))

    def wait() -> None:
        waited_until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < waited_until:
            with engine.connect() as connection:
                left = connection.execute(_LEFT).scalar_one()
            engine.dispose()  # the database may be dropped any time between two rounds
            if left <= 0:
                return
            time.sleep(_PAUSE_S)

    return wait
