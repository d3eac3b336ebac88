"""Where a sharded PostgreSQL would have to run each statement of a request's path, as deploy/SCALING.md says.

What is read are the statements that a gateway's lanes compiled and sent, on PostgreSQL, while it answered.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from connectors.base import Subject
from gateway.app import Services, build_services
from gateway.civil_day import civil_day
from gateway.gate import Question
from gateway.oauth.admission import Admission, Entry
from gateway.registry.personas import persona
from gateway.subjects import AskedSubject
from tests.conftest import empty_postgres_database
from tests.living import stocked_gateway

DOCUMENT = Path(__file__).parents[2] / "deploy" / "SCALING.md"
ONE_NODE, BY_KEY, EVERY_SHARD, NOT_AT_ALL = "on one node", "by key", "on every shard", "not at all"
_ROW = re.compile(r"^\| (.+?) \|$", re.MULTILINE)


def _rows(heading: str) -> list[list[str]]:
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(section)][1:]


# The key of each table that is spread.
KEYS = {
    row[0].strip("`"): row[2].strip("`") for row in _rows("Sharding people with Citus") if row[1] == "spread"
}
KNOWN = {row[0].strip("`") for row in _rows("Sharding people with Citus")}


@dataclass
class Reading:
    """What one statement says: its tables by alias, which keys are given, and which meet."""

    tables: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    meetings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        return set(self.tables.values())

    def runs(self) -> str:
        """Where Citus would have to run it."""
        spread = {alias for alias, table in self.tables.items() if table in KEYS}
        if not spread:
            return ONE_NODE
        groups = {alias: alias for alias in spread}
        for left, right in self.meetings:
            old, new = groups[left], groups[right]
            groups = {alias: new if group == old else group for alias, group in groups.items()}
        if all(any(groups[one] == groups[alias] for one in self.given) for alias in spread):
            return BY_KEY
        return EVERY_SHARD if len(set(groups.values())) == 1 else NOT_AT_ALL


def read(statement: str) -> Reading:
    """Read a statement as it goes to the server."""
    tree = parse_one(re.sub(r"%\((\w+)\)b", r"%(\1)s", statement), dialect="postgres")
    reading = Reading()
    made_here = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name and table.name not in made_here and not isinstance(table.this, exp.Func):
            reading.tables[table.alias_or_name] = table.name
    for insert in tree.find_all(exp.Insert):
        if isinstance(insert.this, exp.Schema):
            table, columns = insert.this.this.name, {column.name for column in insert.this.expressions}
            if KEYS.get(table) in columns:
                reading.given.add(table)
    for equal in tree.find_all(exp.EQ):
        sides = [_key_of(side, reading.tables) for side in (equal.left, equal.right)]
        if sides[0] and sides[1]:
            reading.meetings.append((sides[0], sides[1]))
        elif sides[0] and not isinstance(equal.right, exp.Column):
            reading.given.add(sides[0])
    return reading


def _key_of(side: exp.Expression, tables: Mapping[str, str]) -> str | None:
    """The alias of the table whose key this is."""
    if not isinstance(side, exp.Column):
        return None
    own = [side.table] if side.table else _sources(side)
    return next((alias for alias in own if KEYS.get(tables.get(alias, "")) == side.name), None)


def _sources(column: exp.Column) -> list[str]:
    within = column.find_ancestor(exp.Select, exp.Update, exp.Delete)
    return [table.alias_or_name for table in within.find_all(exp.Table)] if within else []


@pytest.fixture(scope="module")
def sent(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What the lanes of a gateway sent while it answered questions by NIK and by pseudonym."""
    home = tmp_path_factory.mktemp("home")
    with empty_postgres_database(postgres_server) as url, stocked_gateway(home, url) as gateway:
        services = build_services(gateway.settings)
        try:
            asyncio.run(_ask(services))
            told = [one for lane in _lanes(services) for _, one in lane._compiled.values()]
            yield sorted({statement.text.decode() for statement in told})
        finally:
            services.close()


def _lanes(services: Services) -> list[Any]:
    closing = [getattr(close, "__self__", None) for close in services.database._to_close]
    return [one for one in closing if hasattr(one, "_compiled")]


async def _ask(services: Services) -> None:
    registered = services.consumers.get("bpjs-kesehatan").consumer
    admission = Admission(services.database)
    entry = Entry("a" * 64, 2**31, "b" * 64, registered.id)
    for _ in range(2):
        await admission(entry)
    book = services.policies.present
    by_nik = [AskedSubject(key, persona(key).nik, None, {}) for key in ("eligible", "too_well_off")]
    for day in range(2):
        question = Question(
            "eligibility", "pbi-jk-eligibility", "PBI-JK", tuple(by_nik[: 2 - day]), None, None, b"{}"
        )
        answer = await services.exchange(registered, question, book)
    name = re.search(rb'"pseudonym":"([^"]+)"', answer.body)
    assert name is not None
    one = AskedSubject("again", None, name[1].decode(), {})
    again = Question("eligibility", "pbi-jk-eligibility", "PBI-JK", (one,), None, None, b"{}")
    await services.exchange(registered, again, book)
    everybody, soon = [Subject(nik=one.nik) for one in by_nik], asyncio.get_running_loop().time() + 60
    for more in ((), ("enrolments",)):
        fields = frozenset({"full_name", "family_card_number", "household_size", "decile", *more})
        await services.registry.fetch(everybody, fields, civil_day(datetime.now(UTC)), soon)


def test_every_statement_of_a_requests_path_runs_where_the_document_says(sent: list[str]) -> None:
    said = [
        (frozenset(re.findall(r"`(\w+)`", tables)), runs)
        for _, tables, runs in _rows("Which statements allow it")
    ]
    readings = [(reading.names, reading.runs()) for reading in map(read, sent)]
    untold = [
        found for found in readings if not any(found[0] <= one and found[1] == runs for one, runs in said)
    ]
    assert untold == []
    unseen = [row for row in said if not any(names <= row[0] and runs == row[1] for names, runs in readings)]
    assert unseen == []


def test_no_table_of_a_requests_path_is_left_out_of_the_document(sent: list[str]) -> None:
    assert {name for statement in sent for name in read(statement).names} == KNOWN - {"last_verdicts"}


@pytest.mark.parametrize(
    ("statement", "runs"),
    [
        ("SELECT 1 FROM people WHERE people.household_id = ANY (%(some)b)", BY_KEY),
        ("SELECT 1 FROM people WHERE people.nik = %(one)b", EVERY_SHARD),
        ("SELECT 1 FROM people AS p JOIN households AS h ON h.id = p.household_id", EVERY_SHARD),
        ("SELECT 1 FROM people AS p JOIN households AS h ON h.id = p.household_id WHERE h.id = 7", BY_KEY),
        ("SELECT 1 FROM people AS p JOIN enrolments AS e ON e.person_id = p.id", NOT_AT_ALL),
        ("SELECT 1 FROM consumers", ONE_NODE),
        ("INSERT INTO limit_people (mark, first_on) VALUES (%(mark)b, now())", BY_KEY),
        ("UPDATE limit_people SET asked_on = now() WHERE block = 7", EVERY_SHARD),
    ],
)
def test_where_a_statement_runs_is_read_from_its_text(statement: str, runs: str) -> None:
    assert read(statement).runs() == runs
