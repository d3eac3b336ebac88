"""What of a form may be shown again: everything typed, but no password and no private key. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The token is of the session that has ended; the rest are secrets.
_NEVER = frozenset({"csrf_token", "password", "present", "new", "again", "secret"})
# The private members of a JWK (RFC 7518), a shared secret, and PEM.
_PRIVATE_KEY = re.compile(r'"(?:d|p|q|dp|dq|qi|oth|k)"\s*:|PRIVATE KEY')


def holds_private_key(text: str) -> bool:
    """Whether a pasted text has a private key in it, whatever else it is.

    >>> holds_private_key('{"kty": "OKP", "x": "11", "d": "22"}'), holds_private_key('{"kid": "d"}')
    (True, False)
    """
    return _PRIVATE_KEY.search(text) is not None


def given_back(typed: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields of a form that may be put on a page again, in their order."""
    return [(name, text) for name, text in typed if name not in _NEVER and not holds_private_key(text)]
