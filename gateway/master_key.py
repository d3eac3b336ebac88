"""Where the master key comes from, when it is not a file of the key folder: a keeper of secrets.

`GAPURA_KEY_SOURCE` names a TOML file that says so: an environment variable or a file that a secret manager
fills, or OpenBao/Vault, from which it is read (KV version 2) or by which it is unwrapped (transit). The file
itself holds no secret. The key is asked for once, when a process starts, and MUST NOT be written anywhere.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from gateway.errors import SettingsInvalid
from gateway.key_files import read_private
from gateway.keys import MASTER_BYTES, master_of
from gateway.vault import Vault, VaultLogin

_EXPECTED = f"expected {2 * MASTER_BYTES} hexadecimal digits"


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FromEnvironment(_Source):
    """An environment variable with 64 hexadecimal digits, as secret managers set it for a service."""

    origin: Literal["environment"] = Field(alias="from")
    variable: str = Field(min_length=1)

    @field_validator("variable")
    @classmethod
    def _no_setting(cls, value: str) -> str:
        if value.startswith("GAPURA_"):
            raise ValueError("expected a name that does not begin with GAPURA_: those are settings")
        return value


class FromFile(_Source):
    """A file of mode 0600 with 64 hexadecimal digits, such as a secret manager mounts."""

    origin: Literal["file"] = Field(alias="from")
    file: Path


class FromVaultKv(_Source):
    """A secret of the KV version 2 engine of OpenBao or Vault; `member` holds 64 hexadecimal digits."""

    origin: Literal["vault-kv"] = Field(alias="from")
    login: VaultLogin
    mount: str = "secret"
    path: str = Field(min_length=1)
    member: str = "master_key"


class FromVaultTransit(_Source):
    """A wrapped key: `ciphertext_file` holds `vault:v1:...`, which the transit engine alone can unwrap."""

    origin: Literal["vault-transit"] = Field(alias="from")
    login: VaultLogin
    mount: str = "transit"
    key: str = Field(min_length=1)
    ciphertext_file: Path


KeySource = FromEnvironment | FromFile | FromVaultKv | FromVaultTransit
_SOURCE: TypeAdapter[KeySource] = TypeAdapter(
    Annotated[KeySource, Field(discriminator="origin")], config=ConfigDict(hide_input_in_errors=True)
)


def load_key_source(file: Path) -> KeySource:
    """What `GAPURA_KEY_SOURCE` names. Raises SettingsInvalid with every problem found."""
    try:
        return _SOURCE.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(
            [f"GAPURA_KEY_SOURCE: {file} cannot be read ({type(error).__name__})"]
        ) from None
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise SettingsInvalid(
            [f"{file}: {'.'.join(map(str, item['loc'])) or 'from'}: {item['msg']}" for item in problems]
        ) from None


def fetch_master_key(source: KeySource, environment: Mapping[str, str] | None = None) -> bytes:
    """The master key, 32 bytes.

    Raises SettingsInvalid when its keeper has none or refuses, KeysUnavailable when it cannot be reached,
    FileUnusable when a file is bad. What was got instead is told by its length alone.
    """
    match source:
        case FromEnvironment():
            given = (os.environ if environment is None else environment).get(source.variable, "")
            return _hexadecimal(given, f"the environment variable {source.variable}")
        case FromFile():
            return _hexadecimal(read_private(source.file), str(source.file))
        case FromVaultKv():
            with Vault(source.login) as vault:
                said = vault.read_kv(source.mount, source.path, source.member)
            return _hexadecimal(said, f"{source.member} of {source.mount}/{source.path}")
        case FromVaultTransit():
            ciphertext = read_private(source.ciphertext_file).strip()
            with Vault(source.login) as vault:
                master = vault.decrypt(source.mount, source.key, ciphertext)
            if len(master) != MASTER_BYTES:
                raise SettingsInvalid(
                    [f"{source.ciphertext_file}: expected {MASTER_BYTES} wrapped bytes, got {len(master)}"]
                )
            return master


def _hexadecimal(text: str, where: str) -> bytes:
    master = master_of(text)
    if master is None:
        raise SettingsInvalid(
            [
                (
                    f"{where}: {_EXPECTED}, got {len(text.strip())} characters. For a new installation make "
                    "one, for example by `openssl rand -hex 32`, and keep a copy of it apart"
                )
            ]
        )
    return master
