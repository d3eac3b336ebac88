"""Consumers: the agencies that may call, and the public keys by which they are known.

The gateway holds no secret of a partner: a consumer proves itself with a private key that it never gave
away, and a key set with anything secret, weak or ambiguous in it is refused whole, with every reason at
once. Keys are stored by their bare public members (see `jose`), found by their `kid`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.database import Database
from gateway.errors import BadInput, Conflict, NotFound
from gateway.oauth import jose
from gateway.oauth.tables import consumer_keys, consumers

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
# A sector stands in every pseudonym between two dots.
_SECTOR = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
# Kemendagri codes: province, regency or city, district, village.
_REGION = re.compile(r"[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?")
_KID = re.compile(r"[\x21-\x7e]{1,128}")
_ACTIVE, _DISABLED = "active", "disabled"
_MAX_NAME_CHARS = 200
_MAX_KEYS = 20


@dataclass(frozen=True, slots=True)
class Consumer:
    """An agency's OAuth client, established by its token. No `regions` means the whole country."""

    id: str
    name: str
    sector: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """A consumer as the registry of consumers knows it."""

    consumer: Consumer
    active: bool
    registered_at: datetime
    keys: Mapping[str, jose.PublicKey]


def utc_now() -> datetime:
    """The present moment, for the record of registrations."""
    return datetime.now(UTC)


class ConsumerStore:
    """Registers consumers and their keys. Every change counts at once, on every worker."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    def register(
        self,
        *,
        id: str,  # noqa: A002 - the word of the command line and the API
        name: str,
        sector: str,
        jwks: object,
        regions: Sequence[str] = (),
    ) -> Consumer:
        """Add a consumer with its public keys (a JWK Set, RFC 7517).

        Raises BadInput with every problem found, or Conflict when the id is taken.
        """
        keys, problems = _read_jwks(jwks)
        problems = [*_problems_of(id, name, sector, regions), *problems]
        if problems:
            raise BadInput("The consumer cannot be registered:\n" + "\n".join(f"  - {p}" for p in problems))
        row = {
            "id": id,
            "name": name,
            "sector": sector,
            "regions": list(regions),
            "state": _ACTIVE,
            "registered_at": self._clock(),
        }
        try:
            with self._database.unit_of_work() as connection:
                connection.execute(insert(consumers).values(row))
                connection.execute(insert(consumer_keys), _key_rows(id, keys, self._clock()))
        except IntegrityError:
            raise Conflict(f"A consumer {id} is registered already: see `gapura consumers list`.") from None
        return Consumer(id, name, sector, tuple(regions))

    def change(
        self,
        consumer_id: str,
        *,
        name: str | None = None,
        sector: str | None = None,
        regions: Sequence[str] | None = None,
    ) -> Consumer:
        """Correct what registration says; what is None stays. Counts at once, for tokens in use too.

        Another sector gives the consumer other pseudonyms for everybody. Raises NotFound, or BadInput with
        every problem found.
        """
        present = self.get(consumer_id).consumer
        changed = Consumer(
            present.id,
            present.name if name is None else name,
            present.sector if sector is None else sector,
            present.regions if regions is None else tuple(regions),
        )
        if problems := _problems_of(changed.id, changed.name, changed.sector, changed.regions):
            raise BadInput("The consumer cannot be changed:\n" + "\n".join(f"  - {p}" for p in problems))
        values = {"name": changed.name, "sector": changed.sector, "regions": [*changed.regions]}
        with self._database.unit_of_work() as connection:
            connection.execute(update(consumers).where(consumers.c.id == consumer_id).values(values))
        return changed

    def list(self) -> Sequence[Registration]:
        """Every consumer, disabled ones too, by id."""
        with self._database.reading() as connection:
            return _registrations(connection.execute(_REGISTRATIONS.order_by(consumers.c.id)))

    def find(self, consumer_id: str) -> Registration | None:
        """The consumer of this id, disabled or not; None when there is none, or the id is none."""
        if not _ID.fullmatch(consumer_id):
            return None
        with self._database.reading() as connection:
            rows = connection.execute(_REGISTRATION, {"id": consumer_id})
            return next(iter(_registrations(rows)), None)

    def get(self, consumer_id: str) -> Registration:
        """The consumer of this id, disabled or not. Raises NotFound."""
        if registration := self.find(consumer_id):
            return registration
        raise NotFound(f"There is no consumer {consumer_id!r}: see `gapura consumers list`.")

    def disable(self, consumer_id: str) -> None:
        """Refuse the consumer and every token that it holds, from now on. Raises NotFound."""
        self._set_state(consumer_id, _DISABLED)

    def enable(self, consumer_id: str) -> None:
        """Let a disabled consumer call again. Raises NotFound."""
        self._set_state(consumer_id, _ACTIVE)

    def add_key(self, consumer_id: str, jwk: object) -> str:
        """Accept one more public key of the consumer; gives its kid.

        Raises NotFound, BadInput, or Conflict when the consumer has a key of this kid.
        """
        keys, problems = _read_jwks({"keys": [jwk]})
        if problems:
            raise BadInput("The key cannot be added:\n" + "\n".join(f"  - {p}" for p in problems))
        (kid,) = keys
        if len(self.get(consumer_id).keys) >= _MAX_KEYS:
            raise Conflict(f"{consumer_id} has {_MAX_KEYS} keys already: remove one that is out of use.")
        try:
            with self._database.unit_of_work() as connection:
                connection.execute(insert(consumer_keys), _key_rows(consumer_id, keys, self._clock()))
        except IntegrityError:
            raise Conflict(f"{consumer_id} has a key {kid} already: a new key needs a new kid.") from None
        return kid

    def remove_key(self, consumer_id: str, kid: str) -> None:
        """Accept no more assertions by this key. Tokens that it obtained live on, for minutes.

        Raises NotFound, or Conflict for the last key: disable the consumer instead.
        """
        with self._database.unit_of_work() as connection:
            kids = set(connection.execute(_KIDS, {"id": consumer_id}).scalars())
            if kid not in kids:
                raise NotFound(f"{consumer_id} has no key {kid!r}: see `gapura consumers keys list`.")
            if len(kids) == 1:
                raise Conflict(
                    f"{kid} is the last key of {consumer_id}: add another first, or disable the consumer."
                )
            connection.execute(_DELETE_KEY, {"id": consumer_id, "removed_kid": kid})

    def _set_state(self, consumer_id: str, state: str) -> None:
        with self._database.unit_of_work() as connection:
            if not connection.execute(_SET_STATE, {"the_id": consumer_id, "new_state": state}).rowcount:
                raise NotFound(f"There is no consumer {consumer_id!r}: see `gapura consumers list`.")


_REGISTRATIONS = select(consumers, consumer_keys.c.kid, consumer_keys.c.jwk).join(consumer_keys, isouter=True)
_REGISTRATION = _REGISTRATIONS.where(consumers.c.id == bindparam("id"))
_KIDS = select(consumer_keys.c.kid).where(consumer_keys.c.consumer_id == bindparam("id")).with_for_update()
_DELETE_KEY = delete(consumer_keys).where(
    consumer_keys.c.consumer_id == bindparam("id"), consumer_keys.c.kid == bindparam("removed_kid")
)
_SET_STATE = (
    update(consumers).where(consumers.c.id == bindparam("the_id")).values(state=bindparam("new_state"))
)


def consumer_of(row: Row[*tuple[Any, ...]]) -> Consumer:
    """The consumer in a row that has the columns id, name, sector and regions."""
    return Consumer(row.id, row.name, row.sector, tuple(row.regions))


def _registrations(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Registration]:
    found: dict[str, Registration] = {}
    keys: dict[str, dict[str, jose.PublicKey]] = {}
    for row in rows:
        if row.id not in found:
            keys[row.id] = {}
            found[row.id] = Registration(
                consumer_of(row), row.state == _ACTIVE, row.registered_at, keys[row.id]
            )
        if row.kid is not None:
            keys[row.id][row.kid] = jose.accept_public_key(row.jwk)
    return list(found.values())


def _key_rows(consumer_id: str, keys: Mapping[str, jose.PublicKey], now: datetime) -> list[dict[str, Any]]:
    return [
        {"consumer_id": consumer_id, "kid": kid, "jwk": dict(key.members), "added_at": now}
        for kid, key in keys.items()
    ]


def _problems_of(consumer_id: str, name: str, sector: str, regions: Sequence[str]) -> list[str]:
    problems = []
    if not _ID.fullmatch(consumer_id):
        problems.append("id: expected 1 to 64 of a-z, 0-9 and -, such as bpjs-kesehatan")
    if not name.strip() or len(name) > _MAX_NAME_CHARS or not name.isprintable():
        problems.append(f"name: expected 1 to {_MAX_NAME_CHARS} printable characters")
    if not _SECTOR.fullmatch(sector):
        problems.append(
            "sector: expected 1 to 32 of a-z, 0-9 and -, beginning with a letter, such as kesehatan"
        )
    problems.extend(
        f"region {position}: expected a Kemendagri code such as 32, 32.04, 32.04.05 or 32.04.05.2001"
        for position, region in enumerate(regions, 1)
        if not _REGION.fullmatch(region)
    )
    return problems


def _read_jwks(jwks: object) -> tuple[dict[str, jose.PublicKey], list[str]]:
    """The accepted keys by kid, and everything that is wrong with the rest."""
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_KEYS:
        return {}, [f'jwks: expected {{"keys": [...]}} with 1 to {_MAX_KEYS} public keys (RFC 7517)']
    keys: dict[str, jose.PublicKey] = {}
    problems = []
    for position, jwk in enumerate(entries):
        try:
            kid, key = _read_jwk(jwk)
        except jose.KeyRefused as refusal:
            problems.append(f"keys[{position}]: {refusal}")
            continue
        if kid in keys:
            problems.append(f"keys[{position}]: its kid is that of another key; every key needs its own")
        keys[kid] = key
    return keys, problems


def _read_jwk(jwk: object) -> tuple[str, jose.PublicKey]:
    key = jose.accept_public_key(jwk)
    said = cast("dict[str, Any]", jwk)  # nothing else is accepted
    kid = said.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise jose.KeyRefused("kid: expected 1 to 128 visible ASCII characters that name this key")
    if "alg" in said and str(said["alg"]) not in key.algorithms:
        raise jose.KeyRefused(f"alg: expected {' or '.join(sorted(key.algorithms))}, or no alg")
    key_ops = said.get("key_ops", ["verify"])
    if said.get("use", "sig") != "sig" or not isinstance(key_ops, list) or "verify" not in key_ops:
        raise jose.KeyRefused("use and key_ops: expected a key for signatures (sig, verify)")
    return kid, key
