"""Translations: sealed anew each time, for one sector, one purpose and a while; refused when changed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.translation import (
    Passage,
    UnusableTranslation,
    derive_transit_key,
    open_translation,
    passage_of,
    seal_translation,
)

MASTER = bytes(range(32))
KEY = derive_transit_key(MASTER, "pkh")
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=24)
PASSAGE = Passage("kesehatan", "pkh", "double-payments", UNTIL)
PERSON = UUID("00112233-4455-6677-8899-aabbccddeeff")
NONCE = bytes(16)
SEALED = seal_translation(PERSON, PASSAGE, KEY, NONCE)


@given(st.uuids(), st.binary(min_size=16, max_size=16))
@settings(deadline=None)
def test_a_translation_is_aes_siv_over_the_id_under_a_key_of_the_receiving_sector(
    person: UUID, nonce: bytes
) -> None:
    info = b"gapura/translation/v1/pkh"
    key = HKDF(algorithm=SHA256(), length=64, salt=None, info=info).derive(MASTER)
    words = [b"kesehatan", b"pkh", b"double-payments", str(int(UNTIL.timestamp())).encode()]
    sealed = AESSIV(key).encrypt(person.bytes, [b"gapura translation v1", *words, nonce])
    text = base64.urlsafe_b64encode(nonce + sealed).decode()
    expected = f"t1.kesehatan.pkh.double-payments.{int(UNTIL.timestamp())}.{text}"
    assert seal_translation(person, PASSAGE, KEY, nonce) == expected
    assert open_translation(expected, KEY, "double-payments", NOW) == person


@given(st.uuids(), st.sets(st.binary(min_size=16, max_size=16), min_size=2, max_size=5))
@settings(deadline=None)
def test_the_same_person_is_sealed_differently_each_time_and_at_equal_length(
    person: UUID, nonces: set[bytes]
) -> None:
    sealed = {seal_translation(person, PASSAGE, KEY, nonce) for nonce in nonces}
    assert len(sealed) == len(nonces)
    assert len({len(text) for text in sealed}) == 1


def test_a_translation_says_from_where_to_where_for_what_and_until_when() -> None:
    assert passage_of(SEALED) == PASSAGE


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=1), timedelta(days=400)])
def test_a_translation_is_over_at_its_moment(late: timedelta) -> None:
    assert open_translation(SEALED, KEY, PASSAGE.purpose, UNTIL - timedelta(seconds=1)) == PERSON
    with pytest.raises(UnusableTranslation):
        open_translation(SEALED, KEY, PASSAGE.purpose, UNTIL + late)


@given(st.integers(0, len(SEALED) - 1), st.characters(max_codepoint=0x7F))
@settings(deadline=None, max_examples=300)
def test_no_character_of_a_translation_can_be_changed(position: int, character: str) -> None:
    changed = SEALED[:position] + character + SEALED[position + 1 :]
    if changed == SEALED:
        return
    passage = passage_of(changed)
    key = KEY if passage is None or passage.to_sector == "pkh" else derive_transit_key(MASTER, "pkh")
    with pytest.raises(UnusableTranslation) as refused:
        open_translation(changed, key, passage.purpose if passage else PASSAGE.purpose, NOW)
    assert str(refused.value) == str(UnusableTranslation())
    assert refused.value.__cause__ is None


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_at_all_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(UnusableTranslation):
        open_translation(text, KEY, PASSAGE.purpose, NOW)


def test_another_purpose_sector_or_installation_opens_nothing() -> None:
    for key, purpose in (
        (KEY, "another-purpose"),
        (derive_transit_key(MASTER, "kesehatan"), PASSAGE.purpose),
        (derive_transit_key(b"x" * 32, "pkh"), PASSAGE.purpose),
    ):
        with pytest.raises(UnusableTranslation):
            open_translation(SEALED, key, purpose, NOW)


def test_what_is_sealed_for_a_sector_is_sealed_under_its_own_key_with_enough_randomness() -> None:
    for key, nonce in ((derive_transit_key(MASTER, "kesehatan"), NONCE), (KEY, b"short")):
        with pytest.raises(ValueError, match="receiving sector"):
            seal_translation(PERSON, PASSAGE, key, nonce)


def test_a_printed_transit_key_shows_no_key() -> None:
    assert "AESSIV" not in repr(KEY)
    assert "pkh" in repr(KEY)


@pytest.mark.parametrize(("master", "sector"), [(b"short", "pkh"), (MASTER, "p.kh"), (MASTER, "")])
def test_a_transit_key_is_not_derived_from_what_could_collide_or_be_guessed(
    master: bytes, sector: str
) -> None:
    with pytest.raises(ValueError, match=r"master key|sector"):
        derive_transit_key(master, sector)
