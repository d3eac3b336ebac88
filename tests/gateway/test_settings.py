from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.settings import load_settings


def test_defaults_serve_one_machine_with_the_embedded_database() -> None:
    settings = load_settings({})
    assert settings.effective_database_url.startswith("sqlite:///")
    assert settings.issuer == "http://127.0.0.1:8080"


def test_tells_all_problems_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(
            {"GAPURA_PORT": "99999", "GAPURA_WORKERS": "0", "GAPURA_PROT": "80", "GAPURA_LOG_LEVEL": "x"}
        )
    told = "\n".join(caught.value.problems)
    assert all(name in told for name in ("GAPURA_PORT", "GAPURA_WORKERS", "GAPURA_PROT", "GAPURA_LOG_LEVEL"))


def test_command_line_wins_over_environment_and_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "gapura.toml"
    file.write_text('port = 1001\nhost = "127.0.0.2"\nlog_level = "DEBUG"\n')
    settings = load_settings(
        {"GAPURA_SETTINGS_FILE": str(file), "GAPURA_PORT": "1002", "GAPURA_HOST": "::1"}, port=1003
    )
    assert (settings.port, settings.host, settings.log_level) == (1003, "::1", "DEBUG")


@pytest.mark.parametrize("content", ["prot = 80\n", "port = = 80\n"])
def test_a_file_that_cannot_be_followed_to_the_letter_refuses_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "gapura.toml"
    file.write_text(content)
    with pytest.raises(SettingsInvalid, match=r"gapura\.toml"):
        load_settings({"GAPURA_SETTINGS_FILE": str(file)})


def test_several_workers_need_postgresql() -> None:
    with pytest.raises(SettingsInvalid, match="PostgreSQL"):
        load_settings({"GAPURA_WORKERS": "2"})
    assert (
        load_settings({"GAPURA_WORKERS": "2", "GAPURA_DATABASE_URL": "postgresql://db/gapura"}).workers == 2
    )


def test_the_issuer_is_an_origin_without_a_trailing_slash() -> None:
    assert load_settings({"GAPURA_PUBLIC_URL": "https://gapura.example/"}).issuer == "https://gapura.example"
    with pytest.raises(SettingsInvalid, match="origin"):
        load_settings({"GAPURA_PUBLIC_URL": "https://gapura.example/api"})


def test_another_process_reads_the_same_settings_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings(
        {"GAPURA_HOME": str(tmp_path), "GAPURA_PUBLIC_URL": "https://gapura.example"}, port=9
    )
    assert load_settings(settings.environment()) == settings


def test_the_sources_of_the_home_folder_count_where_no_other_file_is_named(tmp_path: Path) -> None:
    environment = {"GAPURA_HOME": str(tmp_path)}
    assert load_settings(environment).sources_file is None
    (tmp_path / "sources.toml").touch()
    assert load_settings(environment).sources_file == tmp_path / "sources.toml"
    named = load_settings({**environment, "GAPURA_SOURCES": "/etc/gapura/sources.toml"})
    assert named.sources_file == Path("/etc/gapura/sources.toml")


def test_nobody_is_trusted_to_tell_of_certificates_unless_named() -> None:
    assert load_settings({}).trusted_networks == ()
    named = load_settings({"GAPURA_TRUSTED_PROXIES": "10.20.0.0/28, 2001:db8::1"})
    assert [str(network) for network in named.trusted_networks] == ["10.20.0.0/28", "2001:db8::1/128"]
    assert load_settings(named.environment()).trusted_networks == named.trusted_networks
    for text in ("everybody", "10.20.0.3/28", "10.20.0.0/28,", "0.0.0.0/0", "10.0.0.1, ::/0", "10.0.0.1;::1"):
        with pytest.raises(SettingsInvalid, match="GAPURA_TRUSTED_PROXIES"):
            load_settings({"GAPURA_TRUSTED_PROXIES": text})


def test_a_host_for_certificates_is_https_and_has_a_proxy_that_tells_of_them() -> None:
    told = {"GAPURA_MTLS_URL": "https://mtls.example/", "GAPURA_TRUSTED_PROXIES": "10.20.0.3"}
    settings = load_settings(told)
    assert settings.mtls_origin == "https://mtls.example"
    assert load_settings(settings.environment()).mtls_origin == settings.mtls_origin
    assert load_settings({}).mtls_origin == load_settings({}).issuer
    for wrong in ({"GAPURA_TRUSTED_PROXIES": ""}, {"GAPURA_MTLS_URL": "http://mtls.example"}):
        with pytest.raises(SettingsInvalid, match="GAPURA_MTLS_URL"):
            load_settings({**told, **wrong})


def test_a_pooler_needs_an_address_past_it_and_neither_may_be_another_database() -> None:
    pooled = {"GAPURA_DATABASE_URL": "postgresql://pooler/gapura"}
    assert load_settings(pooled).session_database_url == "postgresql://pooler/gapura"
    direct = {"GAPURA_DATABASE_DIRECT_URL": "postgresql://server/gapura"}
    assert load_settings(pooled | direct).session_database_url == "postgresql://server/gapura"
    for wrong in (direct, pooled | {"GAPURA_DATABASE_DIRECT_URL": "sqlite:///gapura.db"}):
        with pytest.raises(SettingsInvalid, match="DIRECT_URL"):
            load_settings(wrong)


@pytest.mark.parametrize("name", ["GAPURA_DATABASE_URL", "GAPURA_BACKUP_DATABASE_URL"])
def test_a_password_with_an_at_sign_is_refused_and_never_told(name: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{name}.*%40") as refused:
        load_settings({name: "postgresql://gapura:raha@sia@db/gapura"})
    assert "sia@" not in str(refused.value)
    assert load_settings({name: "postgresql://gapura:raha%40sia@db/gapura"})
