"""Signing in by OpenID Connect: at a provider that others wrote, and against one that lies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from gateway.errors import Retryable, SettingsInvalid, Unauthenticated
from gateway.settings import load_settings
from gateway.staff.cookies import SIGN_IN_LASTS_S
from gateway.staff.oidc import CALLBACK_PATH, IdentityRefused, OpenIdProvider, next_path
from gateway.staff.opening import open_staff_desk
from gateway.staff.roles import INSTALLATION
from gateway.staff.sign_in import Identity
from tests.gateway.staff.office import QUICK, Clock, Office
from tests.gateway.staff.providers import (
    CLIENT_ID,
    CLIENT_SECRET,
    LyingProvider,
    log_in,
    needs_provider,
    real_provider,
)

START = "/admin/v1/session/oidc/start"
ORIGIN = "http://127.0.0.1:8080"


def _office_at(office: Office, issuer: str, secret: str | None, match: str) -> Office:
    """The same office with a provider, on the real clock, which is the provider's."""
    overrides: dict[str, Any] = {"oidc_issuer": issuer, "oidc_client_id": CLIENT_ID, "oidc_match": match}
    if secret is not None:
        file = office.folder / "client-secret"
        file.write_text(secret + "\n")
        file.chmod(0o600)
        overrides["oidc_client_secret_file"] = file
    clock = Clock(datetime.now(UTC))
    return Office(office.database, office.folder, origin=ORIGIN, overrides=overrides, clock=clock)


def _come_back(browser: httpx.Client, login: str, to: str = "/console") -> httpx.Response:
    begun = browser.get(START, params={"next": to})
    assert begun.status_code == 303, begun.text
    back = log_in(begun.headers["location"], login)
    assert back.startswith(ORIGIN + CALLBACK_PATH)
    return browser.get(back)


@needs_provider
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_registered_subject_signs_in_at_a_real_provider(office: Office, method: str) -> None:
    with (
        real_provider(ORIGIN + CALLBACK_PATH, method) as issuer,
        closing(_office_at(office, issuer, None if method == "none" else CLIENT_SECRET, "subject")) as there,
    ):
        there.hire("ani", "author", password=None, oidc=(issuer, "ani-at-op"))
        browser = there.browser()
        answer = _come_back(browser, "ani-at-op", to="/console/agreements?x=1&y=2")
        assert answer.status_code == 200, answer.text
        assert "url=/console/agreements?x=1&amp;y=2" in answer.text
        told = browser.get("/admin/v1/session").json()
        assert (told["id"], told["roles"]) == ("ani", ["author"])
        assert [act["via"] for act in there.acts("staff.signed_in")] == ["oidc"]
        refused = _come_back(there.browser(), "stranger")
        assert (refused.status_code, refused.json()["code"]) == (401, "sign_in_refused")
        assert "set-cookie" not in refused.headers


@needs_provider
def test_a_verified_address_opens_its_account_and_binds_it_to_the_first_identity(office: Office) -> None:
    with (
        real_provider(ORIGIN + CALLBACK_PATH, "client_secret_basic") as issuer,
        closing(_office_at(office, issuer, CLIENT_SECRET, "email")) as there,
    ):
        for name in ("ani", "unverified-budi"):
            there.hire(name, "author", password=None, email=f"{name.title()}@example.go.id")
        assert _come_back(browser := there.browser(), "ani").status_code == 200
        assert browser.get("/admin/v1/session").json()["id"] == "ani"
        account = there.desk.accounts.get("ani")
        assert (account.oidc_issuer, account.oidc_subject) == (issuer, "ani")
        assert _come_back(there.browser(), "unverified-budi").status_code == 401


@needs_provider
def test_an_answer_of_the_provider_works_in_no_other_browser_and_only_once(office: Office) -> None:
    with (
        real_provider(ORIGIN + CALLBACK_PATH, "client_secret_basic") as issuer,
        closing(_office_at(office, issuer, CLIENT_SECRET, "subject")) as there,
    ):
        there.hire("ani", "author", password=None, oidc=(issuer, "ani"))
        victim, browser = there.browser(), there.browser()
        victim.get(START)
        begun = browser.get(START)
        back = log_in(begun.headers["location"], "ani")
        kept = dict(browser.cookies)
        assert victim.get(back).status_code == 401
        assert there.browser().get(back).status_code == 401
        assert browser.get(back).status_code == 200
        again = there.browser()
        again.cookies.update(kept)
        assert again.get(back).status_code == 401
        assert any("code" in act["reason"] for act in there.acts("staff.sign_in_failed"))


def test_an_address_that_moved_to_another_person_opens_nothing(office: Office) -> None:
    office.hire("ani", "author", password=None, email="ani@example.go.id")
    first, second = (Identity("https://op", subject, "ani@example.go.id") for subject in ("1", "2"))
    assert office.desk.sign_in.with_identity(first, "email").session.staff.id == "ani"
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.with_identity(second, "email")
    assert office.desk.sign_in.with_identity(first, "subject").session.staff.id == "ani"


def test_an_address_counts_only_where_that_is_configured_and_never_for_a_disabled_account(
    office: Office,
) -> None:
    office.hire("ani", "author", password=None, email="ani@example.go.id")
    office.hire("budi", "author", password=None)
    for match, identity in (
        ("subject", Identity("https://op", "1", "ani@example.go.id")),
        ("email", Identity("https://op", "1", None)),
    ):
        with pytest.raises(Unauthenticated):
            office.desk.sign_in.with_identity(identity, match)  # type: ignore[arg-type]
    office.desk.accounts.disable(INSTALLATION, "ani", "left")
    with pytest.raises(Unauthenticated):
        office.desk.sign_in.with_identity(Identity("https://op", "1", "ani@example.go.id"), "email")
    assert "example.go.id" not in str(office.acts("staff.sign_in_failed"))


# Against a provider that lies


def _provider(op: LyingProvider, clock: Clock, **changes: Any) -> OpenIdProvider:
    given_: dict[str, Any] = {
        "issuer": op.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": ORIGIN + CALLBACK_PATH,
        "with_email": False,
        "key": b"k" * 32,
        "clock": clock,
        "http": op.http(),
    }
    return OpenIdProvider(**(given_ | changes))


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.update({name: value}) if value is not None else claims.pop(name)


def test_what_an_honest_provider_says_is_believed() -> None:
    op, clock = LyingProvider(), Clock()
    provider = _provider(op, clock)
    begun = provider.start("/")
    identity = provider.finish(begun.cookie, op.let_in(begun.address, clock().timestamp()))
    assert identity == Identity(op.issuer, "ani-1", None)


@pytest.mark.parametrize(
    "change",
    [
        _set("iss", "https://evil.example"),
        _set("aud", "another-client"),
        _set("aud", None),
        _set("nonce", "another"),
        _set("nonce", None),
        _set("exp", 1),
        _set("exp", None),
        _set("sub", None),
        _set("sub", ""),
        _set("sub", 7),
        _set("azp", "another-client"),
        _set("aud", [CLIENT_ID, "another"]),
        _set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_establishes_nobody(
    change: Callable[[dict[str, Any]], None],
) -> None:
    op, clock = LyingProvider(), Clock()
    op.change = change
    provider = _provider(op, clock)
    begun = provider.start("/")
    with pytest.raises(IdentityRefused):
        provider.finish(begun.cookie, op.let_in(begun.address, clock().timestamp()))


def test_an_id_token_by_another_key_establishes_nobody_and_a_new_key_is_learnt() -> None:
    op, clock = LyingProvider(), Clock()
    provider = _provider(op, clock)

    def finish() -> Identity:
        begun = provider.start("/")
        return provider.finish(begun.cookie, op.let_in(begun.address, clock().timestamp()))

    finish()
    op.key = RSAKey.generate_key(2048, {"kid": "2"})
    clock.move(minutes=2)
    with pytest.raises(IdentityRefused):
        finish()
    op.published.append(op.key)
    clock.move(minutes=2)
    assert finish().subject == "ani-1"
    fetched = op.asked.count("/jwks")
    finish()
    assert op.asked.count("/jwks") == fetched


def test_the_answer_of_another_provider_or_a_late_one_is_refused() -> None:
    op, clock = LyingProvider(), Clock()
    provider = _provider(op, clock)
    begun = provider.start("/")
    answer = op.let_in(begun.address, clock().timestamp())
    for wrong in (
        answer | {"iss": "https://evil.example"},
        answer | {"state": "x"},
        {"state": answer["state"], "error": "access_denied"},
        {"code": "c"},
        {},
    ):
        with pytest.raises(IdentityRefused):
            provider.finish(begun.cookie, wrong)
    forged = begun.cookie.replace(begun.cookie[:3], "999", 1)
    for cookie in (None, "", "x", forged, begun.cookie + "x"):
        with pytest.raises(IdentityRefused):
            provider.finish(cookie, answer)
    clock.move(seconds=SIGN_IN_LASTS_S)
    with pytest.raises(IdentityRefused, match="too long"):
        provider.finish(begun.cookie, answer)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("issuer", "https://op.example/"),
        ("token_endpoint", "http://op.example/token"),
        ("jwks_uri", "file:///etc/passwd"),
        ("token_endpoint_auth_methods_supported", ["private_key_jwt"]),
    ],
)
def test_a_provider_that_is_not_what_was_configured_is_not_used(member: str, value: Any) -> None:
    op = LyingProvider()
    op.metadata[member] = value
    with pytest.raises(Retryable):
        _provider(op, Clock()).start("/")


def test_a_provider_that_is_down_is_told_apart_from_one_that_refuses() -> None:
    op, clock = LyingProvider(), Clock()
    provider = _provider(op, clock)
    begun = provider.start("/")
    op.down = True
    with pytest.raises(Retryable) as unavailable:
        provider.finish(begun.cookie, op.let_in(begun.address, clock().timestamp()))
    assert unavailable.value.code == "identity_provider_unavailable"


def test_the_secrets_of_a_sign_in_differ_and_need_the_gateways_key() -> None:
    op, clock = LyingProvider(), Clock()
    here, elsewhere = _provider(op, clock), _provider(op, clock, key=b"x" * 32)
    begun = here.start("/")
    asked = dict(parse_qsl(urlsplit(begun.address).query))
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "openid")
    assert asked["state"] != asked["nonce"]
    assert here._derived("verifier", begun.cookie) not in begun.address
    with pytest.raises(IdentityRefused):
        elsewhere.finish(begun.cookie, op.let_in(begun.address, clock().timestamp()))


HONEST = LyingProvider()  # making its key takes longer than a test of one path


@given(st.text(max_size=60) | st.from_regex(r"/[/\\.:@a-z?#<>\"]{0,12}", fullmatch=True))
def test_a_sign_in_never_ends_at_another_host(wanted: str) -> None:
    cookie = _provider(HONEST, Clock()).start(wanted).cookie
    to = next_path(cookie)
    assert to in {wanted, "/"}
    assert to.startswith("/")
    assert not to.startswith(("//", "/\\"))
    assert not set(to) & set("\\<>\"'\r\n\t ")


def test_a_client_secret_that_others_can_read_refuses_the_start(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    values = {"GAPURA_OIDC_ISSUER": "https://op.example", "GAPURA_OIDC_CLIENT_ID": "x"}
    settings = load_settings(values, oidc_client_secret_file=file)
    for content, mode, expected in (
        ("s", 0o640, "0600"),
        (" \n", 0o600, "empty"),
        (None, 0, "cannot be read"),
    ):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
            file.chmod(mode)
        with pytest.raises(SettingsInvalid, match=expected):
            open_staff_desk(settings, office.database, office.keys, office.clock, passwords=QUICK)


@pytest.mark.parametrize(
    "values",
    [
        {"GAPURA_OIDC_ISSUER": "https://op.example"},
        {"GAPURA_OIDC_CLIENT_ID": "x"},
        {"GAPURA_OIDC_ISSUER": "http://op.example", "GAPURA_OIDC_CLIENT_ID": "x"},
        {"GAPURA_OIDC_MATCH": "name"},
    ],
)
def test_settings_of_a_provider_that_do_not_fit_together_refuse_the_start(values: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match="GAPURA_OIDC"):
        load_settings(values)
