"""A small drawn population, linked once for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import ibis
import pytest
from ibis.backends.duckdb import Backend

from gateway.reconciliation.linking.candidates import candidates
from gateway.reconciliation.linking.model import LinkModel, shipped_model
from tests.benchmarks.field_people import FieldPeople, draw_field_people

# Ibis 12 calls DuckDB 2 by names that it means to drop, and pandas 3 by an option likewise.
IBIS_WARNINGS = pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning", "ignore:The 'future.infer_string' option"
)

# Neither the seed of training nor of tuning, nor the one whose figures are printed.
SEED = 77


@dataclass(frozen=True, slots=True)
class Linked:
    """Drawn people, the model, and the candidates that it found, as table `ours` beside the sides."""

    backend: Backend
    people: FieldPeople
    model: LinkModel

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return self.backend.con

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def linked() -> Iterator[Linked]:
    backend = ibis.duckdb.connect(threads=1)
    people = draw_field_people(8_000, SEED, backend)
    registry, extract = people.remainder()
    for name, table in (("registry", registry), ("extract", extract), ("truth", people.truth)):
        backend.create_table(name, table)
    model = shipped_model()
    candidates(backend.table("registry"), backend.table("extract"), model, backend, name="ours")
    yield Linked(backend, people, model)
    backend.disconnect()
