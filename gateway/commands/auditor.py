"""How an auditor's command begins: the account it acts as, with that role, and the gateway's parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.opening import opened_database
from gateway.settings import load_settings
from gateway.staff.roles import Staff

if TYPE_CHECKING:
    from gateway.app import Services

AsAuditor = Annotated[
    str, typer.Option("--as", help="Your staff account, which has the role auditor.", show_default=False)
]
Reason = Annotated[str, typer.Option(help="Why, for the audit log; names no person.", show_default=False)]


@contextmanager
def opened_for_auditor(acting_as: str) -> Iterator[tuple[Services, Staff]]:
    """The gateway's parts and the auditor. Raises RoleMissing, NotFound, Conflict, SettingsInvalid."""
    from gateway.app import build_services  # noqa: PLC0415 - seconds that other commands need not wait

    with opened_database():
        pass  # the schema is current from here on
    services = build_services(load_settings())
    try:
        yield services, services.staff.accounts.on_console(acting_as, "auditor")
    finally:
        services.close()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text, encoding="utf-8")
