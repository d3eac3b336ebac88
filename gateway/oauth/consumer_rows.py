"""The register of consumers as rows: read, locked for one change, changed, and each change written down.

Everything here happens within a transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, null, or_, select, update

from gateway.errors import BadInput, Conflict, NotFound, NotPermitted
from gateway.oauth import jose
from gateway.oauth.registration import (
    Change,
    Consumer,
    Contact,
    RegisteredKey,
    Registration,
    State,
    thumbprints,
)
from gateway.oauth.tables import consumer_keys, consumers
from gateway.staff.acts import Act, Details, RecordAct
from gateway.staff.roles import Staff, refuse_token
from policies.dictionary import Text

_MAX_REASON_CHARS = 500
NO_SUCH_CONSUMER = Text(
    "Tidak ada konsumen dengan id ini.", "There is no consumer of this id: see `gapura consumers list`."
)
_KEY_COLUMNS = [
    *(consumer_keys.c[name] for name in ("kid", "jwk", "added_at", "added_by", "not_before", "not_after")),
    consumer_keys.c.overlap_days,
    consumer_keys.c.approved_by.label("key_approved_by"),
]
REGISTRATIONS = select(consumers, *_KEY_COLUMNS).join(consumer_keys, isouter=True).order_by(consumers.c.id)
_OF_CONSUMER = REGISTRATIONS.where(consumers.c.id == bindparam("id"))
_LOCK = select(consumers.c.id).where(consumers.c.id == bindparam("id")).with_for_update()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which consumers: None asks nothing. `search` is a part of the id, the name or the sector."""

    search: str | None = None
    state: State | None = None
    sandbox: bool | None = None
    waits: bool | None = None


def page_of(connection: Connection, wanted: Wanted, after: str, limit: int) -> tuple[list[Registration], int]:
    """Up to `limit` consumers whose ids follow `after`, by id, and how many are wanted in all."""
    where = list(_where(wanted))
    counted = select(func.count()).select_from(consumers).where(*where)
    ids = select(consumers.c.id).where(consumers.c.id > after, *where).order_by(consumers.c.id).limit(limit)
    rows = connection.execute(REGISTRATIONS.where(consumers.c.id.in_(ids.scalar_subquery())))
    return registrations_in(rows), connection.execute(counted).scalar_one()


def _where(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.search:
        part = wanted.search.lower()
        said = (consumers.c.id, consumers.c.name, consumers.c.sector)
        yield or_(*(func.lower(column).contains(part, autoescape=True) for column in said))
    if wanted.state is not None:
        yield consumers.c.state == wanted.state
    if wanted.sandbox is not None:
        yield consumers.c.sandbox == wanted.sandbox
    if wanted.waits is not None:
        waits = or_(consumers.c.state == "proposed", consumers.c.waiting != null())
        yield waits if wanted.waits else ~waits


def consumer_of(row: Any) -> Consumer:
    """The consumer in a row that has the columns of that name."""
    return Consumer(
        row.id, row.name, row.sector, tuple(row.regions), bool(row.sandbox), bool(row.certificate_bound)
    )


def registrations_in(rows: Iterable[Any]) -> list[Registration]:
    """The registrations in rows of `REGISTRATIONS`, one row for each key."""
    found: dict[str, Registration] = {}
    keys: dict[str, dict[str, RegisteredKey]] = {}
    for row in rows:
        if row.id not in found:
            found[row.id] = _registration(row, keys.setdefault(row.id, {}))
        if row.kid is not None:
            keys[row.id][row.kid] = RegisteredKey(
                row.kid,
                jose.accept_public_key(row.jwk),
                row.added_at,
                row.added_by,
                row.key_approved_by,
                row.not_before,
                row.not_after,
                row.overlap_days,
            )
    return list(found.values())


def _registration(row: Any, keys: Mapping[str, RegisteredKey]) -> Registration:
    contact = None
    if row.contact_office is not None and row.contact_email is not None:
        contact = Contact(row.contact_office, row.contact_email)
    return Registration(
        consumer=consumer_of(row),
        state=row.state,
        registered_at=row.registered_at,
        keys=keys,
        contact=contact,
        version=row.version,
        waiting=Change.stored(row.waiting),
        proposers=frozenset(row.proposers),
        approved_by=row.approved_by,
        disabled_by=row.disabled_by,
    )


def registered(connection: Connection, consumer_id: str) -> Registration:
    """The consumer of this id. Raises NotFound."""
    found = registrations_in(connection.execute(_OF_CONSUMER, {"id": consumer_id}))
    if not found:
        raise NotFound(NO_SUCH_CONSUMER)
    return found[0]


def locked(connection: Connection, consumer_id: str, if_match: int | None = None) -> Registration:
    """The consumer, which nobody else changes until this transaction ends.

    Raises NotFound, and Conflict when `if_match` is not its present version.
    """
    # Apart from the reading: what another transaction did before it let go of the lock must be seen.
    connection.execute(_LOCK, {"id": consumer_id})
    registration = registered(connection, consumer_id)
    if if_match is not None and registration.version != if_match:
        raise Conflict(
            Text(
                f"{consumer_id} diubah orang lain sementara itu: diharapkan versi {if_match}, kini versi "
                f"{registration.version}. Baca kembali, lalu putuskan.",
                f"{consumer_id} was changed meanwhile: expected version {if_match}, it is "
                f"{registration.version} now. Read the consumer again, then decide.",
            ),
            code="changed_meanwhile",
        )
    return registration


def write(connection: Connection, registration: Registration, values: Mapping[str, Any]) -> None:
    """Change the consumer's row; its version rises."""
    changed = update(consumers).where(consumers.c.id == registration.consumer.id)
    connection.execute(changed.values({**values, "version": registration.version + 1}))


def columns_of(consumer: Consumer, contact: Contact | None) -> dict[str, Any]:
    """What the columns hold of a consumer and its contact."""
    return {
        "name": consumer.name,
        "sector": consumer.sector,
        "regions": list(consumer.regions),
        "sandbox": consumer.sandbox,
        "certificate_bound": consumer.certificate_bound,
        "contact_office": contact.office if contact else None,
        "contact_email": contact.email if contact else None,
    }


def add_keys(
    connection: Connection,
    consumer_id: str,
    keys: Mapping[str, jose.PublicKey],
    actor: Staff,
    *,
    now: datetime,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    overlap_days: int | None = None,
) -> None:
    """Write keys down, approved if the console adds them.

    Raises Conflict for a key that is registered already, whoever has it: see `gateway.oauth.tables`.
    """
    taken = select(consumer_keys.c.consumer_id, consumer_keys.c.kid).where(
        consumer_keys.c.thumbprint.in_(thumbprints(keys))
    )
    for row in connection.execute(taken):
        raise Conflict(
            Text(
                f"Kunci publik ini sudah terdaftar, sebagai {row.kid} milik {row.consumer_id}: dua konsumen "
                "dengan satu kunci dapat menandatangani atas nama satu sama lain. Mintalah pasangan kunci "
                "tersendiri kepada mitra.",
                f"This public key is registered already, as {row.kid} of {row.consumer_id}: two consumers "
                "with one key could sign as each other. Ask the partner for a key pair of its own.",
            ),
            code="key_in_use",
        )
    rows = [
        {
            "consumer_id": consumer_id,
            "kid": kid,
            "jwk": dict(key.members),
            "thumbprint": key.thumbprint,
            "added_at": now,
            "added_by": actor.id,
            "approved_by": actor.id if actor.on_console else None,
            "not_before": not_before or now,
            "not_after": not_after,
            "overlap_days": overlap_days,
        }
        for kid, key in keys.items()
    ]
    connection.execute(insert(consumer_keys), rows)


def refuse_own_proposal(actor: Staff, proposers: Iterable[str]) -> None:
    """Raises NotPermitted for who had a hand in what they would approve; the console needs nobody else."""
    refuse_token(actor)
    if actor.id in set(proposers) and not actor.on_console:
        raise NotPermitted(
            Text(
                f"{actor.id} ikut mengajukan ini: orang lain dengan peran penyetuju yang menyetujuinya.",
                f"{actor.id} had a hand in this: somebody else, with the role approver, approves it.",
            ),
            code="second_person_needed",
        )


def write_down(
    record: RecordAct,
    connection: Connection,
    actor: Staff,
    act: str,
    consumer_id: str,
    reason: str,
    at: datetime,
    details: Details | None = None,
) -> None:
    """Record an act upon a consumer. Raises BadInput when no reason is given, and then nothing is done."""
    if not reason.strip() or len(reason) > _MAX_REASON_CHARS or not reason.isprintable():
        raise BadInput(
            Text(
                f"alasan: diharapkan 1 sampai {_MAX_REASON_CHARS} karakter biasa yang menyebut alasannya",
                f"reason: expected 1 to {_MAX_REASON_CHARS} printable characters that say why",
            )
        )
    record(connection, Act(actor.actor, act, f"consumer/{consumer_id}", at, reason.strip(), details or {}))


def told(change: Change, prefix: str = "") -> dict[str, str | Sequence[str]]:
    """A change as the audit log tells it, each part under its name after `prefix`."""
    return {
        prefix + name: list(value) if isinstance(value, tuple) else str(value)
        for name, value in change.parts.items()
    }
