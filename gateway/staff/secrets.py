"""Random secrets: 256 bits, given out once, known afterwards by their SHA-256 alone.

A plain hash is enough for what nobody chose: there is nothing to guess (passwords go through `passwords`).
"""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_secret() -> str:
    """43 characters of the URL-safe alphabet that stand for 256 random bits."""
    return secrets.token_urlsafe(_BYTES)


def mark(secret: str) -> str:
    """What recognises the secret: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
