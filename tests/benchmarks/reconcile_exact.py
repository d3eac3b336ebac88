"""A registry compared with an extract of its size, the differences written; beside the bare join of both.

.venv/bin/python -m tests.benchmarks.reconcile_exact [--count 1000000] [--rounds 3] [--memory 2GB]

Every measurement is a process of its own, so that its peak memory is its own. The anchor is DuckDB's join of
the two Parquet files with seven elements compared for equality and nothing written. All people are invented.
Of 100 people 82 are equal to the byte, 4 are not in the extract, 3 have another state than alive, 6 another
spelling of the name, 4 a placeholder for the mother, and 1 another date of birth. 2 916 different names.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import ibis

from gateway.reconciliation.engines import open_engine
from gateway.reconciliation.statuses import ELEMENTS, Status
from gateway.reconciliation.stepwise import noteworthy
from tests.benchmarks.harness.processor import apart

_FIRST = (
    "['MUHAMMAD', 'SITI', 'BUDI', 'SRI', 'AGUS', 'DEWI', 'EKO', 'NUR', 'RINA', 'JOKO', 'SLAMET', 'AHMAD']"
)
_LAST = "['SANTOSO', 'WIJAYA', 'SUSANTO', 'LESTARI', 'WULANDARI', 'HIDAYAT', 'RAHAYU', 'SETIAWAN', 'KUSUMA']"
_PEOPLE = """
CREATE TEMP MACRO pick(pool, key) AS pool[1 + (hash(key) % len(pool))::BIGINT];
CREATE TEMP TABLE people AS
WITH born AS (
    SELECT i, (DATE '1940-01-01' + (hash(i, 'b') % 28000)::INT)::DATE AS day, hash(i, 's') % 2 = 0 AS man,
        format('35.{{:02d}}.{{:02d}}.{{:04d}}', (1 + hash(i, 'r') % 38)::INT, (1 + hash(i, 'd') % 20)::INT,
            (2001 + hash(i, 'v') % 12)::INT) AS region,
        pick({first}, i) || ' ' || pick({last}, i + 1) || ' ' || pick({last}, i * 7) AS name,
        pick({first}, i * 3) || ' ' || pick({last}, i + 5) AS mother
    FROM range({count}) AS t(i)
)
SELECT *, replace(left(region, 8), '.', '') || lpad((day(day) + IF(man, 0, 40))::VARCHAR, 2, '0')
    || strftime(day, '%m%y')
    || (9000 + row_number() OVER (PARTITION BY left(region, 8), day, man) % 990) AS nik
FROM born;
COPY (SELECT md5(i::VARCHAR)::UUID::VARCHAR AS person_id, nik, nik AS family_card_number,
    CASE WHEN hash(i, 'n') % 100 < 5 THEN replace(name, 'A', 'AA')
        WHEN hash(i, 'n') % 100 < 7 THEN 'Drs. ' || name ELSE name END AS full_name,
    IF(hash(i, 'e') % 100 < 1, day + 30, day)::DATE AS birth_date, 'SURABAYA' AS birth_place,
    IF(man, 'L', 'P') AS sex, IF(hash(i, 'm') % 100 < 4, '-', mother) AS mother_name, region AS region_code
    FROM people) TO '{folder}/registry.parquet' (FORMAT parquet);
COPY (SELECT nik, nik AS family_card_number, name AS full_name, day AS birth_date, 'SURABAYA' AS birth_place,
    IF(man, 'L', 'P') AS sex, mother AS mother_name, region AS region_code,
    coalesce(['deceased', 'moved', 'inactive'][1 + (hash(i, 'p') % 100)::BIGINT], 'alive') AS person_state,
    NULL::DATE AS state_since, DATE '2026-10-01' AS as_of
    FROM people WHERE hash(i, 'x') % 100 >= 4 ORDER BY hash(i))
    TO '{folder}/extract.parquet' (FORMAT parquet);
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="2GB", help="what the comparison may take before it spills")
    parser.add_argument("--measure", choices=("join", "compare", "compare-unchecked"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="keep the files here, and use those that are there")
    arguments = parser.parse_args()
    if arguments.measure:
        _measure(arguments.measure, arguments.folder, arguments.memory)
        return
    with tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "extract.parquet").exists():
            apart(_generate, folder, arguments.count)
        print(f"{arguments.count} x {arguments.count}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        for _ in range(arguments.rounds):
            for name in ("join", "compare", "compare-unchecked"):
                given = ["--measure", name, "--folder", str(folder), "--memory", arguments.memory]
                subprocess.run([sys.executable, "-m", "tests.benchmarks.reconcile_exact", *given], check=True)


def _generate(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"memory_limit": "6GB", "preserve_insertion_order": "false"}) as engine:
        engine.execute(_PEOPLE.format(first=_FIRST, last=_LAST, count=count, folder=folder))


def _measure(name: str, folder: Path, memory: str) -> None:
    begin, cpu = time.perf_counter(), time.process_time()
    rows = _joined(folder) if name == "join" else _compared(folder, memory, once=name == "compare-unchecked")
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:18} {seconds:6.2f} s  {cpu:6.2f} s CPU  {peak:5} MiB  {rows} rows", flush=True)


def _joined(folder: Path) -> int:
    equal = ", ".join(f"sum((r.{name} = e.{name})::INT)" for name in ELEMENTS.values())
    with duckdb.connect(config={"threads": "2"}) as engine:
        found = engine.execute(
            f"SELECT count(*), {equal} FROM '{folder}/registry.parquet' r"  # noqa: S608 - names of our own
            f" LEFT JOIN '{folder}/extract.parquet' e ON r.nik = e.nik"
        ).fetchone()
    return int(found[0]) if found else 0


def _compared(folder: Path, memory: str, *, once: bool) -> int:
    with (
        tempfile.TemporaryDirectory() as spill,
        open_engine(memory_limit=memory, spill=Path(spill)) as engine,
    ):
        registry, extract = (
            engine.read_parquet(str(folder / f"{name}.parquet"), table_name=name)
            for name in ("registry", "extract")
        )
        codes = ibis.schema({"old_code": "string", "new_code": "string"})
        regions = engine.create_table("regions", schema=codes)
        noted = noteworthy(engine, registry, extract, regions, once=once)
        written = folder / f"differences-{os.getpid()}.parquet"
        noted.filter(noted.status != Status.MATCHED).to_parquet(written)
    (rows,) = duckdb.read_parquet(str(written)).count("*").fetchall()
    written.unlink()
    return int(rows[0])


if __name__ == "__main__":
    main()
