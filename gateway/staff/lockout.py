"""How long an account waits after wrong passwords. Pure.

An attempt is counted before its password is looked at, in the transaction that also sees whether the account
is locked: however many arrive together, no more of them are tried than this allows. A right password sets
the count back to nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

FREE_FAILURES = 5
_FIRST_WAIT = timedelta(minutes=1)
# Longer would let a stranger shut a colleague out for a day; at one guess an hour nothing is guessed.
_LONGEST_WAIT = timedelta(hours=1)
_DOUBLINGS = 6  # an hour is reached by then: 1 min * 2**6 is beyond the longest wait


def wait_after(failures: int) -> timedelta:
    """The wait that the failure of this number (from 1, in a row) brings; it doubles up to an hour."""
    if failures < FREE_FAILURES:
        return timedelta()
    return min(_LONGEST_WAIT, _FIRST_WAIT * (1 << min(failures - FREE_FAILURES, _DOUBLINGS)))


def locked_until(failures: int, now: datetime) -> datetime | None:
    """Until when the account is locked if the attempt of this number fails; None while none is due."""
    wait = wait_after(failures)
    return now + wait if wait else None
