"""Region codes cover what lies below them, and scopes meet in what they have in common."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.regions import LEVELS, at_level, covered, intersection, is_region_code

# Few pieces, so that codes often contain one another; 10 and 100x would meet as characters and not as pieces.
PIECES = (("35", "31"), ("01", "10"), ("01", "10"), ("1001", "1010"))


@st.composite
def codes(draw: st.DrawFn) -> str:
    depth = draw(st.integers(1, 4))
    return ".".join(draw(st.sampled_from(PIECES[level])) for level in range(depth))


scopes = st.one_of(st.none(), st.frozensets(codes(), min_size=1, max_size=6))


def lies_in(code: str, regions: frozenset[str] | None) -> bool:
    """By lists of pieces, where the code under test goes by widths."""
    if regions is None:
        return True
    pieces = code.split(".")
    return any(pieces[: len(region.split("."))] == region.split(".") for region in regions)


@given(codes(), st.frozensets(codes(), max_size=6))
@settings(deadline=None)
def test_a_region_covers_itself_and_all_below_it(code: str, regions: frozenset[str]) -> None:
    assert covered(code, regions) == lies_in(code, regions)


@given(codes(), scopes, scopes)
@settings(deadline=None, max_examples=400)
def test_an_intersection_covers_exactly_what_both_cover(
    code: str, one: frozenset[str] | None, other: frozenset[str] | None
) -> None:
    common = intersection(one, other)
    assert (common is None or covered(code, common)) == (lies_in(code, one) and lies_in(code, other))
    assert (common is None) == (one is None and other is None)


def test_a_code_is_compared_by_pieces_and_not_by_characters() -> None:
    assert covered("35.78.01.1001", frozenset({"35"}))
    assert not covered("351", frozenset({"35"}))
    assert not covered("35.781", frozenset({"35.78"}))
    assert not covered("3", frozenset({"35"}))
    assert not covered("35", frozenset({"35.78"}))


def test_what_is_no_code_is_covered_by_nothing() -> None:
    for text in ("", None, 35, "35.", ".35", "3578011001", "35.78.1", "٣٥", "35\n", ("35",)):
        assert not is_region_code(text)
        assert not covered(text, frozenset({"35", ""}))


def test_a_level_is_a_number_of_pieces_and_a_coarser_code_stays() -> None:
    assert [at_level("35.78.01.1001", level) for level in LEVELS] == [
        "35",
        "35.78",
        "35.78.01",
        "35.78.01.1001",
    ]
    assert [at_level("35.78", level) for level in LEVELS] == ["35", "35.78", "35.78", "35.78"]
