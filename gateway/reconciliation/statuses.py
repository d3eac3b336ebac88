"""What the population register says of a person of the registry, in nine words, and what follows from each.

The words, their order and their labels are said here once: the comparison, the tables, the API and the
reports take them from here. MUST NOT hold more of Dukcapil than such a word: no element stands behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.dictionary import Text

# How the registry names the population register as the source of a status.
SOURCE = "dukcapil"


class Status(StrEnum):
    """The status of one person of the registry in the population register."""

    MATCHED = "matched"
    MATCHED_WITH_DIFFERENCES = "matched_with_differences"
    DECEASED = "deceased"
    MOVED = "moved"
    DUPLICATE = "duplicate"
    INACTIVE = "inactive"
    MALFORMED_NIK = "malformed_nik"
    UNKNOWN_NIK = "unknown_nik"
    NOT_CHECKED = "not_checked"


class Verdict(StrEnum):
    """What an element of the registry is beside the same element of the population register.

    `variant` is the same, written otherwise as people usually do: spelling and titles of a name, day and
    month the other way round, a district's former code. `missing`: one side has nothing to compare.
    """

    SAME = "same"
    VARIANT = "variant"
    DIFFERENT = "different"
    MISSING = "missing"


class PersonState(StrEnum):
    """What the population register says of a person's record. `moved` is also: moved abroad."""

    ALIVE = "alive"
    DECEASED = "deceased"
    MOVED = "moved"
    INACTIVE = "inactive"


# Elements that get a verdict, in the order of the result's columns -> the registry's column.
ELEMENTS: Mapping[str, str] = {
    "name": "full_name",
    "birth_date": "birth_date",
    "birth_place": "birth_place",
    "sex": "sex",
    "region": "region_code",
    "mother_name": "mother_name",
    "family_card": "family_card_number",
}

# Of two that are true of a person, the earlier is said. A record that cannot be found, or is another
# person's, says nothing else; what ends a claim stands before what only moves it.
PRECEDENCE: tuple[Status, ...] = (
    Status.MALFORMED_NIK,
    Status.NOT_CHECKED,
    Status.UNKNOWN_NIK,
    Status.DECEASED,
    Status.DUPLICATE,
    Status.INACTIVE,
    Status.MOVED,
    Status.MATCHED_WITH_DIFFERENCES,
    Status.MATCHED,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A status in words, and what it sets in the registry: column -> word; what is not named stays."""

    label: Text
    meaning: Text
    sets: Mapping[str, str]


MEANINGS: Mapping[Status, Meaning] = {
    Status.MATCHED: Meaning(
        Text("padan", "matched"),
        Text(
            "NIK ditemukan dan tidak ada elemen yang berbeda (ejaan lazim dianggap sama).",
            "The NIK was found and no element differs (usual spellings count as the same).",
        ),
        {"identity_status": "matched", "life_status": "alive", "residence_status": "resident"},
    ),
    Status.MATCHED_WITH_DIFFERENCES: Meaning(
        Text("padan dengan perbedaan", "matched with differences"),
        Text(
            "NIK ditemukan untuk orang ini, tetapi ada elemen yang berbeda; daerah memperbaikinya.",
            "The NIK was found for this person, but elements differ; the regency corrects them.",
        ),
        {"identity_status": "matched", "life_status": "alive"},
    ),
    Status.DECEASED: Meaning(
        Text("meninggal", "deceased"),
        Text(
            "Dukcapil mencatat orang ini meninggal; tidak layak sejak permintaan berikutnya.",
            "Dukcapil records this person as deceased; not eligible from the next request.",
        ),
        {"identity_status": "matched", "life_status": "deceased"},
    ),
    Status.MOVED: Meaning(
        Text("pindah", "moved"),
        Text(
            "Dukcapil mencatat orang ini pindah ke kabupaten/kota lain atau ke luar negeri.",
            "Dukcapil records that this person moved to another regency or abroad.",
        ),
        {"identity_status": "matched", "life_status": "alive", "residence_status": "moved"},
    ),
    Status.DUPLICATE: Meaning(
        Text("ganda", "duplicate"),
        Text(
            "NIK yang sama dipakai beberapa orang dalam registri, atau tercatat ganda di Dukcapil.",
            "Several people of the registry hold the same NIK, or Dukcapil records it twice.",
        ),
        {"identity_status": "duplicate"},
    ),
    Status.INACTIVE: Meaning(
        Text("nonaktif", "inactive"),
        Text(
            "Data kependudukan dinonaktifkan; orangnya perlu datang ke Dinas Dukcapil.",
            "The population record is inactive; the person has to see the local Dukcapil office.",
        ),
        {"identity_status": "unmatched"},
    ),
    Status.MALFORMED_NIK: Meaning(
        Text("NIK tidak sesuai format", "NIK malformed"),
        Text(
            "NIK kosong atau bukan 16 digit menurut susunan NIK.",
            "The NIK is missing, or not 16 digits as a NIK is built.",
        ),
        {"identity_status": "unmatched"},
    ),
    Status.UNKNOWN_NIK: Meaning(
        Text("NIK tidak dikenal", "NIK unknown"),
        Text(
            "NIK tidak ada di Dukcapil, atau milik orang yang jelas berbeda.",
            "Dukcapil does not have the NIK, or it is clearly another person's.",
        ),
        {"identity_status": "unmatched"},
    ),
    Status.NOT_CHECKED: Meaning(
        Text("belum diperiksa", "not yet checked"),
        Text(
            "Belum dapat diperiksa: bagian data Dukcapil belum ada, tidak terbaca, atau tidak jelas.",
            "Not checked yet: a part of Dukcapil's data is absent, unreadable or unclear.",
        ),
        {},
    ),
}

# Who holds one of these is looked for by name: see `linking`.
UNIDENTIFIED = frozenset({Status.MALFORMED_NIK, Status.UNKNOWN_NIK})
