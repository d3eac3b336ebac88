"""This machine: keys in their folder, room on the disk, certificates that end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from gateway.doctor.findings import Finding, good, graded
from gateway.errors import FileUnusable, GapuraError
from gateway.key_files import read_private
from gateway.keys import Keys
from gateway.master_key import fetch_master_key, load_key_source
from gateway.vitals.machine import disk_of, first_end

_OTHERS = 0o077
_GIB = 2**30
# Below these the next night's log, backup or import may not fit.
_LEAST_FREE_SHARE, _TIGHT_SHARE = 0.05, 0.15
_ENDS_SOON, _ENDS_NOW = timedelta(days=30), timedelta(days=7)


def examine_keys(folder: Path, source: Path | None) -> tuple[Keys | None, Sequence[Finding]]:
    """The keys, if they can be opened as they are, and what is wrong with them if not. Makes none."""
    if problems := list(_key_problems(folder, source)):
        return None, problems
    try:
        keys = Keys.open(folder, None if source is None else fetch_master_key(load_key_source(source)))
    except GapuraError as error:
        do = (
            "Put the file back from its backup, or see to the keeper of the master key; never make a new one."
        )
        return None, [Finding("keys", "wrong", str(error), do)]
    count = sum(1 for one in folder.iterdir() if one.name.startswith("signing-"))
    return keys, [good("keys", f"{folder}: master key, {count} signing keys, readable by their owner alone")]


def examine_disk(home: Path) -> Iterator[Finding]:
    """Room under the home folder."""
    disk = disk_of(home)
    share = disk.free / disk.total
    said = f"{disk.free / _GIB:.1f} GiB free under {home}, {share:.0%}"
    do = "Make room: old backups and exports first. The database's own disk is looked at on its own machine."
    yield graded("disk", said, do, wrong=share < _LEAST_FREE_SHARE, notice=share < _TIGHT_SHARE)


def examine_certificates(files: Sequence[Path], now: datetime) -> Iterator[Finding]:
    """When the certificates of these files end."""
    if not files:
        yield Finding(
            "certificates",
            "notice",
            "no certificate is watched",
            "Name the site's certificate and the authorities of partners in the setting `certificates`.",
        )
    for file in files:
        try:
            end = first_end(file)
        except FileUnusable as error:
            yield Finding("certificates", "wrong", str(error), "Mend the path or the mode of the file.")
        else:
            yield ending_certificate(file.name, end, now)


def ending_certificate(name: str, end: datetime, now: datetime) -> Finding:
    """How long a certificate is good for."""
    left = end - now
    said = f"{name} ends {end:%Y-%m-%d}, in {left.days} days" if left > timedelta() else f"{name} has ended"
    do = "Have it renewed, put it in place, reload nginx, then run this again."
    return graded("certificates", said, do, wrong=left < _ENDS_NOW, notice=left < _ENDS_SOON)


def _key_problems(folder: Path, source: Path | None) -> Iterator[Finding]:
    restore = "Put the key folder back from its backup; a new key would rename every person."
    if not folder.is_dir():
        yield Finding("keys", "wrong", f"there is no folder {folder}", restore)
        return
    if source is None and not Keys.present(folder):
        yield Finding("keys", "wrong", f"{folder} has no master key", restore)
    if not any(one.name.startswith("signing-") for one in folder.iterdir()):
        yield Finding("keys", "wrong", f"{folder} has no key that signs tokens", "Run `gapura keys rotate`.")
    for one in (folder, *sorted(folder.iterdir())):
        yield from _access_problems(one)


def _access_problems(path: Path) -> Iterator[Finding]:
    status, wanted = path.stat(), "0700" if path.is_dir() else "0600"
    if status.st_mode & _OTHERS:
        said = f"{path} has mode {status.st_mode & 0o777:04o}: others than its owner may read it"
        yield Finding("keys", "wrong", said, f"chmod {wanted} {path}, and ask who could read it since when.")
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        said = f"{path} belongs to another account than the one that runs this"
        yield Finding("keys", "wrong", said, f"chown it to the gateway's account: chown gapura {path}")
    elif path.is_file():
        try:
            read_private(path)
        except FileUnusable as error:
            yield Finding("keys", "wrong", str(error), "Put it back from its backup.")
