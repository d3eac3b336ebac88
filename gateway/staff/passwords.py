"""Passwords: which are acceptable, and how one is recognised without being kept (argon2id, RFC 9106).

Nothing is cut off: a password counts with every character, after NFKC, so that it is the same from every
keyboard. MUST NOT put a password into an error, a log or a `repr`.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from gateway.errors import Retryable, Unfit
from policies.dictionary import Text

MIN_CHARS = 12
MAX_CHARS = 256
_MIN_DIFFERENT = 5
_MIN_ID_CHARS = 4
# Every check takes 64 MiB and a twentieth of a second: strangers must not be able to order more of that.
_AT_ONCE = 2
_WAIT_S = 5


class Passwords:
    """Hashes and recognises passwords. Safe to share between threads.

    Both take memory and time on purpose; more than two at once wait, and give up as Retryable.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str, staff_id: str) -> str:
        """The argon2id hash of an acceptable password. Raises BadInput with every problem, or Retryable."""
        if problems := problems_of(password, staff_id):
            raise Unfit(Text("Kata sandi tidak dapat dipakai", "The password cannot be used"), problems)
        return self.hash_again(password)

    def hash_again(self, password: str) -> str:
        """The hash of a password that was accepted before, with today's parameters. Raises Retryable."""
        with self._place():
            return self._hasher.hash(_normal(password))

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the password. Without a hash it is not, and finding that out takes as long."""
        with self._place():
            try:
                right = self._hasher.verify(password_hash or self._nobodys, _normal(password))
            except VerificationError:
                return False
        return right and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with weaker parameters than are used now."""
        return self._hasher.check_needs_rehash(password_hash)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_WAIT_S):
            raise Retryable("Too many people sign in at this moment; try again.", code="sign_in_busy")
        try:
            yield
        finally:
            self._places.release()


def problems_of(password: str, staff_id: str) -> list[Text]:
    """Everything that makes a password unacceptable, in words that do not repeat it."""
    normal = _normal(password)
    problems: list[Text] = []
    if len(normal) < MIN_CHARS:
        problems.append(
            Text(
                f"diharapkan sedikitnya {MIN_CHARS} karakter, diperoleh {len(normal)}",
                f"expected at least {MIN_CHARS} characters, got {len(normal)}",
            )
        )
    if len(normal) > MAX_CHARS:
        problems.append(
            Text(
                f"diharapkan paling banyak {MAX_CHARS} karakter, diperoleh {len(normal)}; tidak ada yang "
                "diabaikan",
                f"expected at most {MAX_CHARS} characters, got {len(normal)}; none would be ignored",
            )
        )
    # A very short id stands in many a good password by chance.
    if len(staff_id) >= _MIN_ID_CHARS and staff_id.casefold() in normal.casefold():
        problems.append(
            Text(
                "memuat id akunnya: pilih yang tidak diketahui orang lain",
                "it contains the account's id: choose something that others do not know",
            )
        )
    if len(normal) >= MIN_CHARS and len(set(normal)) < _MIN_DIFFERENT:
        problems.append(
            Text(
                f"diharapkan sedikitnya {_MIN_DIFFERENT} karakter berbeda, diperoleh {len(set(normal))}",
                f"expected at least {_MIN_DIFFERENT} different characters, got {len(set(normal))}",
            )
        )
    return problems


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
