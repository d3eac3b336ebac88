"""Synthetic people: a registry's worth of invented families that looks and errs like a real one.

Every person is marked: the column `Sintetis`, an `Id_DTKS` that says so, and a NIK whose serial is in the
range 9000 to 9989, far above any that an office issues. MUST NOT contain anything taken from a real
person: names are drawn word by word from the pools of `faker`, places from the public code table.
"""

from __future__ import annotations

import os
import re
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
from faker.providers.address.id_ID import Provider as IndonesianAddresses
from faker.providers.person.id_ID import Provider as IndonesianNames

from gateway.errors import BadInput, FileUnusable
from gateway.registry.periods import period_start
from gateway.registry.personas import EXPORT_COLUMNS, PERSONAS
from gateway.registry.regions import known_regions, level_of

PERIOD = "2026-Q3"

# Of how many people each is true. Section 5.5 of the law's own words: the reasons for which lists are
# corrected are death, duplicates, moving away and mismatch with Dukcapil; 90.3 % matched in 2021.
RATES: Mapping[str, float] = {
    "missing_nik": 0.015,
    "malformed_nik": 0.002,
    "duplicate_nik": 0.003,
    "missing_plus_40": 0.005,
    "stale_prefix": 0.01,
    "born_elsewhere": 0.12,
    "swapped_day_month": 0.01,
    "wrong_century": 0.003,
    "misspelt_name": 0.02,
    "single_word_name": 0.15,
    "unmatched": 0.04,
    "not_checked": 0.02,
    "deceased": 0.01,
    "moved": 0.015,
    "not_found": 0.004,
    "inactive": 0.02,
}

# Population by province, Dukcapil, second half of 2024: 284 973 643 in all.
_PROVINCE_POPULATION = {
    "11": 5_623_479,
    "12": 15_640_905,
    "13": 5_820_359,
    "14": 7_099_297,
    "15": 3_834_439,
    "16": 9_064_690,
    "17": 2_127_957,
    "18": 9_144_263,
    "19": 1_549_562,
    "21": 2_271_890,
    "31": 11_038_216,
    "32": 51_316_378,
    "33": 38_430_645,
    "34": 3_743_365,
    "35": 41_919_906,
    "36": 12_881_374,
    "51": 4_375_263,
    "52": 5_751_295,
    "53": 5_700_772,
    "61": 5_646_268,
    "62": 2_825_290,
    "63": 4_305_281,
    "64": 4_123_303,
    "65": 770_627,
    "71": 2_645_291,
    "72": 3_219_494,
    "73": 9_528_276,
    "74": 2_824_589,
    "75": 1_250_960,
    "76": 1_466_741,
    "81": 1_935_586,
    "82": 1_394_231,
    "91": 1_102_360,
    "92": 576_255,
    "93": 562_220,
    "94": 1_369_112,
    "95": 1_470_518,
    "96": 623_186,
}
_OCCUPATIONS = (
    *("BURUH TANI", "BURUH HARIAN LEPAS", "PETANI/PEKEBUN", "NELAYAN", "PEDAGANG", "WIRASWASTA"),
    *("MENGURUS RUMAH TANGGA", "KARYAWAN SWASTA", "SOPIR", "TUKANG BATU", "TUKANG JAHIT"),
    *("ASISTEN RUMAH TANGGA", "BELUM/TIDAK BEKERJA"),
)
_SQL = Path(__file__).with_name("synthetic.sql")
_FORMATS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}
_TAKES_TIME = re.compile(r"^(CREATE TEMP TABLE|COPY)", re.MULTILINE)
_PROGRESS_EVERY_S = 0.2

Progress = Callable[[float], None]


def generate_people(
    path: Path,
    count: int,
    seed: int,
    *,
    population: Path | None = None,
    with_personas: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write `count` invented people to `path`, Parquet or CSV by its extension; the number of rows.

    The same seed gives the same people, row for row, whatever `count` is, except that the last family
    may be cut short; it holds for one version of DuckDB. With `with_personas` the fixed personas come
    first, on top of `count`. `population` is a CSV with columns code, population_male and
    population_female that weighs regencies; without it a regency weighs by its number of villages
    within its province. `progress` gets the share done, 0 to 1. The file appears when it is complete.
    """
    if path.suffix not in _FORMATS:
        raise BadInput(f"{path}: the extension says the format; expected .parquet or .csv")
    if count < 1 or seed < 0:
        raise BadInput("the number of people must be at least 1, and the seed not negative")
    if not path.parent.is_dir():
        raise BadInput(f"{path}: there is no folder {path.parent}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".gapura-") as folder:
        unfinished = Path(folder) / path.name
        with duckdb.connect(config={"temp_directory": folder}) as connection:
            # DuckDB counts its progress only when it may show it; we show our own.
            connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
            _prepare(connection, count, seed, population)
            sql = _SQL.read_text(encoding="utf-8")
            statements = [statement.query for statement in connection.extract_statements(sql)]
            _run_watched(connection, [*statements, _copy(connection, unfinished, with_personas)], progress)
        unfinished.replace(path)
    return count + (len(PERSONAS) if with_personas else 0)


def _prepare(connection: duckdb.DuckDBPyConnection, count: int, seed: int, population: Path | None) -> None:
    """Give DuckDB the variables, pools and region tables that `synthetic.sql` names."""
    pools = {
        "male_names": sorted(set(IndonesianNames.first_names_male)),
        "female_names": sorted(set(IndonesianNames.first_names_female)),
        "last_names": sorted(set(IndonesianNames.last_names)),
        "streets": sorted(set(IndonesianAddresses.streets)),
        "occupations": list(_OCCUPATIONS),
    }
    facts = {"seed": seed, "rows": count, "period": PERIOD, "reference_day": period_start(PERIOD)}
    for name, value in {**pools, **facts, "rate": dict(RATES)}.items():
        connection.execute(f"SET VARIABLE {name} = $1", [value])
    named = dict(known_regions())
    _make_villages(connection, named, _read_weights(population, named))
    _make_districts(connection, named)


def _make_villages(
    connection: duckdb.DuckDBPyConnection, named: Mapping[str, str], weights: Mapping[str, float]
) -> None:
    """The villages of every weighted regency, each with the share of families that live before it."""
    villages = [code for code in named if level_of(code) == 4 and weights.get(code[:5])]  # noqa: PLR2004
    in_regency: dict[str, int] = {}
    for code in villages:
        in_regency[code[:5]] = in_regency.get(code[:5], 0) + 1
    parts = [weights[code[:5]] / in_regency[code[:5]] for code in villages]
    total = sum(parts)
    begins = [begin / total for begin in accumulate(parts, initial=0.0)][:-1]
    columns = [villages, *([named[code[:end]] for code in villages] for end in (13, 8, 5, 2)), begins]
    connection.execute(
        "CREATE TEMP TABLE villages AS SELECT unnest($1) AS code, unnest($2) AS village,"
        " unnest($3) AS district, unnest($4) AS regency, unnest($5) AS province, unnest($6) AS share_from",
        columns,
    )


def _make_districts(connection: duckdb.DuckDBPyConnection, named: Mapping[str, str]) -> None:
    districts = [code for code in named if level_of(code) == 3]  # noqa: PLR2004
    connection.execute(
        "CREATE TEMP TABLE districts AS"
        " SELECT unnest(range(len($1))) AS number, unnest($1) AS prefix, unnest($2) AS regency",
        [[code.replace(".", "") for code in districts], [named[code[:5]] for code in districts]],
    )
    connection.execute("SET VARIABLE district_count = $1", [len(districts)])


def _read_weights(population: Path | None, named: Mapping[str, str]) -> dict[str, float]:
    """The weight of each regency."""
    if population is None:
        villages: dict[str, int] = {}
        for code in named:
            if level_of(code) == 4:  # noqa: PLR2004
                for end in (2, 5):
                    villages[code[:end]] = villages.get(code[:end], 0) + 1
        return {
            code: _PROVINCE_POPULATION[code[:2]] * count / villages[code[:2]]
            for code, count in villages.items()
            if level_of(code) == 2  # noqa: PLR2004
        }
    try:
        rows = duckdb.execute(
            "SELECT code, sum(population_male + population_female)::DOUBLE"
            " FROM read_csv($1, types={'code': 'VARCHAR'}) GROUP BY code",
            [str(population)],
        ).fetchall()
    except duckdb.Error as error:
        raise FileUnusable(
            f"{population}: expected a CSV with the columns code, population_male and population_female"
        ) from error
    weights = {code: weight for code, weight in rows if code in named and level_of(code) == 2 and weight}  # noqa: PLR2004
    if not weights:
        raise FileUnusable(f"{population}: no regency with people in it; expected dotted codes such as 35.78")
    return weights


def _copy(connection: duckdb.DuckDBPyConnection, path: Path, with_personas: bool) -> str:
    """The statement that writes the file, with the personas' rows put in place for it."""
    columns = ", ".join(f'"{name}"' for name in EXPORT_COLUMNS)
    first = ""
    if with_personas:
        said = [persona.row() for persona in PERSONAS]
        rows: list[Any] = [[row.get(name, "") for name in EXPORT_COLUMNS] for row in said]
        connection.execute("SET VARIABLE personas = $1", [rows])
        fields = ", ".join(f'p[{at}] AS "{name}"' for at, name in enumerate(EXPORT_COLUMNS, 1))
        first = f"SELECT {fields} FROM (SELECT unnest(getvariable('personas')) AS p) UNION ALL "  # noqa: S608 - our own column names
    people = f"{first}SELECT {columns} FROM export"  # noqa: S608 - as above
    return f"COPY ({people}) TO '{_quoted(path)}' ({_FORMATS[path.suffix]})"


def _quoted(path: Path) -> str:
    return os.fspath(path).replace("'", "''")


def _run_watched(
    connection: duckdb.DuckDBPyConnection, statements: Sequence[str], progress: Progress | None
) -> None:
    """Run the statements in order, and tell how far they are while they run."""
    finished = Event()
    # Definitions take no time; what is left counts as if all took the same.
    long_ones = [at for at, statement in enumerate(statements) if _TAKES_TIME.search(statement)]
    running = 0

    def watch(tell: Progress) -> None:
        while not finished.wait(_PROGRESS_EVERY_S):
            done = bisect_left(long_ones, running)
            tell(min((done + max(connection.query_progress(), 0.0) / 100) / len(long_ones), 1.0))

    watcher = Thread(target=watch, args=(progress,), name="progress", daemon=True) if progress else None
    if watcher is not None:
        watcher.start()
    try:
        for running, statement in enumerate(statements):  # noqa: B007 - the watcher reads it
            connection.execute(statement)
    finally:
        finished.set()
        if watcher is not None:
            watcher.join()
    if progress is not None:
        progress(1.0)
