"""Why a row was not taken, in words, and the file that says it row by row.

A reason describes the shape of what stood there, never what stood there: the reject file may travel to
people who may not see the row. It is made with mode 0600 all the same.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from gateway.registry.columns import FileColumns

# What is wrong -> in Indonesian, in English.
_REASONS: Mapping[str, tuple[str, str]] = {
    "short": (
        "kolom baris ini lebih sedikit daripada judulnya (mungkin tanda kutip tidak ditutup)",
        "the row has fewer columns than the headings (a quotation mark may be left open)",
    ),
    "long": (
        "kolom baris ini lebih banyak daripada judulnya (mungkin ada pemisah dalam nilai tanpa tanda kutip)",
        "the row has more columns than the headings (a value may hold a delimiter without quotation marks)",
    ),
    "shifted": (
        "kolom bergeser: beberapa nilai tidak sesuai dengan judul kolomnya",
        "the columns are shifted: several values are not what their headings say",
    ),
    "spreadsheet": (
        "nomor dirusak lembar sebar (bentuk pecahan atau eksponen): ekspor ulang kolom ini sebagai teks",
        "a spreadsheet spoilt the number (decimal or exponent form): export this column again as text",
    ),
    "missing": ("kosong, padahal wajib diisi", "empty, and it is needed"),
    "needed": (
        "tanpa kolom ID orang, NIK 16 digit wajib ada",
        "without a column for the person's id a NIK of 16 digits is needed",
    ),
    "repeated": (
        "sudah dipakai baris sebelumnya dalam berkas ini",
        "an earlier row of this file has the same",
    ),
    "shared": (
        "NIK ini milik beberapa orang dalam registri; baris tidak dapat dipasangkan",
        "several people of the registry hold this NIK; the row cannot be matched to one",
    ),
    "long_text": ("lebih panjang dari 200 huruf", "longer than 200 letters"),
    "serial": (
        "angka seri lembar sebar, bukan tanggal: ekspor ulang sebagai TTTT-BB-HH",
        "a spreadsheet's serial number, not a date: export it again as YYYY-MM-DD",
    ),
    "unreadable": (
        "bentuknya tidak dikenal; tulis tanggal TTTT-BB-HH atau HH-BB-TTTT, dan periode seperti 2026-Q3",
        "the form is not known; write a date as YYYY-MM-DD or DD-MM-YYYY, and a period like 2026-Q3",
    ),
    "impossible": (
        "tanggal sebelum 1880 atau sesudah tanggal berkas",
        "a date before 1880 or after the day of the file",
    ),
    "unknown": ("nilainya tidak dikenal untuk kolom ini", "the value is not one that this column knows"),
    "flag": ("bukan Y/T (ya atau tidak)", "neither Y nor T (yes or no)"),
}
# Some reasons need other words for one field.
_REASONS_OF_FIELD: Mapping[str, tuple[str, str]] = {
    "full_name:long": _REASONS["long_text"],
    "sex:unknown": ("bukan L atau P", "neither L nor P"),
    "decile:unknown": (
        "bukan desil 1 sampai 10, dan bukan BELUM DITENTUKAN",
        "not a decile from 1 to 10, and not BELUM DITENTUKAN",
    ),
    "period:missing": (
        "ada desil tetapi tanpa triwulan; isi kolomnya atau pakai --period",
        "there is a decile but no quarter; fill the column or give --period",
    ),
}
# The one fault that only the registry can see.
UNMATCHABLE = "nik:shared"
# Rows are numbered as a spreadsheet that shows the file numbers them.
_HEADINGS = ("row (headings are row 1)", "column", "alasan", "reason")
_HEADING_ROWS = 1
_ROW_AS_A_WHOLE = "row"
# Where the heading is not in the file, the name that the reader will look for.
_USUAL_HEADING = {"dtks_id": "Id_DTKS", "nik": "NIK", "full_name": "Nama", "period": "periode"}

WARNINGS: Mapping[str, str] = {
    "nik:missing": "no NIK",
    "nik:malformed": "a NIK that is not 16 digits; the person was taken without it",
    "family_card_number:none": "no family card, so no household",
    "family_card_number:malformed": "a family-card number that is not 16 digits",
    "region_code:none": "a place that could not be found in the region table",
    "region_code:partial": "a place found only as far as its district or above",
    "family_relation:unknown": "a family relation that is not one of SIAK's",
    "decile:undetermined": "a decile that the file says is not determined yet",
    "decile:empty": "nothing in the column of the decile; what was known of it stays",
    "decile:disputed": "a family with two deciles in one file; its decile is held as undetermined",
}


def reason(problem: str) -> tuple[str, str]:
    """A problem (`field:what`) in Indonesian and in English."""
    return _REASONS_OF_FIELD.get(problem) or _REASONS[problem.partition(":")[2]]


class RejectFile:
    """Writes one line per fault to a CSV of mode 0600; without a fault there is no file."""

    def __init__(self, path: Path | None, columns: FileColumns) -> None:
        self._path = path
        self._columns = columns
        self._file: TextIO | None = None
        if path is not None:
            path.unlink(missing_ok=True)

    def write(self, faults: Iterable[tuple[int, str]]) -> None:
        """Add rows, each with its number (1 is the first after the headings) and its problems."""
        if self._path is None:
            return
        lines = [
            (row + _HEADING_ROWS, self._heading(problem), *reason(problem))
            for row, problems in faults
            for problem in problems.split(",")
        ]
        if not lines:
            return
        if self._file is None:
            opened = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(opened, "w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(_HEADINGS)
        csv.writer(self._file).writerows(lines)

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    def _heading(self, problem: str) -> str:
        field = problem.partition(":")[0]
        if field == _ROW_AS_A_WHOLE:
            return ""
        if field == "dtks_id" and "person_key" in self._columns.heading:
            return self._columns.heading["person_key"]
        return self._columns.heading.get(field) or _USUAL_HEADING.get(field, field)
