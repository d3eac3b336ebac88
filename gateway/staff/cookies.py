"""The cookies of staff: how a browser keeps a session, and a sign-in that is under way at a provider.

`__Host-` makes browsers refuse the cookie unless it is Secure, for this host alone, and for every path. Over
plain http on this machine that cannot be, so there it has a plain name; over plain http anywhere else the
cookie stays Secure and the browser does not keep it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.settings import is_safe_address

SIGN_IN_LASTS_S = 600


@dataclass(frozen=True, slots=True)
class Cookies:
    """Names and attributes, the same for every cookie of one gateway."""

    secure: bool

    @classmethod
    def at(cls, origin: str) -> Self:
        """The cookies of a gateway with this public address."""
        plain_but_local = urlsplit(origin).scheme == "http" and is_safe_address(origin)
        return cls(secure=not plain_but_local)

    @property
    def session(self) -> str:
        """The name of the cookie that holds a session's secret."""
        return self._name("gapura")

    @property
    def sign_in(self) -> str:
        """The name of the cookie that ties a sign-in at a provider to this browser."""
        return self._name("gapura-sign-in")

    def read(self, request: Request, name: str) -> str | None:
        """What the browser sent under the name; None when there is nothing."""
        return request.cookies.get(name) or None

    def keep_session(self, response: Response, secret: str) -> None:
        """Give the browser its session. No other site makes it send this, not even by a link."""
        self._set(response, self.session, secret, "strict")

    def keep_sign_in(self, response: Response, value: str) -> None:
        """Give the browser its half of a sign-in. `lax`: the provider's redirect back must bring it."""
        self._set(response, self.sign_in, value, "lax", SIGN_IN_LASTS_S)

    def drop(self, response: Response, name: str) -> None:
        """Make the browser forget the cookie."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True)

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    def _set(
        self,
        response: Response,
        name: str,
        value: str,
        same_site: Literal["strict", "lax"],
        max_age_s: int | None = None,
    ) -> None:
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", secure=self.secure, httponly=True, samesite=same_site
        )
