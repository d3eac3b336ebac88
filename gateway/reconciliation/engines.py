"""The engines that a comparison runs on: DuckDB in this process, or Apache Spark beside it.

DuckDB is the default and spills to disk when the memory that it is given does not do. Spark is an extra: in
this process with `local[N]`, or a cluster over Spark Connect, which needs nothing of it here but its client.
MUST be the only module that knows which engine it is: everything else is expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import ibis
from ibis.backends import BaseBackend
from ibis.expr import types as ir

from gateway.errors import BadInput

EngineName = Literal["duckdb", "spark"]
MEMORY_LIMIT = "2GB"
THREADS = 2


@contextmanager
def open_engine(
    name: EngineName = "duckdb",
    *,
    memory_limit: str = MEMORY_LIMIT,
    threads: int = THREADS,
    remote: str | None = None,
    spill: Path | None = None,
) -> Iterator[BaseBackend]:
    """An engine while the block lasts.

    `memory_limit` and `threads` are of this process, `remote` is the address of a Spark Connect server
    (`sc://host:15002`), which has its own. `spill` is a folder that only the gateway's user may enter: what
    does not fit into memory is written there. Without one nothing is, and too large a comparison fails.
    Raises BadInput where the extra or its Java is not installed, or the engine is not known.
    """
    if name == "duckdb":
        opened = _duckdb(memory_limit, threads, spill)
    elif name == "spark":
        opened = _spark(memory_limit, threads, remote, spill)
    else:
        raise BadInput(f"no engine is called so: expected duckdb or spark, got {len(name)} other letters")
    try:
        yield opened
    finally:
        opened.disconnect()


def kept(engine: BaseBackend, rows: ir.Table, name: str) -> ir.Table:
    """The rows, worked out once and kept in the engine's own memory or spill.

    Until the engine is closed, or others are kept under the name. DuckDB works in batches, and far quicker
    through full ones: rows that are rare among others are worth keeping before anything costly is done to
    them.
    """
    if engine.name == "duckdb":
        return engine.create_table(name, rows, temp=True, overwrite=True)
    return rows.cache()


def _duckdb(memory_limit: str, threads: int, spill: Path | None) -> BaseBackend:
    return ibis.duckdb.connect(
        memory_limit=memory_limit,
        threads=threads,
        temp_directory=str(spill) if spill is not None else "",
        preserve_insertion_order=False,
    )


def _spark(memory_limit: str, threads: int, remote: str | None, spill: Path | None) -> BaseBackend:
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
    except ImportError:
        raise BadInput(
            "the engine spark needs the extra of that name: install gapura[spark]", code="spark_missing"
        ) from None
    builder: Any = SparkSession.builder
    if remote is not None:
        builder = builder.remote(remote)
    else:
        builder = builder.master(f"local[{threads}]").config("spark.driver.memory", _java_size(memory_limit))
        builder = builder.config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
        builder = builder.config("spark.sql.shuffle.partitions", str(threads))
        if spill is not None:
            builder = builder.config("spark.local.dir", str(spill))
    try:
        session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise BadInput(
            f"Spark did not start ({type(error).__name__}): expected Java 17 or later here, or a Spark"
            " Connect server at the address given; install one or the other",
            code="spark_unavailable",
        ) from None
    return ibis.pyspark.connect(session)


def _java_size(size: str) -> str:
    """A size as Java writes it: 2GB is 2g.

    >>> _java_size("2GB")
    '2g'
    """
    return size.strip().lower().removesuffix("b")
