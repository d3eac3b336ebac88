"""What the columns of a registry file mean, however they are spelled.

The flat DTKS export and the DTSEN extracts name the same things differently, and every office that passes
them on renames some. Case, spaces and punctuation of a heading do not matter; the rest is this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import FileUnusable

# Field -> headings, in lower case without anything but letters and digits.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "person_key": ("idart", "idindividu", "idanggotakeluarga", "idanggota"),
    "dtks_id": ("iddtks", "idbdt"),
    "household_key": ("idkeluarga", "idruta", "idrumahtangga"),
    "family_card_number": ("nokk", "nkk", "nomorkk", "nomorkartukeluarga", "nokartukeluarga"),
    "nik": ("nik", "nikart", "nomorindukkependudukan", "noktp", "nonik"),
    "full_name": ("nama", "namalengkap", "namalgkp", "namaart"),
    "birth_date": ("tanggallahir", "tgllahir"),
    "birth_place": ("tempatlahir", "tmptlahir", "tmplahir"),
    "sex": ("jeniskelamin", "jnskelamin", "jenisklmin", "jk", "kelamin", "idjeniskelamin"),
    "mother_name": ("namaibukandung", "ibukandung", "namaibu", "namalgkpibu"),
    "occupation": ("pekerjaan", "jenispekerjaan", "jenispkrjn"),
    "family_relation": ("hubkeluarga", "hubungankeluarga", "hubungandalamkeluarga", "shdk", "stathbkel"),
    "relation_code": ("idhubkepalakeluarga", "idhubkeluarga", "idhubungankeluarga"),
    "address": ("alamat", "alamatlengkap"),
    "hamlet": ("dusun", "lingkungan"),
    "rt": ("rt", "nort"),
    "rw": ("rw", "norw"),
    "province": ("provinsi", "propinsi", "namaprovinsi", "propname", "prov"),
    "regency": (
        "kabupatenkota",
        "kabkota",
        "kabupaten",
        "namakabupaten",
        "namakabupatenkota",
        "kabname",
        "kab",
    ),
    "district": ("kecamatan", "namakecamatan", "kecname", "kec"),
    "village": (
        "desakelurahan",
        "kelurahandesa",
        "desa",
        "kelurahan",
        "namadesa",
        "namakelurahan",
        "kelname",
    ),
    "region_code": ("kodewilayah", "kodedesa", "kodekelurahan", "kodedesakelurahan", "kodekemendagri"),
    "identity_status": ("keteranganpadan", "ketpadan", "padan", "statuspadan", "statuspadandukcapil"),
    "registry_status": ("statusdtsen", "statusdtks", "statusaktif"),
    "presence": ("keberadaan", "statuskeberadaan", "idstatuskeberadaan", "idkeberadaan", "keberadaanart"),
    "welfare_status": ("kelayakan", "statuskelayakan", "statuslayak"),
    "decile": ("desilnasional", "desil", "desilkesejahteraan"),
    "period": ("periode", "period", "periodedesil", "triwulan"),
    "pbi": ("pbijkn", "pbijk", "pbi", "pbiflag", "bansospbi"),
    "pkh": ("bansospkh", "pkh", "pkhflag"),
    "bpnt": ("bansosbpnt", "bpnt", "bpntflag", "sembako", "bansossembako"),
    "bst": ("bansosbst", "bst", "bstflag"),
    "synthetic": ("sintetis", "synthetic"),
}
FIELDS = tuple(_SPELLINGS)
# What a registry file may be, and the word by which the registry knows what such a file said.
FILE_FORMATS = ("dtks", "dtsen")
# What answers rest on most: a file without a column for one of these says nothing of it, for anybody.
_WEIGHTY = ("decile", "pbi", "pkh", "bpnt", "identity_status")
_FIELD_OF = {spelling: field for field, spellings in _SPELLINGS.items() for spelling in spellings}
_NEEDED = ("full_name", "nik")
_NOT_SPELLING = re.compile(r"[^a-z0-9]+")
_WRITTEN = {"full_name": "Nama", "nik": "NIK"}


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Where each field stands in a file: `position` from 0, and its `heading` as the file writes it."""

    position: Mapping[str, int]
    heading: Mapping[str, str]
    ignored: tuple[str, ...]

    @property
    def unstated(self) -> Mapping[str, str]:
        """Weighty fields for which the file has no column, each with a heading that would be understood."""
        return {field: _SPELLINGS[field][0] for field in _WEIGHTY if field not in self.position}

    @property
    def file_format(self) -> str:
        """`dtks` when people carry an id of the registry, `dtsen` when only their NIK tells them apart."""
        return "dtks" if {"dtks_id", "person_key"} & self.position.keys() else "dtsen"


def recognise(file_name: str, headings: Sequence[str]) -> FileColumns:
    """Say what each column holds; FileUnusable when a needed one is missing or two claim the same."""
    position: dict[str, int] = {}
    ignored: list[str] = []
    for at, heading in enumerate(headings):
        field = _FIELD_OF.get(_NOT_SPELLING.sub("", heading.lower()))
        if field is None:
            ignored.append(heading.strip() or f"(column {at + 1}, without a heading)")
        elif field in position:
            raise FileUnusable(
                f"{file_name}: the columns {headings[position[field]]!r} and {heading!r} mean the same; "
                "keep one"
            )
        else:
            position[field] = at
    if missing := [_WRITTEN[field] for field in _NEEDED if field not in position]:
        raise FileUnusable(
            f"{file_name}: no column for {' and '.join(missing)}. Found: {', '.join(headings) or 'nothing'}. "
            "Expected the DTKS flat export or a DTSEN extract of persons, with its headings in the first row."
        )
    return FileColumns(
        position, {field: headings[at].strip() for field, at in position.items()}, tuple(ignored)
    )
