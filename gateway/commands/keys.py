"""`gapura keys`: the keys that sign access tokens and evidence, and those that make pseudonyms.

The master key has no command: it never changes.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit.keyring import LONGEST_OVERLAP_DAYS as LONGEST_EVIDENCE_OVERLAP_DAYS
from gateway.audit.keyring import PURPOSES, EvidenceKeyring
from gateway.audit.sequencer import log_origin
from gateway.audit.signing import origin_of
from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.errors import FileUnusable
from gateway.installation import open_keys
from gateway.keys import JWKS_MAX_AGE_S, Keys
from gateway.master_key import fetch_master_key, load_key_source
from gateway.pseudonyms.sector_keys import LONGEST_OVERLAP_DAYS, SectorKeyring
from gateway.settings import load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff
from policies.pseudonym import UnusablePseudonym

app = typer.Typer(
    help="The keys that sign access tokens and evidence, and those that make pseudonyms.",
    no_args_is_help=True,
)

_Sector = Annotated[str, typer.Argument(metavar="SECTOR", help="Such as kesehatan.", show_default=False)]
_As = Annotated[
    str | None, typer.Option("--as", help="The staff account as whom you act; none means the installation.")
]
_Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]


def _now() -> datetime:
    return datetime.now(UTC)


def _open() -> Keys:
    settings = load_settings()
    source = settings.key_source
    master = None if source is None else fetch_master_key(load_key_source(source))
    return Keys.open(settings.home / "keys", master)


@contextmanager
def _evidence(acting_as: str | None = None) -> Iterator[tuple[EvidenceKeyring, Staff]]:
    settings = load_settings()
    with opened_database() as database:
        keys = open_keys(database, settings.home / "keys", settings.key_source)
        origin = log_origin(database, origin_of(settings.issuer))
        yield EvidenceKeyring(database, keys, origin, _now), _actor(database, acting_as)


@contextmanager
def _keyring(acting_as: str | None = None) -> Iterator[tuple[SectorKeyring, Staff]]:
    settings = load_settings()
    folder = settings.home / "keys"
    with opened_database() as database:
        keys = open_keys(database, folder, settings.key_source)
        yield SectorKeyring(database, folder, keys.master, _now), _actor(database, acting_as)


def _actor(database: Database, acting_as: str | None) -> Staff:
    if acting_as is None:
        return INSTALLATION
    return StaffAccounts(database, _now, record_in_audit_log).on_console(acting_as)


@app.command("list")
def list_keys() -> None:
    """Show every signing key and where it is in its life."""
    for status in _open().statuses(_now()):
        until = f"{status.published_until:%Y-%m-%d %H:%M:%S} UTC" if status.published_until else "open"
        since = f"{status.signs_from:%Y-%m-%d %H:%M:%S} UTC" if status.signs_from.timestamp() else "the start"
        print(f"{status.kid}  {status.state:9}  signs from {since}  published until {until}")


@app.command()
def rotate(
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Sign with it at once, for emergencies; readers of the JWKS may lag behind."
        ),
    ] = False,
) -> None:
    """Add a signing key: published now, used when every reader of the JWKS can know it."""
    key = _open().rotate(_now(), delay_s=0 if now else JWKS_MAX_AGE_S)
    print(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC. Running processes need no restart.")


@app.command()
def retire(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id.", show_default=False)],
) -> None:
    """Delete a signing key at once: every token that it signed is refused. For a key that leaked.

    A key that merely is old leaves by itself, after `rotate`.
    """
    _open().retire(kid, _now())
    print(f"{kid} is retired: whatever it signed is refused.")


@app.command()
def evidence() -> None:
    """Show every key that signs the log's checkpoints, receipts or messages, and until when it does."""
    with _evidence() as (keyring, _):
        for one in chain.from_iterable(keyring.versions(purpose) for purpose in PURPOSES):
            until = f"until {one.until:%Y-%m-%d %H:%M:%S} UTC" if one.until else "now"
            print(f"{one.purpose:8}  v{one.version}  signs {until}  {one.public}")


@app.command("rotate-log")
def rotate_log(
    overlap_days: Annotated[
        int,
        typer.Option(
            min=0,
            max=LONGEST_EVIDENCE_OVERLAP_DAYS,
            help="For how long the older key signs as well, so that witnesses can change over; 0 for a leak.",
        ),
    ],
    reason: _Reason,
    acting_as: _As = None,
) -> None:
    """Give the audit log a new key. Every older one stays published: old evidence is checked by it."""
    with _evidence(acting_as) as (keyring, actor):
        made = keyring.rotate("log", actor=actor.actor, reason=reason, overlap=timedelta(days=overlap_days))
    print(made.public)
    print(
        f"It signs every checkpoint from now on; for {overlap_days} days the older key does so too. Give it "
        "to partners and witnesses by another way than this gateway."
    )


@app.command("rotate-receipts")
def rotate_receipts(reason: _Reason, acting_as: _As = None) -> None:
    """Have receipts signed by a new key. Older ones stay published at /log/keys; a receipt names its own."""
    with _evidence(acting_as) as (keyring, actor):
        made = keyring.rotate("receipts", actor=actor.actor, reason=reason)
    print(f"Receipts have version {made.version} now; running processes take it up within a minute.")


@app.command("rotate-messages")
def rotate_messages(reason: _Reason, acting_as: _As = None) -> None:
    """Have answers signed (RFC 9421) by a new key. Older ones stay published at /log/keys."""
    with _evidence(acting_as) as (keyring, actor):
        made = keyring.rotate("messages", actor=actor.actor, reason=reason)
    print(f"Messages have version {made.version} now; running processes take it up within a minute.")


@app.command()
def sectors() -> None:
    """Show every version of every sector's key and where it is in its life."""
    with _keyring() as (keyring, _):
        for one in keyring.versions():
            until = (
                f"  names taken back until {one.names_until:%Y-%m-%d %H:%M} UTC" if one.names_until else ""
            )
            print(f"{one.sector}  v{one.version}  {one.state(_now()):9}  made {one.made_at:%Y-%m-%d}{until}")


@app.command("rotate-sector")
def rotate_sector(
    sector: _Sector,
    overlap_days: Annotated[
        int,
        typer.Option(
            min=0, max=LONGEST_OVERLAP_DAYS, help="For how long the older pseudonyms are still taken back."
        ),
    ],
    reason: _Reason,
    acting_as: _As = None,
) -> None:
    """Give a sector new pseudonyms: in every answer from now on, while the older ones are taken back.

    Its partners exchange what they hold at POST /v1/pseudonyms/rekey during the overlap; after it the older
    key is destroyed and nobody can lead its pseudonyms back to people.
    """
    with _keyring(acting_as) as (keyring, actor):
        made = keyring.rotate(actor, sector, overlap_days, reason)
    print(
        f"{sector} has version {made.version} now. The older pseudonyms are taken back for {overlap_days} "
        "days. Copy the new file of keys/sectors to every other machine and to the backup."
    )


@app.command("destroy-sector")
def destroy_sector(
    sector: _Sector,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, show_default=False)],
    reason: _Reason,
    early: Annotated[
        bool, typer.Option("--early", help="Although its pseudonyms are still taken back; for a leak.")
    ] = False,
    acting_as: _As = None,
) -> None:
    """Destroy an older version of a sector's key. A running gateway does so by itself after the overlap."""
    with _keyring(acting_as) as (keyring, actor):
        keyring.destroy(actor, sector, version, reason, early=early)
    print(
        f"Version {version} of {sector} is destroyed on this machine. Erase v{version}.{sector}.salt from "
        "other machines and from backups too: until then it can be restored from there."
    )


@app.command()
def rekey(
    sector: _Sector,
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="The partner's pseudonyms, one to a line.")
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="CSV to write: old,new; mode 0600.")],
    reason: _Reason,
    acting_as: _As = None,
) -> None:
    """Write for a partner that cannot call POST /v1/pseudonyms/rekey which new pseudonym follows which old.

    What is no pseudonym of the sector, or none that is still taken back, gets an empty second column.
    """
    with _keyring(acting_as) as (keyring, actor):
        count, unusable = _write_mapping(keyring, sector, source, to)
        try:
            keyring.note_rekeyed(actor, sector, reason, count=count, unusable=unusable)
        except BaseException:
            to.unlink()  # no evidence, no mapping
            raise
    print(
        f"{count} pseudonyms of {sector} are in {to}, {unusable} of them unusable. Hand it over and erase it."
    )


def _write_mapping(keyring: SectorKeyring, sector: str, source: Path, to: Path) -> tuple[int, int]:
    keys = keyring.read(sector)
    count = unusable = 0
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with source.open(encoding="ascii") as names, os.fdopen(descriptor, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["old", "new"])
            for name in map(str.strip, names):
                if not name:
                    continue
                count += 1
                try:
                    writer.writerow([name, keys.name(keys.person(name))])
                except UnusablePseudonym:
                    unusable += 1
                    writer.writerow([name, ""])
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnusable(f"{source} or {to}: {type(error).__name__}; {to} must not exist yet.") from None
    return count, unusable
