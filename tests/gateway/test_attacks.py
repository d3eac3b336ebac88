"""Attacks on names and evidence, each with all that its attacker could have, and each shown to be a real one.

Every attack is run twice: against the gateway, where it has to fail, and against the same thing without its
protection (a control), where it has to succeed: an attack that could find nothing anywhere proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from uuid import UUID, uuid4

import orjson
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import select

from gateway.audit.entry import exchange_salt
from gateway.audit.signing import Receipts
from gateway.database import Database, metadata
from gateway.exchange import Answer
from gateway.oauth.consumers import Consumer
from gateway.pseudonyms.naming import TRANSLATION_LIFE, AskedName, NamingQuestion
from policies.naming import REKEY
from policies.pseudonym import SectorKey, SectorKeys, UnusablePseudonym, derive_sector_key, pseudonym
from policies.translation import Passage, TranslationGrant, derive_transit_key, seal_translation
from tests.gateway.pseudonyms.world import (
    AUDIT_KEY,
    MASTER,
    PURPOSE,
    RECEIVER,
    SENDER,
    World,
    person,
    receiving,
    sending,
)
from tests.policies.builders import a_book

pytestmark = pytest.mark.anyio

PEOPLE = 40
# All that the attacker needs to try: who lives in one district and was born on one day.
NIKS = [f"357808520384{serial}" for serial in range(9000, 9000 + PEOPLE)]
_SPELLED_BYTES = re.compile(rb"[0-9a-fA-F]{32,}|[A-Za-z0-9_-]{22,}")


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "keys", [person(nik=nik) for nik in NIKS])


def dump(database: Database) -> bytes:
    """Every table of the database, as a thief would have it."""
    with database.reading() as connection:
        rows = [
            [column.hex() if isinstance(column, bytes) else str(column) for column in row]
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        ]
    return "\n".join(" ".join(row) for row in rows).encode()


def _secrets_in(stolen: bytes) -> Iterator[bytes]:
    """Whatever in a dump could be a key: each text that spells 16 bytes or more, and what it spells."""
    for found in {match.group() for match in _SPELLED_BYTES.finditer(stolen)}:
        yield found
        if re.fullmatch(rb"[0-9a-fA-F]+", found) and len(found) % 2 == 0:
            yield bytes.fromhex(found.decode())
        yield base64.urlsafe_b64decode(found + b"=" * (-len(found) % 4))


def _digests(secret: bytes, guess: bytes) -> Iterator[bytes]:
    """What is made of a guess and perhaps a secret by whoever protects it badly."""
    yield hashlib.sha256(guess).digest()
    yield hashlib.sha256(secret + guess).digest()
    yield hmac.digest(secret, guess, "sha256")


def _guesses(one: UUID, nik: str) -> list[bytes]:
    return [nik.encode(), one.bytes, str(one).encode(), b"person:" + one.bytes, b"identifier:" + nik.encode()]


# brute force


def _keys_from(secrets: Iterable[bytes]) -> Iterator[SectorKey]:
    """Every sector key that could be derived if one of these were the master key, and another the salt."""
    long_ones = [secret for secret in secrets if len(secret) == 32 and any(secret)]
    for master in long_ones:
        for salt in (None, *long_ones):
            yield derive_sector_key(master, SENDER.sector, 1, salt)


def _brute_forced(
    names: Sequence[str],
    people: Sequence[tuple[UUID, str]],
    keys: Iterable[SectorKey],
    secrets: Iterable[bytes] = (),
) -> int:
    """How many names are led back to a person by trying every person under every key and every secret."""
    bodies = {name: base64.urlsafe_b64decode(name.rsplit(".", 1)[1] + "=") for name in names}
    made = {pseudonym(one, key) for key in keys for one, _ in people}
    hashed = {
        digest[:size]
        for secret in (b"", *secrets)
        for one, nik in people
        for guess in _guesses(one, nik)
        for digest in _digests(secret, guess)
        for size in (16, 32)
    }
    return sum(name in made or body in hashed or body[:16] in hashed for name, body in bodies.items())


async def test_pseudonyms_are_not_brute_forced_by_who_has_the_database_and_knows_everybody(
    world: World,
) -> None:
    """The attacker holds the whole database, every NIK and every internal id of a small space, and all names.

    A hash of a NIK falls in milliseconds to that: there are so few NIKs. A pseudonym is not made of the NIK,
    and what it is made of is encrypted under a key whose two halves, master key and salt, are key files: no
    table holds either, and the mark by which the database recognises a key is a hash of 256 secret bits.
    """
    people = [(one.person_id, nik) for one, nik in zip(world.people, NIKS, strict=True)]
    names = [await world.name(SENDER, one) for one in world.people]
    await world.translate(*names[:10])
    stolen = list(_secrets_in(dump(world.database)))
    assert len(stolen) > 20
    assert _brute_forced(names, people, _keys_from(stolen), stolen) == 0

    salt = bytes.fromhex(next((world.folder / "sectors").iterdir()).read_text().strip())
    assert _brute_forced(names, people, [derive_sector_key(MASTER, SENDER.sector, 1, salt)]) == PEOPLE
    plain = [hashlib.sha256(nik.encode()).digest() for nik in NIKS]
    hashes = ["v1.kesehatan." + base64.urlsafe_b64encode(one).decode().rstrip("=") for one in plain]
    assert _brute_forced(hashes, people, []) == PEOPLE


async def test_knowing_who_is_behind_other_names_leads_no_name_back(world: World) -> None:
    """The attacker knows whose names thirty-nine are, and puts every pair to use on the fortieth.

    AES-SIV is a pseudo-random permutation for whoever lacks the key: known pairs say nothing of another, and
    whatever is pieced together from them is refused as forged, with the same word as rubbish.
    """
    keys = await world.keyring.of(SENDER.sector)
    names = [await world.name(SENDER, one) for one in world.people]
    last = names[-1].rsplit(".", 1)[1]
    halves = [name.rsplit(".", 1)[1] for name in names[:-1]]
    forged = [half[:at] + last[at:] for half in halves for at in (1, 21, 22, 42)]
    forged += [_xored(first, second, last) for first, second in itertools.pairwise(halves)]
    for body in set(forged) - {*halves, last}:
        with pytest.raises(UnusablePseudonym):
            keys.person(f"v1.{SENDER.sector}.{body}")


def _xored(*texts: str) -> str:
    one, two, three = (base64.urlsafe_b64decode(text + "=") for text in texts)
    mixed = bytes(a ^ b ^ c for a, b, c in zip(one, two, three, strict=True))
    return base64.urlsafe_b64encode(mixed).decode().rstrip("=")


# linking two sectors

LINKED = 2000


def _linked(ours: Sequence[bytes], theirs: Sequence[bytes]) -> float:
    """By how many standard errors the true pairs of two sectors are more alike than strangers are.

    Alike: equal bits, at the same place and at every rotation by whole bytes; and near in sorted order.
    """
    strangers = [*theirs[1:], theirs[0]]
    likeness: list[Callable[[bytes, bytes], float]] = [
        lambda one, other, turn=turn: float(  # type: ignore[misc] # a default binds the loop's value
            (int.from_bytes(one) ^ int.from_bytes(other[turn:] + other[:turn])).bit_count()
        )
        for turn in range(0, 32, 4)
    ]
    rank_ours = {name: at for at, name in enumerate(sorted(ours))}
    rank_theirs = {name: at for at, name in enumerate(sorted(theirs))}
    likeness.append(lambda one, other: float(abs(rank_ours[one] - rank_theirs[other])))
    most = 0.0
    for like in likeness:
        true = [like(one, other) for one, other in zip(ours, theirs, strict=True)]
        false = [like(one, other) for one, other in zip(ours, strangers, strict=True)]
        middle = mean(false)
        error = (mean((value - middle) ** 2 for value in false) / len(true)) ** 0.5
        most = max(most, abs(mean(true) - middle) / error)
    return most


def test_the_names_of_two_sectors_cannot_be_matched_however_they_are_compared() -> None:
    """The attacker has all names of two sectors for the same two thousand people, and knows the true pairs.

    Whatever made pairs more alike than strangers would show over so many. It does not, because the sectors'
    keys are derived apart and each name is as good as random bits of its own; a scheme in which one sector's
    names follow from another's by any fixed rule is caught by the same comparison.
    """
    people = [uuid4() for _ in range(LINKED)]
    bodies: dict[str, list[bytes]] = {}
    for sector in (SENDER.sector, RECEIVER.sector):
        key = derive_sector_key(MASTER, sector, 1, hashlib.sha256(sector.encode()).digest())
        names = [pseudonym(one, key).rsplit(".", 1)[1] for one in people]
        bodies[sector] = [base64.urlsafe_b64decode(name + "=") for name in names]
    ours, theirs = bodies.values()
    assert _linked(ours, theirs) < 6
    assert not set(ours) & set(theirs)

    followed = [bytes(byte ^ 0x5A for byte in body) for body in ours]
    slightly = [body[:1] + other[1:] for body, other in zip(ours, theirs, strict=True)]
    assert _linked(ours, followed) > 10
    assert _linked(ours, slightly) > 10


# replaying receipts


async def _answered(world: World, names: Sequence[str]) -> Answer:
    asked = tuple(AskedName(str(at), name) for at, name in enumerate(names))
    question = NamingQuestion(REKEY, "checking", asked, orjson.dumps(list(names)))
    return await world.naming(SENDER, question, world.book)


def _proves(receipt: str, jwk: dict[str, str], consumer: str, answer: Answer) -> bool:
    """What a court asks of a receipt: is it the log's word, about this consumer, this entry, these bytes?"""
    try:
        signed = jws.deserialize_compact(
            receipt.encode(), OKPKey.import_key(_bare(jwk)), algorithms=["Ed25519"]
        )
    except (JoseError, ValueError):
        return False
    claims = json.loads(signed.payload)
    salt = exchange_salt(AUDIT_KEY, answer.exchange_id)
    return bool(
        claims["sub"] == consumer
        and claims["exchange"] == str(answer.exchange_id)
        and claims["entry"] == hashlib.sha256(answer.logged.text).hexdigest()
        and claims["response"] == hashlib.sha256(salt + answer.body).hexdigest()
    )


def _bare(jwk: dict[str, str]) -> dict[str, str]:
    return {name: jwk[name] for name in ("kty", "crv", "x")}


async def test_a_receipt_proves_its_own_exchange_and_no_other(world: World) -> None:
    """The attacker holds good receipts and presents one for another answer, consumer or log, whole or edited.

    A receipt is signed over the entry's hash and the salted hashes of request and answer. The salt is the
    exchange's own, so that not even two equal answers to equal questions share a receipt.
    """
    receipts = Receipts("gapura.example/log", b"r" * 32)
    names = [await world.name(SENDER, one) for one in world.people[:2]]
    first, again, other = [await _answered(world, asked) for asked in (names, names, names[:1])]
    receipt = receipts.sign(first.logged)
    assert _proves(receipt, receipts.jwk, SENDER.id, first)
    for answer in (again, other):
        assert not _proves(receipt, receipts.jwk, SENDER.id, answer)
    assert not _proves(receipt, receipts.jwk, RECEIVER.id, first)
    assert not _proves(receipt, Receipts("gapura.example/log", b"q" * 32).jwk, SENDER.id, first)

    head, claims, signature = receipt.split(".")
    _, others_claims, others_signature = receipts.sign(other.logged).split(".")
    edited = json.loads(base64.urlsafe_b64decode(claims + "=="))
    edited |= {"exchange": str(other.exchange_id), "entry": other.logged.sha256.hex()}
    forged = base64.urlsafe_b64encode(orjson.dumps(edited)).decode().rstrip("=")
    unsigned = base64.urlsafe_b64encode(orjson.dumps({"alg": "none", "typ": "JWT"})).decode().rstrip("=")
    for text in (
        f"{head}.{forged}.{signature}",
        f"{head}.{others_claims}.{signature}",
        f"{head}.{claims}.{others_signature}",
        f"{unsigned}.{others_claims}.",
    ):
        assert not _proves(text, receipts.jwk, SENDER.id, other)
    assert _proves(f"{head}.{others_claims}.{others_signature}", receipts.jwk, SENDER.id, other)


# forging translations


def _flipped(text: str) -> Iterator[str]:
    """The translation with each bit of its sealed part turned, one at a time."""
    head, _, body = text.rpartition(".")
    sealed = base64.urlsafe_b64decode(body)
    for bit in range(len(sealed) * 8):
        turned = bytearray(sealed)
        turned[bit // 8] ^= 1 << bit % 8
        yield f"{head}.{base64.urlsafe_b64encode(bytes(turned)).decode()}"


def _rewritten(text: str) -> Iterator[str]:
    """The translation with another sector, purpose or end in its open part."""
    mark, source, target, purpose, until, body = text.split(".")
    yield f"{mark}.statistik.{target}.{purpose}.{until}.{body}"
    yield f"{mark}.{source}.kesehatan.{purpose}.{until}.{body}"
    yield f"{mark}.{target}.{source}.{purpose}.{until}.{body}"
    yield f"{mark}.{source}.{target}.another.{until}.{body}"
    yield ".".join([mark, source, target, purpose, str(int(until) + 86_400), body])
    yield f"t2.{source}.{target}.{purpose}.{until}.{body}"


async def _opened(world: World, texts: Sequence[str]) -> list[str | None]:
    """The names that the receiving sector gets for these texts, in batches as large as they may be."""
    names: list[str | None] = []
    for start in range(0, len(texts), 10):
        answer = await world.open(*texts[start : start + 10])
        names += [result.get("pseudonym") for result in answer["results"]]
    return names


async def test_no_translation_is_forged_by_changing_a_good_one(world: World) -> None:
    """The attacker is the receiving agency itself, with a good translation, and turns it into another.

    Every bit is authenticated, and so is everything that stands in the open part: whose it is, for whom, for
    what, until when. All that changes is refused with one word, and each try is in the log.
    """
    good, another = [await world.translation(one) for one in world.people[:2]]
    spliced = f"{good.rpartition('.')[0]}.{good[-64:-32]}{another[-32:]}"
    tries = [*_flipped(good), *_rewritten(good), spliced, good[:-1], good + "A", good.upper()]
    assert set(await _opened(world, tries)) == {None}
    words = [word for entry in world.entries() for _, word in entry["subjects"]]
    assert words.count("unusable_name") == len(tries)
    assert await _opened(world, [good]) == [await world.name(RECEIVER, world.people[0])]


async def test_no_translation_is_made_without_the_gateway(world: World) -> None:
    """The attacker knows everybody's internal id and how translations are made, but not the master key.

    The key under which they are sealed is derived from it, a key for each receiving sector.
    """
    passage = Passage(SENDER.sector, RECEIVER.sector, PURPOSE, world.now + TRANSLATION_LIFE)
    one = world.people[0]

    def made(master: bytes) -> str:
        key = derive_transit_key(master, RECEIVER.sector)
        return seal_translation(one.person_id, passage, key, b"n" * 16)

    stolen = [secret for secret in _secrets_in(dump(world.database)) if len(secret) >= 32]
    tries = [made(secret) for secret in (bytes(32), b"x" * 32, *stolen[:100])]
    assert set(await _opened(world, tries)) == {None}
    assert await _opened(world, [made(MASTER)]) == [await world.name(RECEIVER, one)]


async def test_a_good_translation_is_worth_nothing_in_other_hands_for_another_purpose_or_later(
    world: World,
) -> None:
    """The attackers have a good translation and may open others: those of their own sector, or for another
    purpose, or this one while it lasted. All of that stands in it, authenticated, and is compared when it is
    opened, with the agreements as they are then.
    """
    one = world.people[0]
    good = await world.translation(one)
    bps = Consumer("bps-statistik", "BPS", "statistik", ())
    world.book = a_book(
        sending(),
        receiving(),
        sending(id="a", purpose="reporting", translation=TranslationGrant("statistik", PURPOSE)),
        receiving(id="b", consumer=bps.id, pseudonym_sector="statistik"),
        sending(id="c", purpose="estimates", translation=TranslationGrant("pkh", "counting")),
        receiving(id="d", purpose="counting"),
    )
    for text in (good, good.replace(".pkh.", ".statistik.")):
        assert (await world.open(text, consumer=bps))["results"][0].get("reason") == "unusable_name"
    for text in (good, good.replace(PURPOSE, "counting")):
        assert (await world.open(text, purpose="counting"))["results"][0].get("reason") == "unusable_name"
    assert await _opened(world, [good]) == [await world.name(RECEIVER, one)]
    world.now += TRANSLATION_LIFE
    assert await _opened(world, [good]) == [None]


# guessing from the audit log


def _guessed(wanted: set[str], guesses: Iterable[bytes], secrets: Iterable[bytes]) -> int:
    """How many hashes of the log are found by hashing every guess under every secret."""
    tried = list(guesses)
    found = {
        digest.hex()[:size]
        for secret in [b"", *secrets]
        for guess in tried
        for digest in _digests(secret, guess)
        for size in (32, 64)
    }
    return len(wanted & found)


async def test_who_was_asked_about_is_not_guessed_from_a_stolen_log(world: World) -> None:
    """The attacker has every audit table, all NIKs and ids, and the exact bytes of every likely request.

    People stand in the log as keyed hashes, and requests and answers as hashes with a salt that is derived
    from the same key and stored nowhere; so there is nothing to try a guess against. With the audit key each
    is found at once, which is what the key is for.
    """
    names = [await world.name(SENDER, one) for one in world.people]
    answers = [await _answered(world, [name]) for name in names[:5]]
    await world.translate(*names[:5])
    entries = world.entries()
    subjects = {subject for entry in entries for subject, _ in entry["subjects"]}
    messages = {entry[member] for entry in entries for member in ("request_hash", "response_hash")}
    guesses = [
        guess for one, nik in zip(world.people, NIKS, strict=True) for guess in _guesses(one.person_id, nik)
    ]
    guesses += [name.encode() for name in names]
    bodies = [orjson.dumps([name]) for name in names] + [answer.body for answer in answers]
    stolen = list(_secrets_in(dump(world.database)))
    stolen += [UUID(entry["exchange_id"]).bytes for entry in entries]
    assert subjects
    assert messages
    assert _guessed(subjects, guesses, stolen) == 0
    assert _guessed(messages, bodies, stolen) == 0

    assert _guessed(subjects, guesses, [AUDIT_KEY]) == len(subjects)
    salts = [exchange_salt(AUDIT_KEY, answer.exchange_id) for answer in answers]
    assert _guessed(messages, bodies, salts) >= 2 * len(answers)


def test_keys_of_a_sector_are_not_each_others() -> None:
    """The attacker has one sector's key, all of it: no other sector's name opens, nor another version's."""
    stolen = derive_sector_key(MASTER, SENDER.sector, 1, b"s" * 32)
    one = uuid4()
    for key in (
        derive_sector_key(MASTER, RECEIVER.sector, 1, b"s" * 32),
        derive_sector_key(MASTER, SENDER.sector, 1, b"t" * 32),
        derive_sector_key(MASTER, SENDER.sector, 2, b"s" * 32),
    ):
        body = pseudonym(one, key).rsplit(".", 1)[1]
        with pytest.raises(UnusablePseudonym):
            SectorKeys.only(stolen).person(f"v1.{SENDER.sector}.{body}")
    assert SectorKeys.only(stolen).person(pseudonym(one, stolen)) == one
