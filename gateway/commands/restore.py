"""`gapura restore`: put a backup back, then have the log judged and go on honestly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit.signing import cosignature_line
from gateway.audit.transparency import TransparentLog, open_log
from gateway.backup.aftermath import (
    Standing,
    Undone,
    judge,
    missing_salts,
    record_restore,
    undo_what_must_not_come_back,
)
from gateway.backup.key_copy import names_in
from gateway.backup.later_log import LostAct, lost_acts
from gateway.backup.restoring import find_way, restore_keys, restore_postgres, restore_sqlite
from gateway.backup.sets import BackupFolder, BackupSet
from gateway.backup.wal_archive import WalArchive
from gateway.commands.backup import PassphraseFile, progress_bars, read_private_key
from gateway.commands.opening import opened_database
from gateway.database import Database
from gateway.errors import BadInput
from gateway.installation import open_keys
from gateway.keys import Keys
from gateway.pseudonyms.sector_keys import SectorKeyring
from gateway.settings import Settings, load_settings
from gateway.staff.accounts import StaffAccounts
from gateway.staff.acts import record_in_audit_log
from gateway.staff.roles import INSTALLATION, Staff

app = typer.Typer(
    help="Put a backup back where nothing is, and go on.\n\n"
    "In this order, with no gateway serving: `keys` on the gateway's machine, `database` on the database's, "
    "start PostgreSQL and wait until it takes writes, then `finish`, which says what was lost. Start the "
    "gateway only after `finish` ended with 0. Nothing is ever written over: move what is left away first, "
    "and keep it.",
    no_args_is_help=True,
)

_From = Annotated[
    Path | None,
    typer.Option(
        "--from", help="The folder of the backups; default GAPURA_BACKUP_FOLDER.", show_default=False
    ),
]
_SetId = Annotated[
    str | None, typer.Option("--set", help="As `gapura backup list` shows it; default the newest that fits.")
]
_Identity = Annotated[
    Path,
    typer.Option(
        help="File of mode 0600 with a private key; its passphrase is asked for.", show_default=False
    ),
]


@app.command()
def keys(
    identity: _Identity,
    set_id: _SetId = None,
    backups: _From = None,
    into: Annotated[
        Path | None, typer.Option(help="An empty or missing folder; default keys/ of GAPURA_HOME.")
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Put the keys back, each with mode 0600, and the settings files of then beside them to compare.

    Take the newest backup of them, whatever moment the database is restored to: newer keys open everything
    that older ones do.
    """
    settings = load_settings()
    folder = _folder(settings, backups)
    one = folder.get(set_id) if set_id else folder.newest_with_keys()
    place = into or settings.home / "keys"
    beside = place.with_name("settings-of-the-backup")
    restored = restore_keys(one, read_private_key(identity, passphrase_file), place, beside)
    print(
        f"{len(restored)} key files of {one.manifest.id} are in {place}; the settings of then are in "
        f"{beside}: compare, then remove it."
    )


@app.command()
def database(
    into: Annotated[
        Path,
        typer.Option(
            help="PostgreSQL's data folder, empty or missing; for SQLite the database file.",
            show_default=False,
        ),
    ],
    identity: _Identity,
    set_id: _SetId = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="The moment to go back to, with its offset, such as 2026-11-22T10:00+07:00; default as "
            "late as the archive leads."
        ),
    ] = None,
    timeline: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Which history to follow, where an earlier restore began another one; default the latest.",
        ),
    ] = None,
    as_copy: Annotated[
        bool,
        typer.Option("--copy", help="To look into, beside the real one: this server archives nothing."),
    ] = False,
    backups: _From = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Put the database back, on its own machine, with PostgreSQL stopped.

    As root, what is restored is given to whoever owns the folder around it. Every hash is checked before
    anything is written; when anything fails, nothing is left behind.
    """
    folder = _folder(load_settings(), backups)
    until = None if to is None else _moment(to)
    one = folder.get(set_id) if set_id else folder.newest_with_database(ended_by=until)
    identities = read_private_key(identity, passphrase_file)
    if one.manifest.kind == "sqlite":
        if until is not None:
            raise BadInput("SQLite has no log to replay: leave --to out, and name a set with --set.")
        restore_sqlite(one, identities, into)
        print(
            f"{into} is whole to {one.manifest.begun_at:%Y-%m-%d %H:%M:%S} UTC. Now `gapura restore finish`."
        )
        return
    archive = WalArchive(folder.wal)
    way = find_way(one, archive, until, timeline, as_copy=as_copy)
    with progress_bars() as progress:
        restore_postgres(one, archive, way, identities, into, progress)
    end = way.until or way.whole_to
    print(
        f"{into} holds the set {one.manifest.id} and {len(way.names)} files of the archived log. Start "
        f"PostgreSQL {one.manifest.position.server_version if one.manifest.position else ''} on it: it "
        f"recovers to {end:%Y-%m-%d %H:%M:%S} UTC and takes writes then. What was acknowledged later than "
        "that may be lost. Then `gapura restore finish`."
    )


_Reason = Annotated[str, typer.Option(help="Why, for the audit log; a reference.", show_default=False)]
_Checkpoints = Annotated[
    list[Path] | None,
    typer.Option(help="A checkpoint that was kept elsewhere, best the last cosigned one; repeatable."),
]
_NoCheckpoint = Annotated[
    bool, typer.Option("--no-checkpoint", help="Nobody kept one: a rolled-back log cannot be noticed.")
]
_AcceptLoss = Annotated[
    bool,
    typer.Option(
        "--accept-loss", help="Go on although signed entries are lost: under a new name of the log."
    ),
]
_LaterLog = Annotated[
    Path | None,
    typer.Option(help="A dump of the log as it was later (`gapura audit dump`): says what was lost."),
]
_RestoredSet = Annotated[
    str | None,
    typer.Option("--set", help="The set that was restored: was it made here? The log's later part says."),
]
_ActingAs = Annotated[
    str | None, typer.Option("--as", help="The staff account as whom you act; none means the installation.")
]


@app.command()
def finish(
    reason: _Reason,
    checkpoint: _Checkpoints = None,
    no_checkpoint: _NoCheckpoint = False,
    accept_loss: _AcceptLoss = False,
    later_log: _LaterLog = None,
    set_id: _RestoredSet = None,
    backups: _From = None,
    acting_as: _ActingAs = None,
) -> None:
    """Check what came back, undo what must not come back with it, and write the restore down in the log.

    Run it as the role that owns the tables (GAPURA_DATABASE_URL), before any gateway serves. It recomputes
    the whole log and compares it with the checkpoints that you give; ends every session, has every token
    refused that was issued before, and erases again what was ordered erased. Ends with 1, and changes none
    of that, when the log is not sound or is behind a checkpoint that others hold.
    """
    kept = _kept(checkpoint, no_checkpoint=no_checkpoint)
    settings = load_settings()
    one = _named_set(settings, backups, set_id)
    with opened_database() as opened:
        found = open_keys(opened, settings.home / "keys", settings.key_source)
        actor = _actor(opened, acting_as)
        log = open_log(opened, found, settings.issuer, _now)
        with progress_bars() as progress:
            standing = judge(opened, log, kept, one, lambda done, all_: progress("log", done, all_))
        _tell_standing(log, standing, kept)
        _tell_salts(opened, settings, found, backups)
        if not standing.is_sound or (standing.ahead and not accept_loss):
            raise typer.Exit(1)
        lost = lost_acts(opened, later_log, log.keyring.verifiers()) if later_log else []
        undone = undo_what_must_not_come_back(opened, log, found, lost, actor, _now)
        name = record_restore(opened, found, log, standing, one, actor=actor, reason=reason, clock=_now)
    _tell_undone(undone)
    _tell_lost(lost, known=later_log is not None)
    print(
        f"The restore is in the log {name}, and signed. The gateway may serve, but no sooner than six "
        "minutes after the last one stopped: until then, what was used once could be used again."
    )


def _kept(checkpoints: list[Path] | None, *, no_checkpoint: bool) -> list[str]:
    """The notes that others kept. Raises BadInput where there is none and nobody says so."""
    if not checkpoints and not no_checkpoint:
        raise BadInput(
            "--checkpoint: expected a checkpoint from a witness or a partner; only it shows whether signed "
            "entries were lost. If nobody has one, say --no-checkpoint."
        )
    return [path.read_text(encoding="utf-8") for path in checkpoints or ()]


def _tell_undone(undone: Undone) -> None:
    print(
        f"{undone.sessions} sessions ended, tokens of {undone.keys} keys refused, {undone.erased} entries "
        "erased again under their orders."
    )


def _tell_standing(log: TransparentLog, standing: Standing, kept: list[str]) -> None:
    newest = f"{standing.newest_at:%Y-%m-%d %H:%M:%S} UTC" if standing.newest_at else "never"
    print(f"The log {log.origin} has {standing.entries} entries, the newest of {newest}.")
    if standing.replayed_to:
        print(f"PostgreSQL replayed up to {standing.replayed_to:%Y-%m-%d %H:%M:%S} UTC.")
    if standing.vouched:
        print("The log names the restored set by its SHA-256.")
    for problem in _problems(standing):
        _warn(f"{problem} Keep this copy as it is, and restore another set.")
    for note in kept:
        witnesses = [key.name for key in log.ledger.witnesses() if cosignature_line(note, key)]
        print(f"A kept checkpoint is cosigned by {', '.join(witnesses) or 'nobody who is known here'}.")
    if standing.ahead:
        _warn(
            f"THE LOG HAS BEEN ROLLED BACK: a checkpoint that others hold covers {standing.lost} entries "
            "that are not here.\n"
            f"LOG TELAH MUNDUR: checkpoint yang dipegang pihak lain mencakup {standing.lost} catatan yang "
            "tidak ada di sini.\n"
            "Restore to a later moment, if the archive leads there. If it does not, `gapura restore finish "
            "--accept-loss` goes on under a new name of the log, which says what was lost: tell the "
            "witnesses, who must be given the new key, and every partner, whose receipts prove what you have "
            "lost."
        )
    elif standing.is_sound:
        print(
            f"It is sound: {standing.report.entries} entries agree with {standing.report.checkpoints} "
            "checkpoints."
        )


def _problems(standing: Standing) -> Iterator[str]:
    if finding := standing.report.finding:
        yield f"THE LOG IS NOT SOUND: {finding}."
    for one in standing.contradicted:
        yield f"THE LOG IS ANOTHER ONE: its first {one.size} entries are not those that were signed."
    if standing.vouched is False:
        yield "THE LOG NAMES ANOTHER SET UNDER THIS NAME: somebody has changed the backup."


def _tell_salts(opened: Database, settings: Settings, found: Keys, backups: Path | None) -> None:
    folder = settings.home / "keys"
    keyring = SectorKeyring(opened, folder, found.master, _now)
    for name in missing_salts(keyring, names_in(folder)):
        root = backups or settings.backup_folder
        every = BackupFolder(root).all() if root else []
        holding = [one.manifest.id for one in every if name in one.manifest.key_files]
        where = f"It is in the backup {holding[-1]}." if holding else "No backup that is here has it."
        _warn(f"{folder / name} is missing: pseudonyms of its sector are refused without it. {where}")


def _tell_lost(lost: list[LostAct], *, known: bool) -> None:
    if not known:
        print(
            "Accounts, API tokens, consumers, agreements and keys stand as they did then: what was ended "
            "since is in force again. Look through them, or give --later-log if the log of later can be had."
        )
    for one in lost:
        print(f"  lost: {one.at}  {one.act}  {one.object}  by {one.actor}  ({one.reason})")
    if lost:
        print("Have these acts done again by whoever may; erasures are done.")


def _named_set(settings: Settings, backups: Path | None, set_id: str | None) -> BackupSet | None:
    return _folder(settings, backups).get(set_id) if set_id else None


def _folder(settings: Settings, backups: Path | None) -> BackupFolder:
    return BackupFolder.named(backups or settings.backup_folder)


def _moment(text: str) -> datetime:
    problem = "--to: expected a moment with its offset from UTC, such as 2026-11-22T10:00+07:00."
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(problem) from None
    if moment.tzinfo is None:
        raise BadInput(problem)
    return moment.astimezone(UTC)


def _actor(opened: Database, acting_as: str | None) -> Staff:
    if acting_as is None:
        return INSTALLATION
    return StaffAccounts(opened, _now, record_in_audit_log).on_console(acting_as, "operator", "auditor")


def _warn(words: str) -> None:
    sys.stderr.write(f"gapura: {words}\n")


def _now() -> datetime:
    return datetime.now(UTC)
