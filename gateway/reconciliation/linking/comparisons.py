"""How two people are compared: the levels of likeness of every trait, and the words for each.

Two kinds of evidence are kept apart. What tells *which person* (name, birth date, NIK, sex) and what tells
*which household* (card, mother, village, birth place): a brother shares the whole second kind, so no
amount of it says which of the children somebody is. Conditions are DuckDB SQL that Splink translates for
other engines, symmetrical in both sides. MUST NOT hold a probability: those are trained.
"""

from __future__ import annotations

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


_YEARS_APART = "abs(born_year_l - born_year_r)"
_ON_FIRST_OF_JANUARY = "(substr(born_l, 5) = '0101' OR substr(born_r, 5) = '0101')"

TRAITS: tuple[Trait, ...] = (
    Trait(
        "full_name",
        Text(id="nama", en="name"),
        Tells.PERSON,
        _either_missing("name_sounds"),
        (
            Level(
                "name_sounds_l = name_sounds_r AND name_bits_l >= 20",
                Text(id="sama, sangat jarang", en="same, very rare"),
            ),
            Level(
                "name_sounds_l = name_sounds_r AND name_bits_l >= 13",
                Text(id="sama, jarang", en="same, rare"),
            ),
            Level("name_sounds_l = name_sounds_r AND name_bits_l >= 8", Text(id="sama", en="same")),
            Level("name_sounds_l = name_sounds_r", Text(id="sama, sangat umum", en="same, very common")),
            Level(
                f"{_least_bits('name')} >= 9 AND {_contained('name')}",
                Text(id="bagian nama hilang, sisanya jarang", en="a part is missing, the rest is rare"),
            ),
            Level(
                _contained("name"),
                Text(id="bagian nama hilang, sisanya umum", en="a part is missing, the rest is common"),
            ),
            Level(_alike("name", 0.94), Text(id="salah ketik", en="a slip of the pen")),
            Level(
                _rare_shared("name", 9), Text(id="satu bagian yang jarang sama", en="one rare part in common")
            ),
            Level(_alike("name", 0.87), Text(id="mirip", en="alike")),
            Level(
                "list_has_any(name_parts_l, name_parts_r)",
                Text(id="satu bagian yang umum sama", en="one common part in common"),
            ),
            Level(
                "starts_with(name_sounds_l, name_sounds_r) OR starts_with(name_sounds_r, name_sounds_l)"
                " OR ends_with(name_sounds_l, name_sounds_r) OR ends_with(name_sounds_r, name_sounds_l)"
                " OR (length(name_sounds_l) <= 4 AND contains(name_sounds_r, name_sounds_l))"
                " OR (length(name_sounds_r) <= 4 AND contains(name_sounds_l, name_sounds_r))",
                Text(id="mungkin nama panggilan", en="perhaps a nickname"),
            ),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "birth_date",
        Text(id="tanggal lahir", en="birth date"),
        Tells.PERSON,
        _either_missing("born"),
        (
            Level("born_l = born_r AND substr(born_l, 5) <> '0101'", Text(id="sama", en="same")),
            Level("born_l = born_r", Text(id="sama, 1 Januari", en="same, 1 January")),
            Level("born_key_l = born_key_r", Text(id="hari dan bulan tertukar", en="day and month swapped")),
            Level(
                f"{_YEARS_APART} = 0 AND {_ON_FIRST_OF_JANUARY}",
                Text(id="1 Januari pada tahun yang sama", en="1 January of the same year"),
            ),
            Level(
                f"{_YEARS_APART} <= 2 AND {_ON_FIRST_OF_JANUARY}",
                Text(id="1 Januari, tahun berdekatan", en="1 January, within two years"),
            ),
            Level("hamming(born_l, born_r) <= 1", Text(id="satu angka berbeda", en="one digit differs")),
            Level(f"{_YEARS_APART} <= 1", Text(id="tahun berdekatan", en="within a year")),
            Level(f"{_YEARS_APART} <= 5", Text(id="berselisih hingga 5 tahun", en="up to 5 years apart")),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "nik",
        Text(id="NIK", en="NIK"),
        Tells.PERSON,
        _either_missing("nik"),
        (
            Level(
                "nik_written_l = nik_written_r",
                Text(
                    id="NIK milik orang ini, unsur lain berbeda", en="this person's NIK, under other elements"
                ),
            ),
            Level("nik_l = nik_r", Text(id="sama kecuali +40 perempuan", en="same but for the 40 of women")),
            Level(
                "length(nik_l) <> length(nik_r) AND (starts_with(nik_l, nik_r) OR starts_with(nik_r, nik_l))",
                Text(id="terpotong", en="cut short"),
            ),
            Level(
                f"{_same_part('nik', 1, 12)}",
                Text(id="hanya nomor urut berbeda", en="only the serial differs"),
            ),
            Level(
                f"{_same_part('nik', 7, 10)}",
                Text(id="hanya kode wilayah berbeda", en="only the region differs"),
            ),
            Level(f"{_digits_apart('nik', 2)}", Text(id="salah ketik", en="a slip of the pen")),
            Level(f"{_same_part('nik', 7, 6)}", Text(id="tanggal lahir sama", en="same birth date in it")),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "sex",
        Text(id="jenis kelamin", en="sex"),
        Tells.PERSON,
        _either_missing("sex"),
        (Level("sex_l = sex_r", Text(id="sama", en="same")), Level("", Text(id="lain", en="different"))),
    ),
    Trait(
        "mother_name",
        Text(id="nama ibu", en="mother's name"),
        Tells.HOUSEHOLD,
        _either_missing("mother_sounds"),
        (
            Level(
                "mother_sounds_l = mother_sounds_r AND mother_bits_l >= 13",
                Text(id="sama, jarang", en="same, rare"),
            ),
            Level("mother_sounds_l = mother_sounds_r", Text(id="sama, umum", en="same, common")),
            Level(
                f"{_contained('mother')} AND {_least_bits('mother')} >= 8",
                Text(id="bagian nama hilang, sisanya jarang", en="a part is missing, the rest is rare"),
            ),
            Level(_alike("mother", 0.92), Text(id="salah ketik", en="a slip of the pen")),
            Level(
                f"{_contained('mother')} OR {_rare_shared('mother', 8)}",
                Text(id="sebagian sama", en="partly the same"),
            ),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "family_card",
        Text(id="nomor KK", en="family card"),
        Tells.HOUSEHOLD,
        _either_missing("card"),
        (
            Level("card_l = card_r", Text(id="sama", en="same")),
            Level(
                f"{_same_part('card', 1, 12)} OR {_digits_apart('card', 2)}",
                Text(id="hampir sama", en="nearly the same"),
            ),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "region",
        Text(id="wilayah", en="region"),
        Tells.HOUSEHOLD,
        _either_missing("village"),
        (
            Level("village_l = village_r", Text(id="desa sama", en="same village")),
            Level("district_l = district_r", Text(id="kecamatan sama", en="same district")),
            Level("regency_l = regency_r", Text(id="kabupaten/kota sama", en="same regency")),
            Level("", Text(id="lain", en="different")),
        ),
    ),
    Trait(
        "birth_place",
        Text(id="tempat lahir", en="birth place"),
        Tells.HOUSEHOLD,
        _either_missing("place"),
        (
            Level("place_l = place_r", Text(id="sama", en="same")),
            Level("jaro_winkler_similarity(place_l, place_r) >= 0.88", Text(id="mirip", en="alike")),
            Level("", Text(id="lain", en="different")),
        ),
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
