"""Parameters in PostgreSQL's binary format, by the type that the server says it expects.

For the pipeline of the hot path alone: the driver writes an array one element at a time in Python, which
costs more than the statement it is for. What comes back is read by the driver. A type that is not listed is
refused, so that nothing is ever sent in a form that was not thought of.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

Encode = Callable[[Any], bytes]

_LENGTH = struct.Struct("!i").pack
_SMALL, _INTEGER, _BIG = (struct.Struct(code).pack for code in ("!h", "!i", "!q"))
_NULL = _LENGTH(-1)
_NO_ELEMENTS = struct.Struct("!iiI").pack
_ONE_DIMENSION = struct.Struct("!iiIii").pack
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSONB_VERSION = b"\x01"


def encoder(type_id: int) -> Encode:
    """What writes a value, never None, of the type with this OID. Raises LookupError for one not listed."""
    scalar = _SCALARS.get(type_id)
    if scalar is not None:
        return scalar
    element = _ELEMENTS.get(type_id)
    if element is None:
        raise LookupError(f"no parameter of PostgreSQL's type {type_id} is foreseen: add it here")
    encode = _SCALARS[element]
    return lambda values: _array(values, element, encode)


def _array(values: Collection[Any], element: int, encode: Encode) -> bytes:
    if not values:
        return _NO_ELEMENTS(0, 0, element)
    parts = [_ONE_DIMENSION(1, None in values, element, len(values), 1)]
    add = parts.append
    for value in values:
        if value is None:
            add(_NULL)
        else:
            encoded = encode(value)
            add(_LENGTH(len(encoded)))
            add(encoded)
    return b"".join(parts)


def _boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def _day(value: date) -> bytes:
    return _INTEGER(value.toordinal() - _EPOCH_DAY)


def _moment(value: datetime) -> bytes:
    if value.tzinfo is None:
        raise ValueError("a moment without time zone cannot be stored")
    return _BIG((value - _EPOCH) // _MICROSECOND)


def _uuid(value: UUID) -> bytes:
    return value.bytes


# OIDs are those of PostgreSQL's pg_type.dat, the same in every installation.
_SCALARS: Mapping[int, Encode] = {
    16: _boolean,
    17: bytes,
    20: _BIG,
    21: _SMALL,
    23: _INTEGER,
    25: str.encode,
    114: orjson.dumps,
    1043: str.encode,
    1082: _day,
    1184: _moment,
    2950: _uuid,
    3802: lambda value: _JSONB_VERSION + orjson.dumps(value),
}
_ELEMENTS: Mapping[int, int] = {
    1000: 16,
    1001: 17,
    1005: 21,
    1007: 23,
    1009: 25,
    1015: 1043,
    1016: 20,
    1182: 1082,
    1185: 1184,
    2951: 2950,
}
