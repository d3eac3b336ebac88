"""DuckDB and Spark say the same of the same rows, however adverse; one Spark for the whole process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import BadInput
from gateway.reconciliation.duplicates import one_person_with_several_niks, people_with_one_nik
from gateway.reconciliation.engines import open_engine
from gateway.reconciliation.stepwise import compared
from tests.gateway.reconciliation.invented_pairs import EXTRACT, REGISTRY, invented, tables

pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
    # What Spark's own Python says of pandas, of sockets that it leaves to the end, and of its own future.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def hasty_java() -> Iterator[None]:
    """What runs for seconds need not be compiled well: that would take as long again."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture(scope="module")
def spark(hasty_java: None) -> Iterator[Any]:  # noqa: ARG001 - it starts so
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: apt-get install openjdk-17-jre-headless")
    with open_engine("spark", threads=2, memory_limit="1GB") as opened:
        # Compiling so large a plan to Java costs a minute, and running it over these few rows nothing.
        opened.raw_sql("SET spark.sql.codegen.wholeStage=false")
        opened.raw_sql("SET spark.sql.adaptive.enabled=false")
        opened.raw_sql("SET spark.sql.shuffle.partitions=1")
        opened.raw_sql("SET spark.sql.codegen.factoryMode=NO_CODEGEN")
        yield opened


def _spark_tables(spark: Any, duckdb: Any, folder: Any, given: list[Any]) -> list[Any]:
    """The same rows for both, through Parquet files."""
    read = []
    for table, name in zip(given, ("registry", "extract", "regions"), strict=True):
        duckdb.to_parquet(table, folder / f"{name}.parquet")
        read.append(spark.read_parquet(str(folder / f"{name}.parquet"), table_name=name))
    return read


def _rows(engine: Any, table: Any) -> list[tuple[Any, ...]]:
    rows = engine.to_pyarrow(table.select(sorted(table.columns))).to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=repr)


def test_both_engines_say_the_same_of_adverse_rows(spark: Any, tmp_path: Any) -> None:
    registry, extract = invented(seed=5, families=250)
    assert {*registry[0]} == {*REGISTRY}
    assert {*extract[0]} == {*EXTRACT}
    with open_engine(threads=1) as duckdb:
        here = tables(duckdb, registry, extract)
        there = _spark_tables(spark, duckdb, tmp_path, here)
        assert _rows(duckdb, compared(duckdb, *here)) == _rows(spark, compared(spark, *there))
        for found in (people_with_one_nik, one_person_with_several_niks):
            expected = _rows(duckdb, found(here[0]))
            assert expected
            assert expected == _rows(spark, found(there[0]))


def test_an_engine_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="expected duckdb or spark"), open_engine("polars"):  # type: ignore[arg-type]
        pass
