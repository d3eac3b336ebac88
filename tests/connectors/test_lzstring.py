"""LZ-String: letter for letter what the original and a port of it that nobody here wrote make of a text."""

from __future__ import annotations

from contextlib import suppress

import lzstring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.bpjs.lzstring import (
    BrokenText,
    compress_to_encoded_uri_component,
    decompress_from_encoded_uri_component,
)

# Made with the original, npm lz-string 1.5.0: compressToEncodedURIComponent(text).
ORIGINAL = {
    "": "Q",
    "a": "IZA",
    "aaaaaaaaaa": "IY1o",
    "hello, world": "BYUwNmD2A0AEDukBOYAmQ",
    '{"peserta":null}': "N4IgDgpgzhBOAuBDEAuAdgVwDZYL5A",
    "é": "JdA",
    "aé€漢字😀": "IYS8NQSET2jq2ovBuAB7Q",
    "AB" * 120: "IIIV7SOrZ+6IcpqXrZj2u5-vQoA",
    "\u0000ÿĀ\ud800x": "AAf8AICAAbAeQ",
    "PBI (APBN) " * 40 + "KELAS III": (
        "AoIQkgBAFAgqByBKCpKwc104iS82G+aOeW6umBFZ1pVJR59xhlrNDbtj7zTdAbx7cunDi359B04WMkyR4qUoVyJQ0RtlaV8zcsX6dh"
        "9QGkAogBkYAZQhhHQA"
    ),
}
PORT = lzstring.LZString()
# The port counts in code points, the original in UTF-16 units: beyond these the port is wrong.
WITHIN_16_BITS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=300)
FEW_LETTERS = st.text("ab{}0é漢", max_size=300)


@pytest.mark.parametrize("text", ORIGINAL)
def test_packs_and_unpacks_as_the_original_does(text: str) -> None:
    assert compress_to_encoded_uri_component(text) == ORIGINAL[text]
    assert decompress_from_encoded_uri_component(ORIGINAL[text]) == text


@given(WITHIN_16_BITS | FEW_LETTERS)
@settings(deadline=None)
def test_agrees_with_the_port(text: str) -> None:
    packed = compress_to_encoded_uri_component(text)
    assert packed == PORT.compressToEncodedURIComponent(text)
    assert decompress_from_encoded_uri_component(packed) == text


@given(st.text(max_size=300) | FEW_LETTERS, st.text(max_size=16))
@settings(deadline=None)
def test_what_follows_the_end_mark_does_not_matter(text: str, rest: str) -> None:
    assert decompress_from_encoded_uri_component(compress_to_encoded_uri_component(text) + rest) == text


@given(FEW_LETTERS.filter(bool), st.data())
@settings(deadline=None)
def test_a_text_that_is_cut_short_is_broken_and_never_a_shorter_text(text: str, data: st.DataObject) -> None:
    packed = compress_to_encoded_uri_component(text)
    # The last letter or two may hold nothing but padding after the end mark.
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with suppress(BrokenText):
        assert decompress_from_encoded_uri_component(cut) == text


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_at_all_unpacks_or_is_broken_and_nothing_else(text: str) -> None:
    with suppress(BrokenText):
        decompress_from_encoded_uri_component(text)


def test_a_few_letters_cannot_unfold_to_more_than_is_allowed() -> None:
    packed = compress_to_encoded_uri_component("a" * 100_000)
    assert len(packed) < 1_000
    with pytest.raises(BrokenText, match="more than 99999 units"):
        decompress_from_encoded_uri_component(packed, limit=99_999)
    assert decompress_from_encoded_uri_component(packed, limit=100_000) == "a" * 100_000


@pytest.mark.parametrize("text", ["", "w", "ÄÖÜ"])
def test_text_that_no_packing_yields_is_broken(text: str) -> None:
    with pytest.raises(BrokenText):
        decompress_from_encoded_uri_component(text)
