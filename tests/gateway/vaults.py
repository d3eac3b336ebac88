"""A simulator of the HTTP API that OpenBao and HashiCorp Vault share, as far as the gateway asks it.

True to the protocol where it matters to a client: `X-Vault-Token`, namespaces, the envelope of KV version 2,
transit's `vault:v1:` ciphertexts and base64, AppRole logins whose tokens end, `{"errors": [...]}` with 400,
403, 404 and 503, and permission denied rather than not found to whoever may not ask.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Form = dict[str, Any]


@dataclass
class SimulatedVault:
    """What a vault holds, and what it was asked: method, path, headers and form of each request."""

    root_token: str = field(default_factory=lambda: f"hvs.{secrets.token_hex(12)}")
    role_id: str = field(default_factory=lambda: secrets.token_hex(8))
    secret_id: str = field(default_factory=lambda: secrets.token_hex(16))
    namespace: str | None = None
    sealed: bool = False
    kv: dict[str, dict[str, str]] = field(default_factory=dict)
    transit: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def wrap(self, key: str, plain: bytes) -> str:
        """A ciphertext, as `vault write transit/encrypt/KEY` gives it."""
        ciphertext = f"vault:v1:{base64.b64encode(secrets.token_bytes(44)).decode()}"
        self.transit.setdefault(key, {})[ciphertext] = plain
        return ciphertext

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], form: Form
    ) -> tuple[int, dict[str, Any]]:
        """What the vault says."""
        self.asked.append((method, path))
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if self.namespace is not None and headers.get("X-Vault-Namespace") != self.namespace:
            return 404, {"errors": ["no handler for route"]}
        if path == "/v1/auth/approle/login":
            return self._log_in(form)
        token = headers.get("X-Vault-Token", "")
        if token not in self.tokens | {self.root_token}:
            return 403, {"errors": ["permission denied"]}
        return self._known(method, path, token, form)

    def _log_in(self, form: Form) -> tuple[int, dict[str, Any]]:
        if (form.get("role_id"), form.get("secret_id")) != (self.role_id, self.secret_id):
            return 400, {"errors": ["invalid role or secret ID"]}
        token = f"hvs.{secrets.token_hex(12)}"
        self.tokens.add(token)
        return 200, {"auth": {"client_token": token, "lease_duration": 60, "renewable": True}}

    def _known(self, method: str, path: str, token: str, form: Form) -> tuple[int, dict[str, Any]]:
        match method, path.removeprefix("/v1/").split("/", maxsplit=2):
            case "POST", ["auth", "token", "revoke-self"]:
                self.tokens.discard(token)
                return 204, {}
            case "GET", ["secret", "data", name] if name in self.kv:
                return 200, {"data": {"data": self.kv[name], "metadata": {"version": 1}}}
            case "GET", ["secret", "data", _]:
                return 404, {"errors": []}
            case "POST", ["transit", "decrypt", key] if form["ciphertext"] in self.transit.get(key, {}):
                plain = self.transit[key][form["ciphertext"]]
                return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}
            case "POST", ["transit", "decrypt", _]:
                return 400, {"errors": ["cipher: message authentication failed"]}
            case _:
                return 404, {"errors": ["no handler for route"]}


@contextmanager
def simulated_vault(**holds: Any) -> Iterator[SimulatedVault]:
    """A vault that listens on this machine."""
    vault = SimulatedVault(**holds)

    class Door(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = json.loads(self.rfile.read(length)) if length else {}
            status, said = vault.answer(self.command, self.path, dict(self.headers.items()), form)
            body = json.dumps(said).encode() if said else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    vault.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
