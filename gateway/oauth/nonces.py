"""DPoP nonces without state: each is the keyed hash of its minute.

Every worker that has the key makes and accepts the same nonces, so a client may get one from any worker
and use it with any other, and nothing is stored. A nonce bounds how far ahead a stolen key can prepare
proofs (RFC 9449, section 8); that a proof is used once is the replay marks' business. Nonces are handed to
anybody who asks: they are unpredictable, not secret.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

# A nonce is current for one period and accepted for one more, so a client has 60 to 120 seconds.
PERIOD_S = 60


class Nonces:
    """Makes and recognises the nonces of one key. Thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._window: tuple[int, str, frozenset[str]] = (-1, "", frozenset())

    def current(self, now_s: float) -> str:
        """The nonce to hand out at `now_s` (Unix seconds)."""
        return self._window_at(now_s)[1]

    def accepts(self, nonce: object, now_s: float) -> bool:
        """Whether this is the nonce of the present period, the one before, or the one after.

        The one after: another worker's clock may be ahead, and only a holder of the key can have made it.
        """
        return isinstance(nonce, str) and nonce in self._window_at(now_s)[2]

    def _window_at(self, now_s: float) -> tuple[int, str, frozenset[str]]:
        period = int(now_s // PERIOD_S)
        window = self._window
        if window[0] != period:
            before, present, after = (self._nonce(period + step) for step in (-1, 0, 1))
            window = self._window = (period, present, frozenset({before, present, after}))
        return window

    def _nonce(self, period: int) -> str:
        mac = hmac.digest(self._key, period.to_bytes(8, "big", signed=True), hashlib.sha256)
        return urlsafe_b64encode(mac[:18]).decode()
