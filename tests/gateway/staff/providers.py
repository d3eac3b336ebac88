"""OpenID providers to sign in at: `oidc-provider` (npm) over real HTTP, and one that can be told to lie."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.living import free_port

FOLDER = Path(__file__).parents[2] / "clients" / "oidc-provider"
CLIENT_ID = "gapura/staff"
CLIENT_SECRET = "se+cr%t with space"
needs_provider = pytest.mark.skipif(
    not (FOLDER / "node_modules").is_dir(),
    reason="oidc-provider is missing: `npm ci --ignore-scripts --prefix tests/clients/oidc-provider`",
)


@contextmanager
def real_provider(redirect_uri: str, auth_method: str) -> Iterator[str]:
    """The issuer of a provider that others wrote, with this gateway as its client."""
    issuer = f"http://127.0.0.1:{(port := free_port())}"
    arguments = [str(port), redirect_uri, CLIENT_ID, CLIENT_SECRET, auth_method]
    process = subprocess.Popen(["node", "serve.mjs", *arguments], cwd=FOLDER, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"{issuer}/jwks", trust_env=False).raise_for_status()
                break
            time.sleep(0.05)
        assert process.poll() is None
        yield issuer
    finally:
        process.terminate()
        process.wait()


def log_in(address: str, login: str) -> str:
    """Log in at the real provider as a person would, by its pages; gives where it sends the browser back."""
    with httpx.Client(trust_env=False, timeout=30) as browser:
        answer = browser.get(address)
        while True:
            if answer.is_redirect:
                there = urljoin(str(answer.url), answer.headers["location"])
                if urlsplit(there).netloc != urlsplit(address).netloc:
                    return there
                answer = browser.get(there)
                continue
            answer.raise_for_status()
            form = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert form is not None, answer.text
            assert prompt is not None, answer.text
            answer = browser.post(
                urljoin(str(answer.url), form[1]),
                data={"prompt": prompt[1], "login": login, "password": "any"},
            )


class LyingProvider:
    """A provider that answers as `oidc-provider` would, but for what a test changes in its ID token."""

    issuer = "https://op.example"

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.published = [self.key]
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        self.claims: dict[str, Any] = {}
        self.change: Callable[[dict[str, Any]], None] = lambda _claims: None
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self.down = False

    def http(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def let_in(self, address: str, now_s: float) -> dict[str, str]:
        """What the provider's redirect carries back after somebody logged in at `address`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": "ani-1",
            "nonce": asked["nonce"],
            "iat": int(now_s),
            "exp": int(now_s) + 300,
        }
        self.change(self.claims)
        return {"code": "c", "state": asked["state"]}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("no route to host", request=request)
        match request.url.path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self.metadata)
            case "/jwks":
                return httpx.Response(200, json=KeySet(list(self.published)).as_dict(private=False))
            case "/token":
                return httpx.Response(
                    200,
                    json={"access_token": "a", "token_type": "Bearer", "id_token": self._id_token()},
                )
        return httpx.Response(404)

    def _id_token(self) -> str:
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return jwt.encode(header, self.claims, self.key, algorithms=[self.algorithm])
