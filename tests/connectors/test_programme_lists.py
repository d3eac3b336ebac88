"""The list format and double memberships: nothing is taken that is not of the format, nothing is missed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.programmes.rows import FORMAT, REJECTIONS, Membership, double_memberships, read_page
from connectors.transport.failures import BrokenContract

NIK, OTHER = "3578014708990001", "3578010708990002"
DAY = date(2026, 11, 1)
ROW = {"nik": NIK, "starts_on": "2026-01-01", "ends_on": None, "segment": "lansia"}


def page_of(*items: Any, **changes: Any) -> dict[str, Any]:
    document = {
        "format": FORMAT,
        "programme": "PKH",
        "as_of": "2026-11-01",
        "items": list(items),
        "next_cursor": "c2",
        "more": False,
    }
    return document | changes


def rejects_of(*items: Any) -> list[tuple[int, str, str]]:
    page = read_page(page_of(*items), "PKH", "kemensos")
    return [(reject.position, reject.column, reject.problem) for reject in page.rejects]


def test_a_good_row_is_taken_as_it_stands() -> None:
    page = read_page(page_of(ROW, ROW | {"nik": OTHER, "name": "not ours to read"}), "PKH", "kemensos")
    assert page.memberships[0] == Membership(NIK, "PKH", date(2026, 1, 1), None, "lansia", "kemensos", DAY)
    assert len(page.memberships) == 2
    assert page.rejects == ()


@pytest.mark.parametrize(
    ("changes", "column", "problem"),
    [
        ({"nik": 3578014708990001}, "nik", "digits"),
        ({"nik": "357801470899000"}, "nik", "digits"),
        ({"nik": "\uff13578014708990001"}, "nik", "digits"),
        ({"nik": None}, "nik", "digits"),
        ({"starts_on": "01-01-2026"}, "starts_on", "date"),
        ({"starts_on": "2026-02-30"}, "starts_on", "date"),
        ({"starts_on": "1026-01-01"}, "starts_on", "date"),
        ({"starts_on": None}, "starts_on", "date"),
        ({"ends_on": ""}, "ends_on", "date"),
        ({"ends_on": 20261231}, "ends_on", "date"),
        ({"ends_on": "2025-12-31"}, "ends_on", "order"),
        ({"segment": "Lanjut Usia"}, "segment", "segment"),
        ({"segment": "x" * 33}, "segment", "segment"),
        ({"segment": 7}, "segment", "segment"),
    ],
)
def test_a_row_is_refused_with_its_column_and_reason(
    changes: dict[str, Any], column: str, problem: str
) -> None:
    assert rejects_of(ROW | {"nik": OTHER}, ROW | changes) == [(2, column, problem)]
    assert all(REJECTIONS[problem])


@pytest.mark.parametrize("item", [None, [], "row", {}, {name: ROW[name] for name in list(ROW)[:3]}])
def test_what_is_no_row_is_refused(item: Any) -> None:
    assert rejects_of(item) == [(1, "", "shape")]


def test_of_equal_rows_one_is_taken_and_of_contradictory_ones_none() -> None:
    ended = ROW | {"ends_on": "2026-06-01"}
    assert rejects_of(ROW, ROW) == [(2, "", "repeated")]
    assert rejects_of(ROW, ended) == [(1, "", "contradictory"), (2, "", "contradictory")]
    assert rejects_of(ROW, ROW | {"starts_on": "2025-01-01", "ends_on": "2025-06-01"}) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "gapura-programme-list/2"},
        {"programme": "BPNT"},
        {"as_of": None},
        {"as_of": "today"},
        {"items": None},
        {"items": {"0": ROW}},
        {"more": "false"},
        {"more": None},
        {"next_cursor": None},
        {"next_cursor": ""},
        {"next_cursor": 7},
        {"next_cursor": "x" * 2000},
    ],
)
def test_a_page_of_another_format_is_refused_as_a_whole(changes: dict[str, Any]) -> None:
    with pytest.raises(BrokenContract) as refused:
        read_page(page_of(ROW, **changes), "PKH", "kemensos")
    assert NIK not in refused.value.cause


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_a_spoilt_page_tells_the_intact_memberships_or_none(data: st.DataObject) -> None:
    """One element replaced by a value of another kind makes no membership that the intact page lacks."""
    intact = read_page(page_of(ROW, ROW | {"nik": OTHER}), "PKH", "kemensos").memberships
    document = json.loads(json.dumps(page_of(ROW, ROW | {"nik": OTHER})))
    junk = data.draw(st.none() | st.integers() | st.booleans() | st.text("xyz ", max_size=5) | st.just([{}]))
    where = data.draw(st.sampled_from(["page", "row"]))
    target = document if where == "page" else document["items"][0]
    name = data.draw(st.sampled_from(sorted(target)))
    kept = name in {"next_cursor", "more", "segment", "ends_on"}  # such values can be true to the format
    target[name] = junk
    try:
        told = read_page(document, "PKH", "kemensos").memberships
    except BrokenContract:
        return
    assert kept or set(told) <= set(intact)
    assert {one.nik for one in told} <= {NIK, OTHER}


# --- Double memberships


def member(programme: str, start: int, end: int | None, nik: str = NIK) -> Membership:
    until = None if end is None else DAY + timedelta(days=end)
    return Membership(nik, programme, DAY + timedelta(days=start), until, None, "kemensos", DAY)


def test_an_overlap_is_told_with_both_memberships_and_its_days() -> None:
    pkh, bst = member("PKH", 0, None), member("BST", 10, 20)
    [double] = double_memberships([bst, pkh, member("BST", 0, None, OTHER)])
    assert (double.nik, double.first, double.second) == (NIK, pkh, bst)
    assert (double.since, double.until) == (DAY + timedelta(days=10), DAY + timedelta(days=20))


def test_programmes_that_may_go_together_are_no_double_membership() -> None:
    held = [member("PKH", 0, None), member("BPNT", 0, None), member("BST", 5, None)]
    pairs = {frozenset({"PKH", "BST"})}
    assert [{d.first.programme, d.second.programme} for d in double_memberships(held, pairs)] == [
        {"PKH", "BST"}
    ]
    assert len(list(double_memberships(held))) == 3


def test_one_that_ends_on_the_day_another_starts_does_not_overlap() -> None:
    assert list(double_memberships([member("PKH", 0, 10), member("BST", 10, None)])) == []


def test_a_membership_that_was_taken_back_overlaps_with_nothing() -> None:
    assert list(double_memberships([member("PKH", 5, 5), member("BST", 0, None)])) == []


MEMBERSHIPS = st.builds(
    lambda programme, start, length, nik: member(programme, start, length and start + length - 1, nik),
    st.sampled_from(["PKH", "BPNT", "BST"]),
    st.integers(0, 12),
    st.none() | st.integers(1, 8),
    st.sampled_from([NIK, OTHER]),
)


def days_in_both(first: Membership, second: Membership) -> list[date]:
    """The oracle counts days, one by one."""
    days = [DAY + timedelta(days=day) for day in range(40)]
    return [
        day
        for day in days
        if all(one.starts_on <= day and (one.ends_on is None or day < one.ends_on) for one in (first, second))
    ]


@given(st.lists(MEMBERSHIPS, max_size=7))
@settings(deadline=None, max_examples=200)
def test_exactly_the_pairs_that_share_a_day_are_told(held: Sequence[Membership]) -> None:
    expected = [
        (first.nik, frozenset({first.programme, second.programme}), days_in_both(first, second)[0])
        for at, first in enumerate(held)
        for second in held[at + 1 :]
        if first.nik == second.nik and first.programme != second.programme and days_in_both(first, second)
    ]
    told = [
        (double.nik, frozenset({double.first.programme, double.second.programme}), double.since)
        for double in double_memberships(held)
    ]
    assert Counter(told) == Counter(expected)
