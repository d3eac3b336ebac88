"""One request with a key: looked up once its caller is known, written down with what it does."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from gateway.database import accompanied_by
from gateway.errors import IdempotencyKeyReused, StoreUnavailable
from gateway.idempotency.keys import Request, StoredAnswer, UsedKey
from gateway.idempotency.store import UsedKeys, in_use
from policies.dictionary import Text

_STATE = "idempotency_attempt"
# A page of a list, and much more; a longer answer is done without being kept.
MOST_KEPT_BYTES = 262_144
_REFUSED, _FAILED = 400, 500


class Replayed(Exception):  # noqa: N818 - named for what happens to the answer
    """The request was done before: this is its answer."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__()
        self.answer = answer


class Attempt:
    """A request that carries a key. Its methods block."""

    def __init__(self, keys: UsedKeys, secret: bytes, key: str, request: Request) -> None:
        self._keys = keys
        self._secret = secret
        self._key = key
        self._request = request
        self._holder = secrets.token_hex(16)
        self._used: UsedKey | None = None
        self._did_something = False

    def look_up(self, caller: str) -> None:
        """Look the key up, now that it is known whose it is; the second time does nothing.

        Raises Replayed, IdempotencyKeyReused, Conflict where there is no answer to give again, and
        StoreUnavailable.
        """
        if self._used is not None:
            return
        used = UsedKey.of(self._secret, caller=caller, key=self._key, request=self._request)
        found = self._keys.find(used.mark)
        if found is None:
            self._used = used
            return
        if found.fingerprint != used.fingerprint:
            raise IdempotencyKeyReused(
                Text(
                    "Kunci ini sudah dipakai untuk permintaan lain.", "This key was used for another request."
                )
            )
        if found.answer is None:
            raise in_use()
        raise Replayed(used.open(found.answer))

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """For as long as this lasts, whatever this request commits durably commits its key with it."""
        with accompanied_by(self._write_down):
            yield

    def end(self, answer: StoredAnswer | None, status: int) -> bool:
        """Keep the answer of what was done; of what was refused, forget the key. Gives whether it is kept.

        After a failure of ours (5xx) the key stays without an answer: something may have been done. `answer`
        is None where it is too long. A database that does not answer is let go: the answer leaves anyway.
        """
        if self._used is None or not self._did_something:
            return False
        with suppress(StoreUnavailable):
            if _REFUSED <= status < _FAILED:
                self._keys.release(self._used, self._holder)
            elif answer is not None and status < _REFUSED:
                self._keys.keep(self._used, self._holder, self._used.seal(answer))
                return True
        return False

    def _write_down(self, connection: Connection) -> None:
        if self._used is not None:
            self._did_something = True
            self._keys.claim(connection, self._used, self._holder)


def attempt_of(request: HTTPConnection) -> Attempt | None:
    """The attempt that the edge put beside a request which carries a key."""
    found: Attempt | None = request.scope.get("state", {}).get(_STATE)
    return found


def put_beside(scope_state: dict[str, object], attempt: Attempt) -> None:
    """Leave the attempt for whoever establishes the caller."""
    scope_state[_STATE] = attempt


def look_up(request: HTTPConnection, caller: str) -> None:
    """To be called by whoever established the caller of a request: see `Attempt.look_up`. Blocks."""
    if (attempt := attempt_of(request)) is not None:
        attempt.look_up(caller)
