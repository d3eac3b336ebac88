"""The keys by which the gateway gives evidence, version after version: which sign now, and which ever did.

A private key is derived from the master key by its purpose and version: every worker and node has a new one
at once, and no file joins the backup. What is public stands in the database and stays there for ever: old
evidence is checked by it. Beside its successor an older key of the log goes on signing checkpoints for a
stated overlap, in which witnesses and verifiers can change over; a receipt, or a signed message, has one
signature, by the newest key. A rotation is an act of the log. It MUST NOT let a private key reach the
database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.audit.entry import act
from gateway.audit.log import BLIND_BYTES, add_entries
from gateway.audit.proofs import VerifierKey
from gateway.audit.signing import NoteKey, Receipts, log_key, public_jwk
from gateway.audit.tables import audit_keys
from gateway.database import Database
from gateway.errors import BadInput, Conflict
from gateway.keys import Keys

Purpose = Literal["log", "receipts", "messages"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
LONGEST_OVERLAP_DAYS = 366
_DERIVED_AS: dict[Purpose, str] = {
    "log": "audit checkpoint signing",
    "receipts": "audit receipt signing",
    "messages": "message signing",
}
_ACTS: dict[Purpose, str] = {
    "log": "log_key.rotated",
    "receipts": "receipt_key.rotated",
    "messages": "message_key.rotated",
}
_T = audit_keys


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """One version of a key. It signs from `since` until `until` (UTC), which is open for the newest.

    `public` is a verifier key of c2sp.org/signed-note for the log, the `x` of an Ed25519 JWK for the others.
    """

    purpose: Purpose
    version: int
    public: str
    since: datetime
    until: datetime | None

    def signs(self, at: datetime) -> bool:
        """Whether it signs at this moment."""
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The private key that signs messages now, and how signatures name it."""

    version: int
    kid: str
    private: Ed25519PrivateKey = field(repr=False)


class EvidenceKeyring:
    """The keys of one log. Several processes may use and rotate them; each sees a rotation at once."""

    def __init__(self, database: Database, keys: Keys, origin: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._version_of_receipts = 0
        self.origin = origin
        self._begin()
        self.message_key = self._message_key()

    def signers(self, connection: Connection, at: datetime) -> Sequence[NoteKey]:
        """The keys that sign a checkpoint of this moment, the newest first."""
        return [self._log_key(key.version) for key in _versions(connection, "log") if key.signs(at)]

    def versions(self, purpose: Purpose) -> Sequence[EvidenceKey]:
        """Every version of a key, the newest first."""
        with self._database.reading() as connection:
            return _versions(connection, purpose)

    def verifiers(self) -> list[VerifierKey]:
        """By what the log's checkpoints of all times are checked, the newest first."""
        return [VerifierKey.parse(key.public) for key in self.versions("log")]

    def jwks(self, purpose: Literal["receipts", "messages"]) -> list[dict[str, str]]:
        """By what receipts, or signed messages, of all times are checked, the newest first."""
        return [public_jwk(self._private(purpose, key.version)) for key in self.versions(purpose)]

    def receipts(self) -> Receipts:
        """What signs receipts now, and with a newer key after each `refresh` that finds one."""
        newest = self._version_of_receipts = self.versions("receipts")[0].version
        return Receipts(self.origin, self._seed("receipts", newest))

    def refresh(self, receipts: Receipts) -> int:
        """Sign receipts and messages with the newest keys; says how many versions were missed. Blocks."""
        message_key = self._message_key()
        stale, self.message_key = message_key.version - self.message_key.version, message_key
        behind = self.versions("receipts")[0].version - self._version_of_receipts
        if behind:
            self._version_of_receipts += behind
            receipts.sign_with(self._seed("receipts", self._version_of_receipts))
        return behind + stale

    def rotate(
        self, purpose: Purpose, *, actor: str, reason: str, overlap: timedelta = timedelta(0)
    ) -> EvidenceKey:
        """Make the next version, which signs at once; an older key of the log signs beside it for `overlap`.

        Raises BadInput for an overlap or a reason that cannot be, Conflict when another rotated meanwhile.
        """
        if not timedelta(0) <= overlap <= timedelta(days=LONGEST_OVERLAP_DAYS):
            raise BadInput(f"The overlap is 0 to {LONGEST_OVERLAP_DAYS} days.")
        if not reason.strip():
            raise BadInput("A rotation needs a reason, for the audit log.")
        now = self._clock()
        present = self.versions(purpose)[0]
        made = EvidenceKey(
            purpose, present.version + 1, self._public(purpose, present.version + 1), now, None
        )
        entry = act(
            actor=actor,
            act=_ACTS[purpose],
            object_id=f"{purpose}-key/{made.version}",
            object_sha256=None,
            reason=reason,
            at=now,
            key=made.public,
            older_signs_until=(now + overlap).isoformat(),
        )
        with self._database.unit_of_work() as connection:
            ended = connection.execute(
                update(_T)
                .where(_T.c.purpose == purpose, _T.c.version == present.version, _T.c.until.is_(None))
                .values(until=now + overlap)
            )
            if ended.rowcount != 1:
                raise Conflict("Another rotation was faster: see `gapura keys evidence`.")
            # Whoever hurries on, because a key leaked, means the older ones as well.
            connection.execute(
                update(_T)
                .where(_T.c.purpose == purpose, _T.c.until > now + overlap)
                .values(until=now + overlap)
            )
            connection.execute(insert(_T).values(_row(made)))
            add_entries(connection, [entry.seal(os.urandom(BLIND_BYTES))])
        return made

    def _begin(self) -> None:
        """Have a first version of each key: a new log begins with it, an old one was always signed by it."""
        with self._database.reading() as connection:
            missing = [purpose for purpose in PURPOSES if not _versions(connection, purpose)]
        if not missing:
            return
        dialect = sqlite if self._database.is_sqlite else postgresql
        now = self._clock()
        first = [EvidenceKey(purpose, 1, self._public(purpose, 1), now, None) for purpose in missing]
        with self._database.unit_of_work() as connection:
            store = dialect.insert(_T).on_conflict_do_nothing()
            connection.execute(store, [_row(key) for key in first])

    def _public(self, purpose: Purpose, version: int) -> str:
        if purpose == "log":
            return str(self._log_key(version).verifier)
        return public_jwk(self._private(purpose, version))["x"]

    def _log_key(self, version: int) -> NoteKey:
        return log_key(self.origin, self._seed("log", version))

    def _message_key(self) -> MessageKey:
        version = self.versions("messages")[0].version
        private = self._private("messages", version)
        return MessageKey(version, public_jwk(private)["kid"], private)

    def _private(self, purpose: Purpose, version: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seed(purpose, version))

    def _seed(self, purpose: Purpose, version: int) -> bytes:
        name = _DERIVED_AS[purpose]
        return self._keys.derive(name if version == 1 else f"{name}, version {version}")


def _versions(connection: Connection, purpose: Purpose) -> list[EvidenceKey]:
    rows = connection.execute(select(_T).where(_T.c.purpose == purpose).order_by(_T.c.version.desc()))
    return [EvidenceKey(*row) for row in rows]


def _row(key: EvidenceKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in _T.c.keys()}  # noqa: SIM118 - columns, not a mapping's keys
