"""The master key from a keeper of secrets: OpenBao/Vault over HTTP, an environment variable, a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.database import Database
from gateway.errors import FileUnusable, KeysUnavailable, SettingsInvalid
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.master_key import fetch_master_key, load_key_source
from tests.gateway.vaults import SimulatedVault, simulated_vault
from tests.living import free_port

MASTER = bytes(range(7, 39))


@pytest.fixture
def vault() -> Iterator[SimulatedVault]:
    with simulated_vault(kv={"gapura/keys": {"master_key": MASTER.hex()}}) as running:
        yield running


def _private(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def _source(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    return file


def _by_token(vault: SimulatedVault, tmp_path: Path, token: str | None = None) -> str:
    file = _private(tmp_path / "token", token or vault.root_token)
    return f'login = {{address = "{vault.address}", token_file = "{file}"}}\n'


def _by_role(vault: SimulatedVault, tmp_path: Path, secret_id: str | None = None) -> str:
    file = _private(tmp_path / "secret-id", secret_id or vault.secret_id)
    return (
        f'login = {{address = "{vault.address}", role_id = "{vault.role_id}", secret_id_file = "{file}"}}\n'
    )


def _fetched(tmp_path: Path, text: str, **environment: str) -> bytes:
    return fetch_master_key(load_key_source(_source(tmp_path, text)), environment)


def _wrapped(vault: SimulatedVault, tmp_path: Path, plain: bytes = MASTER) -> str:
    file = _private(tmp_path / "wrapped", vault.wrap("gapura", plain))
    return f'from = "vault-transit"\nkey = "gapura"\nciphertext_file = "{file}"\n'


def test_a_vaults_secret_is_read_with_a_token_that_stays_its_owners(
    vault: SimulatedVault, tmp_path: Path
) -> None:
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(vault, tmp_path)
    assert _fetched(tmp_path, text) == MASTER
    assert vault.asked == [("GET", "/v1/secret/data/gapura/keys")]


def test_a_role_logs_in_asks_and_gives_its_token_back(vault: SimulatedVault, tmp_path: Path) -> None:
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_role(vault, tmp_path)
    assert _fetched(tmp_path, text) == MASTER
    assert [path for _, path in vault.asked] == [
        "/v1/auth/approle/login",
        "/v1/secret/data/gapura/keys",
        "/v1/auth/token/revoke-self",
    ]
    assert vault.tokens == set()


def test_a_wrapped_key_is_unwrapped_by_the_transit_engine_alone(
    vault: SimulatedVault, tmp_path: Path
) -> None:
    assert _fetched(tmp_path, _wrapped(vault, tmp_path) + _by_role(vault, tmp_path)) == MASTER
    (tmp_path / "wrapped").write_text("vault:v1:AAAA\n")
    with pytest.raises(SettingsInvalid, match="another key"):
        fetch_master_key(load_key_source(tmp_path / "keys.toml"))


def test_a_namespace_is_named_on_every_request(vault: SimulatedVault, tmp_path: Path) -> None:
    vault.namespace = "pusdatin"
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(vault, tmp_path)
    with pytest.raises(SettingsInvalid, match="no such mount"):
        _fetched(tmp_path, text)
    assert _fetched(tmp_path, text.replace("login = {", 'login = {namespace = "pusdatin", ')) == MASTER


@pytest.mark.parametrize("origin", ["environment", "file"])
def test_a_secret_managers_variable_or_file_will_do(tmp_path: Path, origin: str) -> None:
    file = _private(tmp_path / "mounted", MASTER.hex())
    where = 'variable = "MASTER_KEY"' if origin == "environment" else f'file = "{file}"'
    assert _fetched(tmp_path, f'from = "{origin}"\n{where}\n', MASTER_KEY=MASTER.hex()) == MASTER


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = _private(tmp_path / "mounted", MASTER.hex())
    file.chmod(0o644)
    with pytest.raises(FileUnusable, match="0600"):
        _fetched(tmp_path, f'from = "file"\nfile = "{file}"\n')


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        ({"sealed": True}, KeysUnavailable, "sealed"),
        ({"kv": {}}, SettingsInvalid, "no such mount, path or key"),
        ({"kv": {"gapura/keys": {"another": "x"}}}, SettingsInvalid, "under master_key"),
        ({"kv": {"gapura/keys": {"master_key": "c0ffee"}}}, SettingsInvalid, "got 6 characters"),
        ({"root_token": "hvs.another"}, SettingsInvalid, "403"),
    ],
)
def test_what_a_vault_refuses_is_told_with_the_remedy_and_without_a_secret(
    vault: SimulatedVault,
    tmp_path: Path,
    edit: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(vault, tmp_path)
    token = vault.root_token
    for name, value in edit.items():
        setattr(vault, name, value)
    with pytest.raises(error, match=words) as refused:
        _fetched(tmp_path, text)
    assert token not in str(refused.value)
    assert "c0ffee" not in str(refused.value)


def test_a_vault_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    away = SimulatedVault(address=f"http://127.0.0.1:{free_port()}")
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(away, tmp_path)
    with pytest.raises(KeysUnavailable, match="did not answer"):
        _fetched(tmp_path, text)


def test_a_wrong_role_is_told_without_its_secret(vault: SimulatedVault, tmp_path: Path) -> None:
    text = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_role(vault, tmp_path, "not-the-secret-id")
    with pytest.raises(SettingsInvalid, match="login is not accepted") as refused:
        _fetched(tmp_path, text)
    assert "not-the-secret-id" not in str(refused.value)


def test_nothing_of_a_vaults_bytes_reaches_a_log(
    vault: SimulatedVault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert _fetched(tmp_path, _wrapped(vault, tmp_path) + _by_role(vault, tmp_path)) == MASTER
    kv = 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_role(vault, tmp_path)
    assert _fetched(tmp_path, kv) == MASTER
    assert caplog.records  # something was logged, or this would see nothing
    for secret in (
        MASTER.hex(),
        vault.secret_id,
        vault.role_id,
        "hvs.",
        (tmp_path / "wrapped").read_text()[:20],
    ):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "from"),
        ('from = "vault"\n', "from"),
        ('from = "environment"\nvariable = "GAPURA_MASTER"\n', "does not begin with GAPURA_"),
        ('from = "environment"\n', "variable"),
        ('from = "file"\nfile = "x"\nextra = 1\n', "extra"),
        ('from = "vault-kv"\npath = "a"\nlogin = {address = "http://10.1.1.1", token_file = "t"}\n', "https"),
        ('from = "vault-kv"\npath = "a"\nlogin = {address = "https://v"}\n', "either token_file"),
        (
            (
                'from = "vault-kv"\npath = "a"\n'
                'login = {address = "https://v", token_file = "t", role_id = "r", secret_id_file = "s"}\n'
            ),
            "either token_file",
        ),
        (
            (
                'from = "vault-kv"\npath = "a"\n'
                'login = {address = "https://v", token_file = "t", role_id = "r"}\n'
            ),
            "either",
        ),
        ("from = [", "cannot be read"),
    ],
)
def test_a_source_that_says_too_little_or_too_much_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        load_key_source(_source(tmp_path, text))


def test_a_gateway_moves_to_a_vault_with_the_key_that_it_was_begun_with(
    vault: SimulatedVault, database: Database, tmp_path: Path
) -> None:
    begun = open_keys(database, tmp_path / "keys")
    source = _source(tmp_path, 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(vault, tmp_path))
    with pytest.raises(SettingsInvalid, match="not those"):
        open_keys(database, tmp_path / "keys", source)
    vault.kv["gapura/keys"] = {"master_key": begun.master.hex()}
    (tmp_path / "keys" / "master.key").unlink()
    moved = open_keys(database, tmp_path / "keys", source)
    assert moved.audit_key == begun.audit_key
    assert not Keys.present(tmp_path / "keys")


def test_a_gateway_that_begins_with_a_vault_writes_no_master_key(
    vault: SimulatedVault, database: Database, tmp_path: Path
) -> None:
    source = _source(tmp_path, 'from = "vault-kv"\npath = "gapura/keys"\n' + _by_token(vault, tmp_path))
    keys = open_keys(database, tmp_path / "keys", source)
    assert keys.master == MASTER
    written = b"".join(path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file())
    assert MASTER.hex().encode() not in written
    assert MASTER not in written
