"""The few questions that the gateway asks OpenBao or HashiCorp Vault over their common HTTP API.

Log in with a token file or as an AppRole, read one member of a secret, unwrap one ciphertext, and give a
token back that was got for that. Nothing that a vault says, nor a credential, MUST reach a log, an address or
an error: errors tell the status, the path asked, and what to do.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.errors import KeysUnavailable, SettingsInvalid
from gateway.key_files import read_private
from gateway.settings import is_safe_address

_TIMEOUT_S = 10.0
_FORBIDDEN, _NOT_FOUND = 403, 404
_REFUSALS = {
    400: "the request or the login is not accepted; for a ciphertext, it belongs to another key",
    _FORBIDDEN: "the policy of this token or role does not allow it, or the token has expired",
    _NOT_FOUND: "there is no such mount, path or key",
}


class VaultLogin(BaseModel):
    """How to reach a vault and as whom: by `token_file`, or as an AppRole with `role_id`.

    Both files have mode 0600. `namespace` and `ca_file` only where the vault has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    address: str
    token_file: Path | None = None
    role_id: str | None = Field(None, min_length=1)
    secret_id_file: Path | None = None
    approle_mount: str = "approle"
    namespace: str | None = None
    ca_file: Path | None = None

    @field_validator("address")
    @classmethod
    def _safe(cls, value: str) -> str:
        if not is_safe_address(value):
            raise ValueError("expected https://..., or http:// on this machine alone")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_role = self.role_id is not None and self.secret_id_file is not None
        half_a_role = (self.role_id is None) != (self.secret_id_file is None)
        if half_a_role or by_role == (self.token_file is not None):
            raise ValueError("expected either token_file, or role_id with secret_id_file")
        return self


class Vault:
    """A vault to which one is logged in for the length of a `with` block. Blocks.

    Raises KeysUnavailable when it cannot be reached or is sealed, SettingsInvalid when it refuses.
    """

    def __init__(self, login: VaultLogin) -> None:
        self._login = login
        self._http = httpx.Client(
            base_url=login.address,
            timeout=_TIMEOUT_S,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context(cafile=str(login.ca_file)) if login.ca_file else True,
            headers={
                "X-Vault-Request": "true",
                **({"X-Vault-Namespace": login.namespace} if login.namespace else {}),
            },
        )

    def __enter__(self) -> Self:
        """Log in."""
        try:
            self._http.headers["X-Vault-Token"] = self._token()
        except BaseException:
            self._http.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back a token that was got by logging in; one from a file is its owner's to keep."""
        if self._login.token_file is None:
            # Should it fail: the token ends by itself, and what was asked for is here.
            with suppress(httpx.HTTPError):
                self._http.post("/v1/auth/token/revoke-self")
        self._http.close()

    def read_kv(self, mount: str, path: str, member: str) -> str:
        """One member of the newest version of a KV version 2 secret."""
        where = f"/v1/{mount}/data/{path}"
        secret = _member(self._ask("GET", where), where, "data", "data")
        value = secret.get(member) if isinstance(secret, dict) else None
        if not isinstance(value, str):
            raise SettingsInvalid([f"{self._login.address}{where}: expected a text under {member}, got none"])
        return value

    def decrypt(self, mount: str, key: str, ciphertext: str) -> bytes:
        """What a ciphertext `vault:v...` of the transit engine holds."""
        where = f"/v1/{mount}/decrypt/{key}"
        said = _member(self._ask("POST", where, {"ciphertext": ciphertext}), where, "data", "plaintext")
        try:
            return base64.b64decode(said, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise SettingsInvalid([f"{self._login.address}{where}: expected base64 as plaintext"]) from None

    def _token(self) -> str:
        login = self._login
        if login.token_file is not None:
            return read_private(login.token_file).strip()
        assert login.secret_id_file is not None  # noqa: S101 - the login was checked when it was read
        where = f"/v1/auth/{login.approle_mount}/login"
        form = {"role_id": login.role_id, "secret_id": read_private(login.secret_id_file).strip()}
        token = _member(self._ask("POST", where, form), where, "auth", "client_token")
        if not isinstance(token, str):
            raise SettingsInvalid([f"{login.address}{where}: expected a token, got none"])
        return token

    def _ask(self, method: str, where: str, form: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, where, json=form)
        except httpx.HTTPError as error:
            raise KeysUnavailable(
                f"The vault at {self._login.address} did not answer ({type(error).__name__}); try again."
            ) from None
        if answer.status_code in _REFUSALS:
            raise SettingsInvalid(
                [f"{self._login.address}{where}: {answer.status_code}, {_REFUSALS[answer.status_code]}"]
            )
        if not answer.is_success:
            raise KeysUnavailable(
                f"The vault at {self._login.address} said {answer.status_code}: it is sealed, standing by or "
                "overloaded. Unseal it, or try again."
            )
        try:
            return answer.json()
        except ValueError:
            raise SettingsInvalid([f"{self._login.address}{where}: expected JSON, got other text"]) from None


def _member(answer: Any, where: str, *names: str) -> Any:
    for name in names:
        if not isinstance(answer, dict) or name not in answer:
            raise SettingsInvalid([f"{where}: expected {'.'.join(names)} in the vault's answer, got none"])
        answer = answer[name]
    return answer
