"""What the console makes of the API's figures and forms: said in words, and never more than is known."""

from __future__ import annotations

import pytest

from gateway.console.language import NONE, speech
from gateway.console.released import released


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "99.99%"), (0.999999, "99.99%"), (0.9999, "99.99%"), (0.1071, "10.71%"), (None, NONE)],
)
def test_a_probability_is_never_told_as_certain(share: float | None, said: str) -> None:
    assert speech("en").chance(share) == said


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("keep", "in full"),
        ("mask (show_first: 1)", "masked: only the first 1 characters show"),
        ("generalise (to: village)", "generalised: to village"),
        ("generalise (to: age_band; years: 5)", "generalised: to age group, bands of 5 years"),
        ("bucket (ranges: 1-2, 3+)", "as a range: ranges 1-2, 3+"),
        ("mask (newer: 1)", "masked: newer: 1"),
        ("newer", "newer"),
    ],
)
def test_what_a_field_is_released_as_is_told_in_words_and_nothing_is_left_out(
    spelled: str, said: str
) -> None:
    assert released(speech("en"), spelled) == said


def test_it_is_told_in_indonesian_too() -> None:
    assert released(speech("id"), "mask (show_first: 1)").endswith("hanya 1 karakter pertama terlihat")
