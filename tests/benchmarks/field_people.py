"""Registry and population extract of invented people, as hard to link as the field's, with the truth.

Both sides come from one hidden population: families of villages, with Indonesia's skewed names. The
registry is what a survey wrote of them, with every defect that issue lists name; the truth says who is
whom and which defects a row has. NIK serials lie in 9000 to 9989, which no office issues. MUST NOT be
tuned to a model: a rate changes only because the field is known to be otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import ibis
from faker.providers.person.id_ID import Provider as IndonesianNames

from gateway.registry.regions import known_regions, level_of

TRAINING_SEED = 11
TUNING_SEED = 12
UNSEEN_SEED = 31_337

# Of how many people (or names, or families) each is true.
RATES: Mapping[str, float] = {
    "exact_nik": 0.25,
    "absent": 0.13,
    "not_registered": 0.2,
    "muhammad_name": 0.18,
    "siti_name": 0.12,
    "clan_family": 0.12,
    "namesake": 0.2,
    "family_name": 0.35,
    "twin": 0.04,
    "named_after_father": 0.08,
    "parent_in_family": 0.5,
    "born_first_of_january": 0.3,
    "born_elsewhere": 0.15,
    "moved_wife": 0.2,
    "muhammad": 0.7,
    "clan": 0.35,
    "dropped_part": 0.28,
    "swapped_parts": 0.12,
    "nickname": 0.16,
    "old_spelling": 0.5,
    "mistyped_name": 0.18,
    "title": 0.1,
    "swapped_day_month": 0.06,
    "first_of_january": 0.16,
    "mistyped_date": 0.12,
    "placeholder_mother": 0.3,
    "other_mother": 0.1,
    "mother_spelling": 0.25,
    "mother_part": 0.25,
    "wrong_sex": 0.01,
    "missing_card": 0.3,
    "old_card": 0.3,
    "mistyped_card": 0.03,
}
REFERENCE_DAY = date(2026, 7, 1)
_PEOPLE_PER_FAMILY = 3.6
_FAMILIES_PER_VILLAGE = 120
# The names that most people bear come first; the long tail is faker's.
_COMMON_MALE = (
    *("AGUS", "BUDI", "SLAMET", "SUTRISNO", "AHMAD", "SUPRIYADI", "JOKO", "SUGENG", "RIZKI", "ABDUL"),
    *("EKO", "HERMAN", "SUPARMAN", "WAHYU", "DEDI", "SUYANTO", "SUPARDI", "ANDI", "YUSUF", "MULYADI"),
    *("HASAN", "SYAMSUL", "FAJAR", "RUDI", "ISMAIL", "SUHARTO", "YANTO", "FAUZI", "JAJANG", "CECEP"),
)
_COMMON_FEMALE = (
    *("SRI", "NUR", "DEWI", "SITI", "SUMIATI", "ENDANG", "FATIMAH", "AISYAH", "SULASTRI", "YATI"),
    *("NURHAYATI", "RATNA", "MARYAM", "WATI", "SUPARTI", "JUMIATI", "AMINAH", "KHADIJAH", "LILIS", "YULI"),
)
_SECOND_MALE = ("SANTOSO", "SETIAWAN", "HIDAYAT", "SAPUTRA", "WIJAYA", "SUSANTO", "KURNIAWAN", "RAMADHAN")
_SECOND_FEMALE = ("WAHYUNI", "LESTARI", "HANDAYANI", "RAHAYU", "ASTUTI", "SUSANTI", "PUSPITA", "RAHMAWATI")
_CLANS = ("SIREGAR", "NASUTION", "LUBIS", "HARAHAP", "SINAGA", "SITORUS", "HUTAGALUNG", "SIMANJUNTAK")
_CLANS_OF_FAKER = {"DAMANIK", "SAMOSIR", "SARAGIH", "SITOMPUL", "NAINGGOLAN", "SIHOMBING", "MARPAUNG"}
_PLACEHOLDERS = ("-", "IBU", "TIDAK DIKETAHUI", "NN", "XXX", "ALMARHUMAH", "IBU KANDUNG", "0", "TIDAK ADA")
_VILLAGE = 4
_SQL = Path(__file__).with_name("field_people.sql")


@dataclass(frozen=True, slots=True)
class FieldPeople:
    """Tables `registry`, `extract` and `truth` of one drawn population, in one DuckDB."""

    backend: ibis.backends.duckdb.Backend
    registry: ibis.Table
    extract: ibis.Table
    truth: ibis.Table

    def confirmed(self) -> ibis.Table:
        """`person_id` and `nik` of those whose NIK is theirs, as a perfect exact comparison would tell."""
        truth = self.truth
        return truth.filter(truth.nik_kind == "exact", truth.nik.notnull()).select("person_id", "nik")

    def remainder(self) -> tuple[ibis.Table, ibis.Table]:
        """The rows of both sides that no NIK confirms."""
        confirmed = self.confirmed()
        return self.registry.anti_join(confirmed, "person_id"), self.extract.anti_join(confirmed, "nik")


def draw_field_people(people: int, seed: int, backend: ibis.backends.duckdb.Backend) -> FieldPeople:
    """About `people` people of the population, of whom three in four are registered; same seed, same rows."""
    connection: duckdb.DuckDBPyConnection = backend.con
    families = max(int(people / _PEOPLE_PER_FAMILY), 8)
    villages = _villages(max(families // _FAMILIES_PER_VILLAGE, 2), seed)
    variables = {
        "seed": seed,
        "families": families,
        "village_count": len(villages),
        "reference_day": REFERENCE_DAY,
        "rate": dict(RATES),
        "male_names": _pool(_COMMON_MALE, IndonesianNames.first_names_male),
        "female_names": _pool(_COMMON_FEMALE, IndonesianNames.first_names_female),
        "second_male": _pool(_SECOND_MALE, IndonesianNames.last_names_male),
        "second_female": _pool(_SECOND_FEMALE, IndonesianNames.last_names_female),
        "clans": [*_CLANS, *sorted(_CLANS_OF_FAKER)],
        "placeholders": list(_PLACEHOLDERS),
    }
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = $1", [value])
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE villages AS SELECT unnest(range(len($1))) AS number,"
        " unnest($1) AS code, unnest($2) AS regency",
        [[code for code, _ in villages], [regency for _, regency in villages]],
    )
    for statement in connection.extract_statements(_SQL.read_text(encoding="utf-8")):
        connection.execute(statement.query.replace("CREATE TEMP", "CREATE OR REPLACE TEMP"))
    for name in ("registry", "extract", "truth"):
        connection.execute(f"CREATE OR REPLACE TABLE field_{name} AS FROM {name}")
        connection.execute(f"DROP VIEW {name}")
    for name in ("registry_rows", "elsewhere", "people", "families"):
        connection.execute(f"DROP TABLE {name}")
    return FieldPeople(
        backend, *(backend.table(f"field_{name}") for name in ("registry", "extract", "truth"))
    )


def _villages(count: int, seed: int) -> list[tuple[str, str]]:
    """That many neighbouring villages, from a place that the seed says, each with its regency's name."""
    named = dict(known_regions())
    codes = sorted(code for code in named if level_of(code) == _VILLAGE)
    start = seed * 7919 % len(codes)
    around = [codes[(start + at) % len(codes)] for at in range(count)]
    return [
        (code, named[code[:5]].upper().removeprefix("KABUPATEN ").removeprefix("KOTA ")) for code in around
    ]


def _pool(first: tuple[str, ...], rest: tuple[str, ...]) -> list[str]:
    """The common names, then the others in an order that has nothing to do with the alphabet."""
    others = {name.upper() for name in rest} - set(first) - _CLANS_OF_FAKER - set(_CLANS)
    return [*first, *sorted(others, key=lambda name: (sum(map(ord, name)) * 7919 % 1009, name))]
