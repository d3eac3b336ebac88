"""Everything about staff of one process, wired once, for the composition root and for commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.database import Database
from gateway.errors import SettingsInvalid
from gateway.keys import Keys
from gateway.settings import Settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import RecordAct, record_in_audit_log
from gateway.staff.check import StaffCheck
from gateway.staff.cookies import Cookies
from gateway.staff.oidc import CALLBACK_PATH, OpenIdProvider
from gateway.staff.passwords import Passwords
from gateway.staff.sessions import Sessions
from gateway.staff.sign_in import IdentityMatch, SignIn
from gateway.staff.tokens import ApiTokens

_SHARED = 0o077


@dataclass(frozen=True, slots=True)
class StaffDesk:
    """Where staff are registered, sign in, and are recognised. `provider` is None when none is configured."""

    accounts: StaffAccounts
    sessions: Sessions
    tokens: ApiTokens
    sign_in: SignIn
    check: StaffCheck
    cookies: Cookies
    provider: OpenIdProvider | None
    identity_match: IdentityMatch

    def close(self) -> None:
        """Let go of the identity provider."""
        if self.provider is not None:
            self.provider.close()


def open_staff_desk(
    settings: Settings,
    database: Database,
    keys: Keys,
    clock: Callable[[], datetime],
    *,
    record: RecordAct = record_in_audit_log,
    passwords: Passwords | None = None,
) -> StaffDesk:
    """Wire the parts by the settings. Raises SettingsInvalid when the client secret cannot be used."""
    accounts = StaffAccounts(database, clock, record)
    sessions = Sessions(database, clock, record)
    tokens = ApiTokens(database, clock, record)
    cookies = Cookies.at(settings.issuer)
    return StaffDesk(
        accounts=accounts,
        sessions=sessions,
        tokens=tokens,
        sign_in=SignIn(database, clock, record, passwords=passwords or Passwords(), sessions=sessions),
        check=StaffCheck(accounts=accounts, sessions=sessions, tokens=tokens, cookies=cookies),
        cookies=cookies,
        provider=_provider(settings, keys, clock),
        identity_match=settings.oidc_match,
    )


def _provider(settings: Settings, keys: Keys, clock: Callable[[], datetime]) -> OpenIdProvider | None:
    if not settings.oidc_issuer:
        return None
    file = settings.oidc_client_secret_file
    return OpenIdProvider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_client_secret(file) if file is not None else None,
        redirect_uri=settings.issuer + CALLBACK_PATH,
        with_email=settings.oidc_match == "email",
        key=keys.derive("staff sign-in by openid connect"),
        clock=clock,
    )


def _client_secret(file: Path) -> str:
    name = "GAPURA_OIDC_CLIENT_SECRET_FILE"
    try:
        mode = file.stat().st_mode & 0o777
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid([f"{name}: {file} cannot be read as text ({type(error).__name__})"]) from None
    if mode & _SHARED:
        raise SettingsInvalid([f"{name}: {file} has mode {mode:04o}, expected 0600: chmod 0600 {file}"])
    if not secret:
        raise SettingsInvalid([f"{name}: {file} is empty, expected the client secret in it"])
    return secret
