"""Pseudonyms: stable within a sector, unlinkable between sectors, refused when anything is wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.pseudonym import (
    SectorKeys,
    UnusablePseudonym,
    derive_sector_key,
    identifier_token,
    pseudonym,
    pseudonyms,
    resolve_pseudonym,
)

MASTER = bytes(range(32))
HEALTH = derive_sector_key(MASTER, "kesehatan")
PERSON = UUID("00112233-4455-6677-8899-aabbccddeeff")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def independent_pseudonym(master: bytes, sector: str, version: int, person: UUID) -> str:
    """RFC 5869 by hand over the standard library, then AES-SIV with the associated data spelt out."""
    info = f"gapura/pseudonym/v{version}/{sector}".encode()
    extracted = hmac.digest(b"\0" * 32, master, hashlib.sha256)
    first = hmac.digest(extracted, info + b"\1", hashlib.sha256)
    second = hmac.digest(extracted, first + info + b"\2", hashlib.sha256)
    sealed = AESSIV(first + second).encrypt(person.bytes, [f"v{version}".encode(), sector.encode()])
    return f"v{version}.{sector}." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


@given(
    st.binary(min_size=32, max_size=64),
    st.sampled_from(["pkh", "dinsos-35"]),
    st.integers(1, 9999),
    st.uuids(),
)
@settings(deadline=None)
def test_a_pseudonym_is_aes_siv_over_the_id_under_a_key_of_the_sector(
    master: bytes, sector: str, version: int, person: UUID
) -> None:
    key = derive_sector_key(master, sector, version)
    assert pseudonym(person, key) == independent_pseudonym(master, sector, version, person)


@given(st.lists(st.uuids(), max_size=40), st.integers(1, 9999))
@settings(deadline=None)
def test_many_people_get_the_names_that_aes_siv_gives_each(people: list[UUID], version: int) -> None:
    names = pseudonyms(people, derive_sector_key(MASTER, "kesehatan", version))
    assert names == [independent_pseudonym(MASTER, "kesehatan", version, person) for person in people]


def test_the_construction_never_changes_because_a_change_would_rename_everyone() -> None:
    assert pseudonym(PERSON, HEALTH) == "v1.kesehatan.ImlIVil2QKFVTcgsKn7_u7SH5auh5Yrf4hP1awbpoo4"
    token = identifier_token("family_card_number", "3578010101159001", HEALTH)
    assert token == "h1.kesehatan.wzIn9VMzSN4T2ZMomqR9Bg"


@given(st.uuids())
@settings(deadline=None)
def test_a_sector_gets_back_the_person_behind_its_own_pseudonym(person: UUID) -> None:
    assert resolve_pseudonym(pseudonym(person, HEALTH), {1: HEALTH}, "kesehatan") == person


@given(st.lists(st.uuids(), min_size=2, max_size=20, unique=True))
@settings(deadline=None)
def test_two_people_never_share_a_pseudonym(people: list[UUID]) -> None:
    assert len({pseudonym(person, HEALTH) for person in people}) == len(people)


@given(st.uuids())
@settings(deadline=None)
def test_two_sectors_know_the_same_person_by_names_that_share_nothing(person: UUID) -> None:
    ours = pseudonym(person, HEALTH).rsplit(".", 1)[1]
    theirs = pseudonym(person, derive_sector_key(MASTER, "pkh")).rsplit(".", 1)[1]
    assert ours != theirs
    assert person.bytes not in base64.urlsafe_b64decode(ours + "=")


def test_a_new_key_version_renames_and_the_old_names_stay_readable() -> None:
    newer = derive_sector_key(MASTER, "kesehatan", 2)
    keys = {1: HEALTH, 2: newer}
    old, new = pseudonym(PERSON, HEALTH), pseudonym(PERSON, newer)
    assert old.startswith("v1.kesehatan.")
    assert new.startswith("v2.kesehatan.")
    assert old[2:] != new[2:]
    assert resolve_pseudonym(old, keys, "kesehatan") == resolve_pseudonym(new, keys, "kesehatan") == PERSON


def unusable() -> list[str]:
    good = pseudonym(PERSON, HEALTH)
    prefix, payload = good[: len("v1.kesehatan.")], good[len("v1.kesehatan.") :]
    pkh = derive_sector_key(MASTER, "pkh")
    same_bits = ALPHABET[ALPHABET.index(payload[-1]) ^ 1]  # the last two bits of 43 characters carry nothing
    return [
        pseudonym(PERSON, pkh),  # another sector's
        prefix + pseudonym(PERSON, pkh).rsplit(".", 1)[1],  # another sector's under our prefix
        pseudonym(PERSON, derive_sector_key(MASTER, "kesehatan", 2)),  # a version that is not kept
        prefix + pseudonym(PERSON, derive_sector_key(MASTER, "kesehatan", 2)).rsplit(".", 1)[1],
        pseudonym(PERSON, derive_sector_key(b"x" * 32, "kesehatan")),  # another installation's
        prefix + payload[:-1] + same_bits,
        prefix + payload + "=",
        prefix + payload[:-1],
        prefix + payload + "A",
        good.replace("kesehatan", "pkh"),  # our own payload under another sector's prefix
        good.upper(),
        good.replace("v1", "v01"),
        good.replace("v1", "v\u0661"),  # a digit that is not ASCII
        good.replace("v1", "1"),
        good + "\n",
        " " + good,
        identifier_token("family_card_number", "3578010101159001", HEALTH),
        "3578010101159001",
        "v1.kesehatan.",
        "",
    ]


@pytest.mark.parametrize("text", unusable())
def test_what_is_wrong_with_a_pseudonym_is_refused_with_one_and_the_same_error(text: str) -> None:
    with pytest.raises(UnusablePseudonym) as refused:
        resolve_pseudonym(text, {1: HEALTH}, "kesehatan")
    assert str(refused.value) == str(UnusablePseudonym())
    assert refused.value.__cause__ is None


@given(st.integers(0, 42), st.sampled_from(ALPHABET))
@settings(deadline=None)
def test_no_character_of_a_pseudonym_can_be_changed(position: int, character: str) -> None:
    good = pseudonym(PERSON, HEALTH)
    at = len("v1.kesehatan.") + position
    changed = good[:at] + character + good[at + 1 :]
    if changed == good:
        assert resolve_pseudonym(changed, {1: HEALTH}, "kesehatan") == PERSON
        return
    with pytest.raises(UnusablePseudonym):
        resolve_pseudonym(changed, {1: HEALTH}, "kesehatan")


@given(st.text(max_size=80))
@settings(deadline=None)
def test_any_text_at_all_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(UnusablePseudonym):
        resolve_pseudonym(text, {1: HEALTH}, "kesehatan")


def test_a_key_filed_under_the_wrong_version_or_sector_opens_nothing() -> None:
    pkh = derive_sector_key(MASTER, "pkh")
    for text, keys in (
        (pseudonym(PERSON, HEALTH).replace("v1", "v2"), {2: HEALTH}),
        (pseudonym(PERSON, pkh).replace("pkh", "kesehatan"), {1: pkh}),
    ):
        with pytest.raises(UnusablePseudonym):
            resolve_pseudonym(text, keys, "kesehatan")


def test_a_printed_key_shows_no_key() -> None:
    shown = repr(HEALTH) + str(HEALTH)
    assert "kesehatan" in shown
    assert str(HEALTH.token_key) not in shown
    assert HEALTH.token_key.hex() not in shown
    assert "AESSIV" not in shown


@pytest.mark.parametrize(
    ("master", "sector", "version"),
    [(b"short", "pkh", 1), (MASTER, "", 1), (MASTER, "pkh.x", 1), (MASTER, "PKH", 1), (MASTER, "pkh", 0)],
)
def test_a_key_is_not_derived_from_what_could_collide_or_be_guessed(
    master: bytes, sector: str, version: int
) -> None:
    with pytest.raises(ValueError, match=r"master key|sector|version"):
        derive_sector_key(master, sector, version)


def test_equal_identifiers_meet_within_a_sector_and_nowhere_else() -> None:
    number = "3578010101159001"
    ours = identifier_token("family_card_number", number, HEALTH)
    assert ours == identifier_token("family_card_number", number, HEALTH)
    assert ours != identifier_token("nik", number, HEALTH)
    assert ours[2:] != identifier_token("family_card_number", number, derive_sector_key(MASTER, "pkh"))[2:]
    assert number not in ours


SALT = bytes(range(100, 132))


@given(st.binary(min_size=32, max_size=32).filter(any), st.uuids())
@settings(deadline=None)
def test_a_salt_makes_another_key_and_without_it_the_names_do_not_come_back(
    salt: bytes, person: UUID
) -> None:
    salted = derive_sector_key(MASTER, "kesehatan", 1, salt)
    name = pseudonym(person, salted)
    for other in (HEALTH, derive_sector_key(MASTER, "kesehatan", 1, hashlib.sha256(salt).digest())):
        with pytest.raises(UnusablePseudonym):
            resolve_pseudonym(name, {1: other}, "kesehatan")
    assert (
        resolve_pseudonym(name, {1: derive_sector_key(MASTER, "kesehatan", 1, salt)}, "kesehatan") == person
    )


def test_a_salted_key_is_hkdf_with_the_salt_as_rfc_5869_has_it() -> None:
    info = b"gapura/pseudonym/v2/kesehatan"
    extracted = hmac.digest(SALT, MASTER, hashlib.sha256)
    first = hmac.digest(extracted, info + b"\1", hashlib.sha256)
    second = hmac.digest(extracted, first + info + b"\2", hashlib.sha256)
    sealed = AESSIV(first + second).encrypt(PERSON.bytes, [b"v2", b"kesehatan"])
    expected = "v2.kesehatan." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    assert pseudonym(PERSON, derive_sector_key(MASTER, "kesehatan", 2, SALT)) == expected


def test_a_salt_of_another_length_or_without_anything_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match="salt has 5 bytes"):
        derive_sector_key(MASTER, "kesehatan", 1, b"short")
    with pytest.raises(ValueError, match="all zeros"):
        derive_sector_key(MASTER, "kesehatan", 1, bytes(32))


def test_the_keys_of_a_sector_name_by_the_newest_and_take_back_by_all() -> None:
    newer = derive_sector_key(MASTER, "kesehatan", 2, SALT)
    keys = SectorKeys(newer, {1: HEALTH, 2: newer})
    assert keys.name(PERSON) == pseudonym(PERSON, newer)
    assert keys.person(pseudonym(PERSON, HEALTH)) == keys.person(keys.name(PERSON)) == PERSON
    with pytest.raises(UnusablePseudonym):
        SectorKeys.only(newer).person(pseudonym(PERSON, HEALTH))
    assert "AESSIV" not in repr(keys)
