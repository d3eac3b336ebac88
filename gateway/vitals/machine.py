"""What this machine has to say of itself: room on its disk, and the ends of the certificates it was shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.errors import FileUnusable
from gateway.vitals.figures import Figure


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the disk under a folder, bytes."""

    total: int
    free: int


def disk_of(folder: Path) -> Disk:
    """Room on the disk under `folder`, or under the nearest that is there above it."""
    there = next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())
    usage = shutil.disk_usage(there)
    return Disk(usage.total, usage.free)


def first_end(file: Path) -> datetime:
    """When the first certificate of a PEM file ends (UTC). Raises FileUnusable."""
    try:
        return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise FileUnusable(
            f"{file} cannot be read as certificates ({type(error).__name__}): expected PEM, readable by the "
            "gateway's account."
        ) from None


def machine_figures(home: Path, certificates: Iterable[Path]) -> Iterator[Figure]:
    """Disk and certificates as figures; a file that cannot be read counts as one that has ended."""
    disk = disk_of(home)
    yield Figure("gapura_disk_bytes", disk.total, {"folder": "home"})
    yield Figure("gapura_disk_free_bytes", disk.free, {"folder": "home"})
    for file in certificates:
        try:
            end_s = first_end(file).timestamp()
        except FileUnusable:
            end_s = 0.0
        yield Figure("gapura_certificate_ends_timestamp_seconds", end_s, {"file": file.name})
