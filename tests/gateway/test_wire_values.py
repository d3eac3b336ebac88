from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import adapters, pq
from psycopg.adapt import Transformer
from sqlalchemy import text

from gateway.database import Database
from gateway.lanes import Last, Procedure, open_lane
from gateway.wire_values import encoder

_JAKARTA = timezone(timedelta(hours=7))
_A_UUID = UUID("5b5c3f0e-7a14-4f52-9f2f-6a8f6b6f6b01")
_VALUES: list[tuple[str, Any]] = [
    ("boolean", True),
    ("boolean", False),
    ("smallint", -32_768),
    ("integer", 2_147_483_647),
    ("bigint", -9_223_372_036_854_775_808),
    ("text", "Pasaréan 'kutip' \\ \" {} , NULL"),
    ("varchar", ""),
    ("bytea", bytes(range(256))),
    ("date", date(1, 1, 1)),
    ("date", date(9999, 12, 31)),
    ("timestamptz", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ("timestamptz", datetime(2026, 11, 22, 6, 30, tzinfo=_JAKARTA)),
    ("uuid", _A_UUID),
    ("json", {"regions": ["3578"], "names": "é"}),
    ("jsonb", [1, None, "x"]),
    ("boolean[]", [True, None, False]),
    ("smallint[]", [1, -1]),
    ("integer[]", [1, None]),
    ("bigint[]", [2**62, None, -1]),
    ("bigint[]", []),
    ("text[]", ["NULL", None, "", 'a"b', "a,b", "{}", "\\"]),
    ("varchar[]", ["a"]),
    ("bytea[]", [b"", b"\\x00", None]),
    ("date[]", [date(2000, 1, 1), None, date(1999, 12, 31)]),
    ("timestamptz[]", [datetime(2000, 1, 1, tzinfo=UTC), None]),
    ("uuid[]", [_A_UUID, None]),
]


def _giving_back(kind: str, value: Any) -> Procedure[Any]:
    (rows,) = yield Last([(text(f"SELECT CAST(:given AS {kind}), CAST(:none AS {kind})"), _pair(value))])
    return rows[0]


def _pair(value: Any) -> dict[str, Any]:
    return {"given": value, "none": None}


@pytest.mark.parametrize(("kind", "value"), _VALUES)
async def test_postgresql_reads_what_was_meant(postgres_url: str, kind: str, value: Any) -> None:
    database = Database(postgres_url)
    given, none = await open_lane(database, "test")(_giving_back(kind, value))
    assert given == value
    assert none is None
    database.close()


async def test_a_type_that_is_not_listed_is_refused_before_anything_is_sent(postgres_url: str) -> None:
    database = Database(postgres_url)
    lane = open_lane(database, "test")
    with pytest.raises(LookupError, match="type 869 is foreseen"):
        await lane(_giving_back("inet", "127.0.0.1"))
    given, _ = await lane(_giving_back("integer", 1))  # and the lane goes on
    assert given == 1
    database.close()


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without time zone"):
        encoder(_oid("timestamptz"))(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


@settings(max_examples=200)
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_texts_are_written_as_the_driver_would_read_them(texts: list[str | None]) -> None:
    assert _read("text[]", encoder(_oid("text[]"))(texts)) == texts


@settings(max_examples=200)
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_numbers_are_written_as_the_driver_would_read_them(numbers: list[int | None]) -> None:
    assert _read("bigint[]", encoder(_oid("bigint[]"))(numbers)) == numbers


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - UTC
def test_moments_are_written_as_the_driver_would_read_them(moment: datetime) -> None:
    assert _read("timestamptz", encoder(_oid("timestamptz"))(moment)) == moment


def _oid(kind: str) -> int:
    info = adapters.types[kind.removesuffix("[]")]
    return info.array_oid if kind.endswith("[]") else info.oid


def _read(kind: str, written: bytes) -> Any:
    loader = Transformer().get_loader(_oid(kind), pq.Format.BINARY)
    return loader.load(written)
