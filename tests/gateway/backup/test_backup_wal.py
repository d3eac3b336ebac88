"""Which archived segments lead from a base backup onwards, with PostgreSQL's own rules as the oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backup.wal import (
    Leg,
    chain,
    legs,
    newest_timeline,
    position_of,
    segment_name,
    segment_number,
)
from gateway.errors import FileUnusable

MB = 1 << 20
SEGMENT_BYTES = 16 * MB


@pytest.mark.parametrize(
    ("lsn", "segment_bytes", "name"),
    [
        # What pg_walfile_name says on servers with these sizes of segment.
        ("0/2000028", 16 * MB, "000000010000000000000002"),
        ("1/0", 16 * MB, "000000010000000100000000"),
        ("16/B374D848", 16 * MB, "0000000100000016000000B3"),
        ("16/B374D848", 64 * MB, "00000001000000160000002C"),
        ("0/FFFFFFFF", 1 * MB, "000000010000000000000FFF"),
    ],
)
def test_a_place_in_the_log_is_in_the_segment_that_postgresql_names(
    lsn: str, segment_bytes: int, name: str
) -> None:
    assert segment_name(1, position_of(lsn) // segment_bytes, segment_bytes) == name


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**44 - 1), st.sampled_from([1, 16, 64, 1024]))
def test_a_segments_name_gives_its_number_back(timeline: int, number: int, megabytes: int) -> None:
    size = megabytes * MB
    number %= 2**64 // size
    name = segment_name(timeline, number, size)
    assert (int(name[:8], 16), segment_number(name, size)) == (timeline, number)


HISTORY_OF_3 = """1\t0/5000000\tno recovery target specified
2\t0/7A00000\tbefore 2026-11-22 10:00:00+07
"""


def test_a_way_over_timelines_is_read_from_the_history_of_the_last() -> None:
    assert legs(1, 3, {3: HISTORY_OF_3}, SEGMENT_BYTES) == [Leg(1, 0), Leg(2, 5), Leg(3, 7)]


def test_a_server_that_stays_on_its_timeline_needs_no_history() -> None:
    assert legs(2, 2, {}, SEGMENT_BYTES) == [Leg(2, 0)]


@pytest.mark.parametrize(
    ("start", "text", "why"),
    [
        (1, None, "unknown"),
        (4, HISTORY_OF_3, "does not come from"),
        (1, "1 no place", "damaged"),
    ],
)
def test_a_timeline_that_cannot_be_reached_is_refused(start: int, text: str | None, why: str) -> None:
    with pytest.raises(FileUnusable, match=why):
        legs(start, 3, {} if text is None else {3: text}, SEGMENT_BYTES)


def test_the_latest_timeline_is_the_last_that_follows_without_a_gap() -> None:
    assert newest_timeline(1, ["00000002.history", "00000003.history", "00000005.history"]) == 3
    assert newest_timeline(3, ["00000002.history"]) == 3


def names(timeline: int, *numbers: int) -> list[str]:
    return [segment_name(timeline, number, SEGMENT_BYTES) for number in numbers]


def test_after_a_branch_the_newer_timeline_is_read_from_the_segment_of_the_branch_on() -> None:
    way = [Leg(1, 0), Leg(2, 5)]
    there = [*names(1, 3, 4, 5, 6), *names(2, 5, 6)]
    assert chain(3, way, there, SEGMENT_BYTES).segments == (*names(1, 3, 4), *names(2, 5, 6))


def test_what_only_another_timeline_has_is_no_gap() -> None:
    found = chain(3, [Leg(1, 0)], [*names(1, 3, 4), *names(2, 9)], SEGMENT_BYTES)
    assert (found.segments, found.missing) == ((*names(1, 3, 4),), None)


@given(st.integers(0, 40), st.sets(st.integers(0, 60)))
def test_the_chain_ends_before_the_first_that_is_missing_and_names_it(first: int, there: set[int]) -> None:
    found = chain(first, [Leg(1, 0)], names(1, *there), SEGMENT_BYTES)
    end = next(number for number in range(first, 100) if number not in there)
    assert found.segments == (*names(1, *range(first, end)),)
    gap = any(number > end for number in there)
    assert found.missing == (names(1, end)[0] if gap else None)
