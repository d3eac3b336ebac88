"""What the commands of `gapura reconcile` work with: settings, database, keys, runs, and as whom they act."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.keys import Keys
from gateway.reconciliation.runs import Runs
from gateway.settings import Settings, load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff

if TYPE_CHECKING:
    from gateway.reconciliation.runner import Runner

AsOperator = Annotated[
    str | None, typer.Option("--as", help="Your staff account, with the role operator; default: nobody's.")
]


@dataclass(frozen=True, slots=True)
class Office:
    """The parts, while a command lasts."""

    settings: Settings
    database: Database
    keys: Keys
    runs: Runs

    def runner(self, look_every_s: float) -> Runner:
        """Somebody who works on runs. Raises BadInput over an existing registry."""
        from gateway.reconciliation.opening import RunnerFor  # noqa: PLC0415 - engines take their time

        return RunnerFor(self.settings, self.database, self.keys, utc_now)(look_every_s=look_every_s)

    def staff(self, acting_as: str | None) -> Staff:
        """As whom the command acts. Raises NotFound, RoleMissing."""
        if acting_as is None:
            return INSTALLATION
        accounts = StaffAccounts(self.database, utc_now, record_in_audit_log)
        return accounts.on_console(acting_as, "operator")


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@contextmanager
def opened_office() -> Iterator[Office]:
    """The parts, on a database with the newest schema. Raises SettingsInvalid, StoreUnavailable."""
    from gateway.installation import open_keys  # noqa: PLC0415 - only for what is carried out

    settings = load_settings()
    with opened_database() as database:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        yield Office(settings, database, keys, Runs(database, utc_now))
