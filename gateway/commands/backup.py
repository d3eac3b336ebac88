"""`gapura backup`: make, list, check and remove backups, and take PostgreSQL's log into the archive."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pyrage.x25519 import Identity as PrivateKey
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.backup import encryption
from gateway.backup.pruning import prune as prune_folder
from gateway.backup.sets import BackupFolder, BackupSet
from gateway.backup.wal_archive import WalArchive
from gateway.errors import SettingsInvalid
from gateway.key_files import read_private
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    # PostgreSQL's server starts `wal` for every segment of its log: it must not wait for what others need.
    from gateway.backup.making import Site

app = typer.Typer(
    help="Backups of the database, of PostgreSQL's log between them, and of the keys: all encrypted.\n\n"
    "Once: `new-key` on a machine that is not the gateway's, its public key into GAPURA_BACKUP_RECIPIENTS, "
    "a folder into GAPURA_BACKUP_FOLDER, `archive_command` into PostgreSQL "
    "(deploy/postgresql/archive.conf), and the timers of deploy/systemd. Then `make` runs by itself; look "
    "at `list` now and then, and try `gapura restore` on another machine before you need it.",
    no_args_is_help=True,
)

_SetId = Annotated[
    str | None,
    typer.Argument(metavar="SET", help="As `list` shows it; default the newest.", show_default=False),
]
Identity = Annotated[
    Path | None,
    typer.Option(
        help="File of mode 0600 with the private key; its passphrase is asked for.", show_default=False
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File of mode 0600 with the passphrase, where nobody can be asked.", show_default=False
    ),
]
Progressed = Callable[[str, int, int], None]


@app.command()
def make(
    keys_only: Annotated[
        bool,
        typer.Option("--keys-only", help="The keys alone, and only if the newest backup has others."),
    ] = False,
) -> None:
    """Back up the database and the keys as they are now, while everything serves on.

    Ends with 0 only when the set is whole and on the disk; one that was interrupted does not count and is
    removed by the next. The audit log gets an entry that names the set by its SHA-256.
    """
    from gateway.backup.making import make_key_set, make_set  # noqa: PLC0415 - see above
    from gateway.database import Database  # noqa: PLC0415
    from gateway.staff.roles import INSTALLATION  # noqa: PLC0415

    settings = load_settings()
    folder = BackupFolder.named(settings.backup_folder)
    recipients = encryption.recipients_of(settings.backup_recipients)
    site = site_of(settings)
    if keys_only:
        made = make_key_set(site, folder, recipients, clock=_now)
        print(_told(made) if made else "The newest backup has these keys already.")
        return
    database = Database(settings.session_database_url)
    try:
        with progress_bars() as progress:
            made = make_set(
                site, database, folder, recipients, actor=INSTALLATION, clock=_now, progress=progress
            )
    finally:
        database.close()
    print(_told(made))


@app.command("list")
def list_sets() -> None:
    """Show every backup, oldest first, and to which moment the newest one can be taken."""
    folder = BackupFolder.named(load_settings().backup_folder)
    every = folder.all()
    for one in every:
        manifest = one.manifest
        size = sum(file.bytes for file in manifest.files)
        log = f"log of {manifest.log.size} entries" if manifest.log else ""
        print(
            f"{manifest.id}  {manifest.kind:10}  {manifest.ended_at:%Y-%m-%d %H:%M:%S} UTC  {size:>14} bytes "
            f" {log}"
        )
    if not every:
        print(f"{folder.sets} holds no backup.")
        return
    notes = WalArchive(folder.wal).notes.values()
    if newest := max((note.completed_at for note in notes), default=None):
        print(f"PostgreSQL's log is archived up to {newest:%Y-%m-%d %H:%M:%S} UTC.")


@app.command()
def verify(set_id: _SetId = None, identity: Identity = None, passphrase_file: PassphraseFile = None) -> None:
    """Check a backup without restoring it, and the archived log from it on.

    Without a private key: that every file is the one that was made, and that no segment of the log is
    missing. With one: that everything decrypts, and holds what PostgreSQL says it holds.
    """
    from gateway.backup.checking import check_set  # noqa: PLC0415 - see above

    settings = load_settings()
    folder = BackupFolder.named(settings.backup_folder)
    one = folder.get(set_id) if set_id else folder.newest_with_database()
    identities = read_private_key(identity, passphrase_file) if identity else ()
    with progress_bars() as progress:
        sound = check_set(folder, one, identities, settings.home, progress)
    how = "Every file decrypts and is whole" if sound.decrypted else "Every file is the one that was made"
    print(f"{one.manifest.id}: {how}. SHA-256 of its manifest: {one.seal}")
    if sound.whole_to:
        print(
            f"The database can be restored to {sound.whole_to:%Y-%m-%d %H:%M:%S} UTC, with {sound.segments} "
            "files of the archived log."
        )


@app.command()
def prune(
    keep_days: Annotated[
        int | None, typer.Option(min=1, help="Default: GAPURA_BACKUP_KEEP_DAYS, which is 35 if not set.")
    ] = None,
) -> None:
    """Remove backups that are older, and the archived log that only they needed.

    The newest backup of the database and the newest of the keys stay, however old. What was erased from the
    database lives on in its backups until here: do not keep them for longer than you must.
    """
    settings = load_settings()
    folder = BackupFolder.named(settings.backup_folder)
    pruned = prune_folder(folder, keep_days or settings.backup_keep_days, _now())
    print(f"Removed {len(pruned.sets)} backups and {pruned.segments} files of the archived log.")
    if pruned.from_moment:
        print(f"The database can be restored from {pruned.from_moment:%Y-%m-%d %H:%M:%S} UTC on.")


@app.command()
def wal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PostgreSQL's %p.", show_default=False)],
) -> None:
    """Take one file of PostgreSQL's write-ahead log into the archive: for `archive_command`.

    Runs on the database's machine, as its account, and needs GAPURA_BACKUP_FOLDER and
    GAPURA_BACKUP_RECIPIENTS alone. The same file again is no error; another one of the same name is.
    """
    settings = load_settings()
    recipients = encryption.recipients_of(settings.backup_recipients)
    folder = BackupFolder.named(settings.backup_folder)
    folder.wal.mkdir(mode=0o750, parents=True, exist_ok=True)
    WalArchive(folder.wal).add(file, recipients)


@app.command("new-key")
def new_key(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write the private key.", show_default=False)
    ],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a key for backups, locked with a passphrase. Run it where the gateway is not.

    One person keeps the file and another the passphrase: then neither alone can read a backup. Make two keys
    and give both public ones to GAPURA_BACKUP_RECIPIENTS: each alone opens, so that losing one loses nothing.
    """
    if passphrase_file:
        passphrase = read_passphrase(passphrase_file)
    else:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    public = encryption.make_identity(file, passphrase)
    print(f"{file} is the private key: keep it apart from the gateway and from the backups.")
    print(f"GAPURA_BACKUP_RECIPIENTS: {public}")


def site_of(settings: Settings) -> Site:
    """What there is to back up, as the settings say."""
    from gateway.backup.making import Site  # noqa: PLC0415 - see above

    own = os.environ.get("GAPURA_SETTINGS_FILE")
    named = {
        "settings_file": Path(own) if own else None,
        "sources": settings.sources_file,
        "key_source": settings.key_source,
        "registry_file": settings.registry_file,
        "former_regions": settings.former_regions,
        "oidc_client_secret_file": settings.oidc_client_secret_file,
    }
    url = settings.session_database_url
    if not url.startswith("sqlite"):
        url = settings.backup_database_url or url
    return Site(
        keys=settings.home / "keys",
        settings_files={name: path for name, path in named.items() if path is not None},
        database_url=url,
    )


def read_private_key(identity: Path, passphrase_file: Path | None) -> list[PrivateKey]:
    """The private keys of a file, its passphrase read or asked for if it has one."""

    def passphrase() -> str:
        if passphrase_file:
            return read_passphrase(passphrase_file)
        asked: str = typer.prompt(f"Passphrase of {identity}", hide_input=True, err=True)
        return asked

    return encryption.read_identities(identity, passphrase)


def read_passphrase(file: Path) -> str:
    """The first line of a private file. Raises SettingsInvalid for an empty one."""
    passphrase = read_private(file).strip()
    if not passphrase:
        raise SettingsInvalid([f"{file}: expected a passphrase, got nothing"])
    return passphrase


@contextmanager
def progress_bars() -> Iterator[Progressed]:
    """A bar for each thing that is under way, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def moved(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None)
            bars.update(tasks[what], completed=done, total=total or None)  # type: ignore[arg-type]

        yield moved


def _told(made: BackupSet) -> str:
    manifest = made.manifest
    size = sum(file.bytes for file in manifest.files)
    log = ""
    if manifest.log:
        names = ", ".join(manifest.log.cosigned_by) or "nobody"
        log = f"\nIt holds the log's checkpoint of {manifest.log.size} entries, cosigned by {names}."
    return (
        f"{made.path}: {size} bytes in {len(manifest.files)} files. SHA-256 of its manifest: {made.seal}{log}"
    )


def _now() -> datetime:
    return datetime.now(UTC)
