"""Why a feature or a row was not taken, in words, and the file that says it one by one.

The file names codes and reasons. It MUST NOT hold a geometry or a value: both may be whatever a broken map
or table put there.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

# Reason -> in Indonesian, in English.
REASONS: Mapping[str, tuple[str, str]] = {
    "no_feature": ("bukan fitur GeoJSON dengan properti", "not a GeoJSON feature with properties"),
    "no_code": ("tanpa kode wilayah", "without a region code"),
    "not_text": (
        "kode atau nama bukan teks; sebagai angka, kode kehilangan digit",
        "the code or name is no text; as a number, a code loses digits",
    ),
    "bad_code": (
        "bukan kode Kemendagri bertitik untuk tingkat ini, seperti 35.78",
        "not a dotted Kemendagri code of this level, such as 35.78",
    ),
    "contradiction": ("dua keterangan yang saling bertentangan", "two statements that contradict each other"),
    "not_in_region": ("di luar wilayah yang diminta", "outside the region that was asked for"),
    "no_name": ("tanpa nama", "without a name"),
    "no_geometry": ("tanpa geometri", "without a geometry"),
    "bad_geometry": ("geometri tidak dapat dipakai", "the geometry cannot be used"),
    "not_in_indonesia": (
        "terletak di luar Indonesia; mungkin sumbu tertukar atau bukan WGS 84",
        "it lies outside Indonesia; perhaps the axes are swapped, or it is not WGS 84",
    ),
    "short_row": ("baris tanpa kode dan nilai", "a row without a code and a value"),
    "unknown_value": ("nilai ini tidak dikenal untuk tema ini", "the theme knows no such value"),
    "repeated": ("kode ini muncul dengan dua nilai", "this code comes with two values"),
}
_HEADINGS = ("number", "code", "alasan", "reason", "detail")


class RejectFile:
    """Writes one line per rejected feature or row to a CSV of mode 0600; without any there is no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, number: int, code: str | None, reason: str, detail: str = "") -> None:
        """Add what was rejected: its place, counted from 1, the code it claims, and a key of REASONS."""
        if self._file is None:
            opened = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(opened, "w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(_HEADINGS)
        csv.writer(self._file).writerow((number, code or "", *REASONS[reason], detail))
