"""Columns of values as the text of one array: `INSERT ... SELECT * FROM unnest(CAST(:numbers AS bigint[]))`.

A statement per row costs several times as much, and the driver makes an array of a list one value at a time,
which costs more than the statement. PostgreSQL's alone. It MUST NOT be given texts: what in them needs
escaping is the driver's to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def of_numbers(numbers: Iterable[int | None]) -> str:
    """For `bigint[]`."""
    return f"{{{','.join('NULL' if one is None else str(one) for one in numbers)}}}"


def of_bytes(values: Iterable[bytes]) -> str:
    """For `bytea[]`."""
    return "{" + ",".join([rf'"\\x{one.hex()}"' for one in values]) + "}"


def of_moments(moments: Iterable[datetime]) -> str:
    """For `timestamptz[]`; each moment MUST know its time zone."""
    return "{" + ",".join([one.isoformat() for one in moments]) + "}"
