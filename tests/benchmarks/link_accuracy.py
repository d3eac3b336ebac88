"""How right links are, measured against the truth of the drawn people; shared by benchmark and test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
from ibis.backends.duckdb import Backend

# One link per person: of the plain model its best pair, of ours what it proposes to accept.
_ACCEPTED = {
    "plain": "SELECT person_id, arg_max(nik, weight) AS nik FROM plain GROUP BY person_id",
    "ours": "SELECT person_id, nik FROM ours WHERE proposal = 'accept'",
}
_RANKED = {
    "plain": "SELECT person_id, nik, row_number() OVER best AS rank FROM plain"
    " WINDOW best AS (PARTITION BY person_id ORDER BY weight DESC, nik)",
    "ours": "SELECT person_id, nik, rank FROM ours",
}
_JUDGED = """
    SELECT truth.*, link.nik AS linked, linked_row.person_state AS linked_state
    FROM truth SEMI JOIN registry USING (person_id)
    LEFT JOIN ({accepted}) AS link USING (person_id)
    LEFT JOIN extract AS linked_row ON linked_row.nik = link.nik
"""
_FIGURES = """
    count(*) FILTER (linked = nik) / nullif(count(linked), 0),
    count(*) FILTER (linked = nik) / nullif(count(nik), 0)
"""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares, but `wrong_no`: per thousand living people, those linked to another, dead or inactive."""

    precision: float
    recall: float
    absent_matched: float
    wrong_no: float
    among_ten: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    def __str__(self) -> str:
        return (
            f"{self.f1:7.4f}{self.precision:9.4f}{self.recall:8.4f}{self.absent_matched:8.3f}"
            f"{self.wrong_no:10.1f}{self.among_ten:8.4f}"
        )


def read_sides(folder: Path, backend: Backend) -> tuple[ibis.Table, ibis.Table]:
    registry, extract = (backend.read_parquet(folder / f"{name}.parquet") for name in ("registry", "extract"))
    return registry, extract


def accuracy(connection: duckdb.DuckDBPyConnection, name: str) -> Accuracy:
    """Over views `registry`, `extract`, `truth` and one named `name`; who links an absent one is wrong."""
    judged = _JUDGED.format(accepted=_ACCEPTED[name])
    row = connection.execute(
        f"""SELECT {_FIGURES},
            count(linked) FILTER (nik IS NULL) / nullif(count(*) FILTER (nik IS NULL), 0),
            1000 * count(*) FILTER (state IN ('alive', 'moved') AND linked IS DISTINCT FROM nik
                AND linked_state IN ('deceased', 'inactive')) / count(*) FILTER (state IN ('alive', 'moved')),
            (SELECT count(*) FROM truth SEMI JOIN registry USING (person_id)
                JOIN ({_RANKED[name]}) USING (person_id, nik) WHERE rank <= 10) / count(nik)
        FROM ({judged})"""  # noqa: S608 - our own text
    ).fetchall()[0]
    return Accuracy(*row)


def by_defect(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield from _by(connection, "unnest(defects)")


def by_state(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield from _by(connection, "IF(nik IS NULL, 'absent (' || state || ')', state)")


def _by(connection: duckdb.DuckDBPyConnection, kind: str) -> Iterator[str]:
    tables = []
    for name in ("plain", "ours"):
        judged = _JUDGED.format(accepted=_ACCEPTED[name])
        query = (
            f"SELECT kind, count(*), {_FIGURES} FROM (SELECT *, {kind} AS kind FROM ({judged})) GROUP BY kind"  # noqa: S608 - our own text
        )
        tables.append({row[0]: row[1:] for row in connection.execute(query).fetchall()})
    review = dict(
        connection.execute(
            f"""SELECT kind, count(*) FILTER (best = 'review') / count(*)
            FROM (SELECT *, {kind} AS kind FROM truth SEMI JOIN registry USING (person_id))
            LEFT JOIN (SELECT person_id, proposal AS best FROM ours WHERE rank = 1) USING (person_id)
            GROUP BY kind"""  # noqa: S608 - as above
        ).fetchall()
    )
    plain, ours = tables
    for found in sorted(ours, key=lambda found: -ours[found][0]):
        anchor, measured = plain[found], ours[found]
        yield (
            f"{found:22}{measured[0]:9,}   {_share(anchor[1])}  {_share(anchor[2])}        "
            f"{_share(measured[1])}  {_share(measured[2])}  {_share(review[found])}"
        )


def _share(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"
