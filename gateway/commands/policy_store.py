"""How a command comes to the policies: the store, the person as whom it acts, and which policy is meant.

Whoever runs a command reads the home folder anyway, so it acts without a password as the account that --as
names; the log says that it was done on the console.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

import typer

from gateway.agreements.lifecycle import KINDS, Kind, Version
from gateway.agreements.provided import Provided
from gateway.agreements.store import PolicyStore
from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.errors import BadInput, NotFound
from gateway.migrations import fits
from gateway.settings import load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import Staff

PolicyId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="An agreement's id; of the others `programme/pbi-jk`, `dictionary/fields`.",
        show_default=False,
    ),
]
As = Annotated[str, typer.Option("--as", metavar="STAFF", help="The staff account as whom you act.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit log. Names no person of the registry.")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")]


@dataclass(frozen=True, slots=True)
class OpenStore:
    """The store, and the database that it is in."""

    store: PolicyStore
    database: Database

    def acting_as(self, staff_id: str) -> Staff:
        """The staff member as whom a command acts. Raises NotFound, Conflict."""
        return StaffAccounts(self.database, now, record_in_audit_log).on_console(staff_id)

    def approvers(self) -> tuple[str, ...]:
        """The accounts that have the role approver now."""
        return StaffAccounts(self.database, now, record_in_audit_log).holders(["approver"])["approver"]

    def known(self, kind: Kind, name: str) -> list[Version]:
        """The versions of a policy, the newest first. Raises NotFound, which names those that there are."""
        versions = self.store.versions(kind, name)
        if not versions:
            names = ", ".join(dict.fromkeys(one.name for one in self.store.versions(kind)))
            raise NotFound(f"There is no {kind} {name}; there are {names or 'none'}.")
        return versions


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@contextmanager
def opened_store() -> Iterator[OpenStore]:
    """The policies' store; an empty one is filled from the folder of the settings, as `serve` does."""
    with opened_database() as database:
        settings = load_settings()

        @cache
        def provided() -> Provided:
            # An import that a command which judges nothing need not wait for.
            from gateway.commands.policy_sources import provided_here  # noqa: PLC0415

            return provided_here(database, settings)

        store = PolicyStore(database, now, provided)
        store.seed(settings.policies)
        yield OpenStore(store, database)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a folder is compared with: every version of the store, and the ids of the registered consumers."""

    versions: list[Version]
    consumers: frozenset[str]


def kept_here() -> Kept | None:
    """What the store has, without making, migrating or filling one; None where there is none to read.

    Raises SettingsInvalid, and StoreUnavailable for a database that is named and cannot be reached.
    """
    database = Database(load_settings().session_database_url)
    try:
        if database.is_missing() or not fits(database):
            return None
        store = PolicyStore(database, now)
        versions = store.versions()
        return Kept(versions, store.consumers()) if versions else None
    finally:
        database.close()


def policy(written: str) -> tuple[Kind, str]:
    """Kind and name of the policy that an argument means."""
    kind, slash, name = written.rpartition("/")
    if not slash:
        return "agreement", name
    for known in KINDS:
        if kind in {known, f"{known}s"}:
            return known, name
    raise BadInput(
        f"ID: expected an agreement's id, or one of {', '.join(f'{each}/NAME' for each in KINDS)}."
    )


def print_lines(lines: Iterable[str]) -> None:
    """Write for people, each on a line of its own; nothing where there is nothing to say."""
    for line in lines:
        print(line)


def print_json(content: Any) -> None:
    """Write for programmes."""
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))
