"""How two people are compared: the levels of likeness of every trait, and the words for each.

Two kinds of evidence are kept apart. What tells *which person* (name, birth date, NIK, sex) and what tells
*which household* (card, mother, village, birth place): a brother shares the whole second kind, so no
amount of it says which of the children somebody is. Conditions are DuckDB SQL that Splink translates for
other engines, symmetrical in both sides. MUST NOT hold a probability: those are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from splink.comparison_level_library import CustomLevel, ElseLevel
from splink.comparison_library import CustomComparison

from gateway.reconciliation.linking.names import PER_BIT
from policies.dictionary import Text


class Tells(StrEnum):
    """Whom a trait tells apart."""

    PERSON = "person"
    HOUSEHOLD = "household"


@dataclass(frozen=True, slots=True)
class Level:
    """One degree of likeness: its condition on the columns `_l` and `_r`, and what people read."""

    condition: str
    words: Text


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing compared: levels from the most alike to the least; the last is everything else."""

    name: str
    label: Text
    tells: Tells
    missing: str
    levels: tuple[Level, ...]

    def comparison(self) -> CustomComparison:
        """The same for Splink, untrained."""
        *judged, otherwise = self.levels
        return CustomComparison(
            output_column_name=self.name,
            comparison_levels=[
                CustomLevel(self.missing, base_dialect_str="duckdb").configure(
                    is_null_level=True, label_for_charts=_MISSING.en
                ),
                *(
                    CustomLevel(level.condition, level.words.en, base_dialect_str="duckdb")
                    for level in judged
                ),
                ElseLevel().configure(label_for_charts=otherwise.words.en),
            ],
        )

    def words(self, gamma: int) -> Text:
        """What a level is called, by Splink's number: -1 is missing, 0 the least alike."""
        return _MISSING if gamma < 0 else self.levels[len(self.levels) - 1 - gamma].words


_MISSING = Text(id="tidak ada di salah satu pihak", en="missing on either side")


def _either_missing(*columns: str) -> str:
    return " OR ".join(f"{column}_{side} IS NULL" for column in columns for side in "lr")


def _contained(field: str) -> str:
    """All parts of one side are among the other's; the cheap test of one part comes first."""
    return "({})".format(
        " OR ".join(
            f"(list_contains({field}_parts_{other}, {field}_rarest_{one})"
            f" AND list_has_all({field}_parts_{other}, {field}_parts_{one}))"
            for one, other in ("lr", "rl")
        )
    )


def _least_bits(field: str) -> str:
    return f"least({field}_bits_l, {field}_bits_r)"


def _rare_shared(field: str, bits: int) -> str:
    """The rarest part of one side is among the parts of the other, and tells at least that much."""
    return " OR ".join(
        f"({field}_rarest_{one} >= {bits * PER_BIT}"
        f" AND list_contains({field}_parts_{other}, {field}_rarest_{one}))"
        for one, other in ("lr", "rl")
    )


def _alike(field: str, least: float) -> str:
    return f"jaro_winkler_similarity({field}_sounds_l, {field}_sounds_r) >= {least}"


def _part(of: str, start: int, length: int) -> tuple[str, str]:
    return f"substr({of}_l, {start}, {length})", f"substr({of}_r, {start}, {length})"


def _same_part(of: str, start: int, length: int) -> str:
    return " = ".join(_part(of, start, length))


def _digits_apart(of: str, most: int) -> str:
    """One digit mistyped, or two neighbours swapped. An edit distance would cost twenty times as much."""
    return f"(length({of}_l) = length({of}_r) AND hamming({of}_l, {of}_r) <= {most})"


def _trait(
    name: str, label: Text, tells: Tells, columns: Sequence[str], *levels: tuple[str, str, str]
) -> Trait:
    """A trait that is missing where one of `columns` is; a level is a condition with its words, id and en.

    The least alike level is added: whatever fits none of them.
    """
    written = tuple(Level(condition, Text(id_, en)) for condition, id_, en in (*levels, _OTHERWISE))
    return Trait(name, label, tells, _either_missing(*columns), written)


_OTHERWISE = ("", "lain", "different")
_YEARS_APART = "abs(born_year_l - born_year_r)"
_ON_FIRST_OF_JANUARY = "(substr(born_l, 5) = '0101' OR substr(born_r, 5) = '0101')"

_NICKNAME = (
    "starts_with(name_sounds_l, name_sounds_r) OR starts_with(name_sounds_r, name_sounds_l)"
    " OR ends_with(name_sounds_l, name_sounds_r) OR ends_with(name_sounds_r, name_sounds_l)"
    " OR (length(name_sounds_l) <= 4 AND contains(name_sounds_r, name_sounds_l))"
    " OR (length(name_sounds_r) <= 4 AND contains(name_sounds_l, name_sounds_r))"
)
TRAITS: tuple[Trait, ...] = (
    _trait(
        "full_name",
        Text("nama", "name"),
        Tells.PERSON,
        ["name_sounds"],
        ("name_sounds_l = name_sounds_r AND name_bits_l >= 20", "sama, sangat jarang", "same, very rare"),
        ("name_sounds_l = name_sounds_r AND name_bits_l >= 13", "sama, jarang", "same, rare"),
        ("name_sounds_l = name_sounds_r AND name_bits_l >= 8", "sama", "same"),
        ("name_sounds_l = name_sounds_r", "sama, sangat umum", "same, very common"),
        (
            f"{_least_bits('name')} >= 9 AND {_contained('name')}",
            "bagian nama hilang, sisanya jarang",
            "a part is missing, the rest is rare",
        ),
        (_contained("name"), "bagian nama hilang, sisanya umum", "a part is missing, the rest is common"),
        (_alike("name", 0.94), "salah ketik", "a slip of the pen"),
        (_rare_shared("name", 9), "satu bagian yang jarang sama", "one rare part in common"),
        (_alike("name", 0.87), "mirip", "alike"),
        (
            "list_has_any(name_parts_l, name_parts_r)",
            "satu bagian yang umum sama",
            "one common part in common",
        ),
        (_NICKNAME, "mungkin nama panggilan", "perhaps a nickname"),
    ),
    _trait(
        "birth_date",
        Text("tanggal lahir", "birth date"),
        Tells.PERSON,
        ["born"],
        ("born_l = born_r AND substr(born_l, 5) <> '0101'", "sama", "same"),
        ("born_l = born_r", "sama, 1 Januari", "same, 1 January"),
        ("born_key_l = born_key_r", "hari dan bulan tertukar", "day and month swapped"),
        (
            f"{_YEARS_APART} = 0 AND {_ON_FIRST_OF_JANUARY}",
            "1 Januari pada tahun yang sama",
            "1 January of the same year",
        ),
        (
            f"{_YEARS_APART} <= 2 AND {_ON_FIRST_OF_JANUARY}",
            "1 Januari, tahun berdekatan",
            "1 January, within two years",
        ),
        ("hamming(born_l, born_r) <= 1", "satu angka berbeda", "one digit differs"),
        (f"{_YEARS_APART} <= 1", "tahun berdekatan", "within a year"),
        (f"{_YEARS_APART} <= 5", "berselisih hingga 5 tahun", "up to 5 years apart"),
    ),
    _trait(
        "nik",
        Text("NIK", "NIK"),
        Tells.PERSON,
        ["nik"],
        (
            "nik_written_l = nik_written_r",
            "NIK milik orang ini, unsur lain berbeda",
            "this person's NIK, under other elements",
        ),
        ("nik_l = nik_r", "sama kecuali +40 perempuan", "same but for the 40 of women"),
        (
            "length(nik_l) <> length(nik_r) AND (starts_with(nik_l, nik_r) OR starts_with(nik_r, nik_l))",
            "terpotong",
            "cut short",
        ),
        (_same_part("nik", 1, 12), "hanya nomor urut berbeda", "only the serial differs"),
        (_same_part("nik", 7, 10), "hanya kode wilayah berbeda", "only the region differs"),
        (_digits_apart("nik", 2), "salah ketik", "a slip of the pen"),
        (_same_part("nik", 7, 6), "tanggal lahir sama", "same birth date in it"),
    ),
    _trait(
        "sex",
        Text("jenis kelamin", "sex"),
        Tells.PERSON,
        ["sex"],
        ("sex_l = sex_r", "sama", "same"),
    ),
    _trait(
        "mother_name",
        Text("nama ibu", "mother's name"),
        Tells.HOUSEHOLD,
        ["mother_sounds"],
        ("mother_sounds_l = mother_sounds_r AND mother_bits_l >= 13", "sama, jarang", "same, rare"),
        ("mother_sounds_l = mother_sounds_r", "sama, umum", "same, common"),
        (
            f"{_contained('mother')} AND {_least_bits('mother')} >= 8",
            "bagian nama hilang, sisanya jarang",
            "a part is missing, the rest is rare",
        ),
        (_alike("mother", 0.92), "salah ketik", "a slip of the pen"),
        (f"{_contained('mother')} OR {_rare_shared('mother', 8)}", "sebagian sama", "partly the same"),
    ),
    _trait(
        "family_card",
        Text("nomor KK", "family card"),
        Tells.HOUSEHOLD,
        ["card"],
        ("card_l = card_r", "sama", "same"),
        (f"{_same_part('card', 1, 12)} OR {_digits_apart('card', 2)}", "hampir sama", "nearly the same"),
    ),
    _trait(
        "region",
        Text("wilayah", "region"),
        Tells.HOUSEHOLD,
        ["village"],
        ("village_l = village_r", "desa sama", "same village"),
        ("district_l = district_r", "kecamatan sama", "same district"),
        ("regency_l = regency_r", "kabupaten/kota sama", "same regency"),
    ),
    _trait(
        "birth_place",
        Text("tempat lahir", "birth place"),
        Tells.HOUSEHOLD,
        ["place"],
        ("place_l = place_r", "sama", "same"),
        ("jaro_winkler_similarity(place_l, place_r) >= 0.88", "mirip", "alike"),
    ),
)

# Who is compared with whom at all. Each pair is found by the first rule that fits; the sum of what they
# bring is the cost of a run. No rule is so wide that a city of three million makes it explode.
BLOCKS = (
    ("nik_tail",),
    ("nik_head", "name_rarest"),
    ("nik_head", "mother_rarest"),
    ("card", "sex"),
    ("born_key", "name_rarest"),
    ("born_key", "mother_rarest"),
    ("name_sounds", "mother_sounds", "regency"),
    ("name_rarest", "district", "born_year"),
    ("name_rarest", "village"),
    ("mother_rarest", "village", "sex"),
    ("born_key", "district"),
    ("village", "born_year", "initial"),
    ("village", "birthday", "sex"),
)
