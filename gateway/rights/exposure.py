"""What a consumer was told in a span of time, counted where the log lies: by the database.

A span may hold millions of exchanges; what comes back is one row for each combination of answers that people
got, of which there are few. It reads the sealed entries themselves and not the index over them, so nothing
that is committed is missing. People are known here by the log's keyed hashes alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Connection,
    Subquery,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.sql.expression import ColumnElement

from gateway.audit.tables import audit_entries
from gateway.rights.history import TOLD_NOTHING

_E = audit_entries
# Control characters that no canonical JSON text holds: between the parts of an answer, and between answers.
_UNIT, _RECORD = "\x1f", "\x1e"
_HASHES_AT_A_TIME = 10_000


@dataclass(frozen=True, slots=True)
class Affected:
    """The exchanges of one consumer from `first` on and before `last` (UTC)."""

    consumer_id: str
    first: datetime
    last: datetime

    @property
    def outcomes(self) -> ColumnElement[bool]:
        """The entries that tell how they ended."""
        return and_(
            _E.c.consumer_id == self.consumer_id,
            _E.c.kind == "outcome",
            _E.c.at >= self.first,
            _E.c.at < self.last,
        )


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the log says that the consumer was told: `fields` is how many people each field was told of.

    `forms` is the same by the form in which it left, as an agreement spells it: a comparison's result is not
    the field. Whoever was told of in two forms is counted in both. People of whom nothing was told (out of
    scope, not found) are not among them. `decisions` are how many people were judged for each programme.
    `erased` exchanges can no longer be counted.
    """

    exchanges: int
    people_count: int
    fields: Mapping[str, int]
    forms: Mapping[str, Mapping[str, int]]
    decisions: Mapping[str, int]
    erased: int


def exposure(connection: Connection, affected: Affected) -> Exposure:
    """What the consumer was told among the affected exchanges."""
    document = _Document(connection)
    answered = document.text_of("outcome") == "answered"
    lost = case((_E.c.entry.is_(None), 1), (and_(answered, _E.c.subjects.is_(None)), 1), else_=0)
    totals = select(func.count(), func.coalesce(func.sum(lost), 0)).where(affected.outcomes)
    exchanges, erased = connection.execute(totals).one()

    told = _told(document, affected)
    by_person = (
        select(func.aggregate_strings(told.c.answer, _RECORD).label("answers"))
        .group_by(told.c.subject)
        .subquery()
    )
    groups = select(by_person.c.answers, func.count()).group_by(by_person.c.answers)
    return _counted([tuple(row) for row in connection.execute(groups)], exchanges, int(erased))


def people_told(connection: Connection, affected: Affected) -> Iterator[bytes]:
    """The keyed hash of everybody of whom something was told, once."""
    told = _told(_Document(connection), affected)
    hashes = connection.execute(select(told.c.subject).distinct()).yield_per(_HASHES_AT_A_TIME)
    return (bytes.fromhex(one) for one in hashes.scalars())


class _Document:
    """How this database reads JSON in a column of texts."""

    def __init__(self, connection: Connection) -> None:
        self._sqlite = connection.dialect.name == "sqlite"

    def text_of(self, member: str) -> ColumnElement[str]:
        """A member of the entry: a text as it stands, an object as JSON; null where there is none."""
        if self._sqlite:
            return func.json_extract(_E.c.entry, f"$.{member}", type_=Text)
        told: ColumnElement[str] = cast(_E.c.entry, JSON)[member].as_string()
        return told

    def subjects(self, entries: Subquery) -> tuple[Any, ColumnElement[str], ColumnElement[str]]:
        """The subjects of each of these entries as a table, and of each its hash and its outcome."""
        if self._sqlite:
            each = func.json_each(entries.c.subjects).table_valued("value")
            return (
                each,
                func.json_extract(each.c.value, "$[0]", type_=Text),
                func.json_extract(each.c.value, "$[1]", type_=Text),
            )
        items = func.json_array_elements(cast(entries.c.subjects, JSON))
        each = items.table_valued(column("value", JSON))
        return each, each.c.value[0].as_string(), each.c.value[1].as_string()


def _told(document: _Document, affected: Affected) -> Subquery:
    """Everybody of whom something was told, and in which answers: a row for each of a person's."""
    answer = func.coalesce(document.text_of("fields"), "{}") + _UNIT
    entries = (
        select(_E.c.subjects, (answer + func.coalesce(document.text_of("programme"), "")).label("answer"))
        .where(affected.outcomes, document.text_of("outcome") == "answered", _E.c.subjects.is_not(None))
        .subquery()
    )
    each, digest, outcome = document.subjects(entries)
    return (
        select(digest.label("subject"), entries.c.answer)
        .select_from(entries.join(each, true()))
        .where(outcome.not_in(sorted(TOLD_NOTHING)))
        .distinct()
        .subquery()
    )


def _counted(groups: Iterable[tuple[str, int]], exchanges: int, erased: int) -> Exposure:
    """How many people there are, and how many by field, form and programme; a person is in one group."""
    people = 0
    fields: Counter[str] = Counter()
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    decisions: Counter[str] = Counter()
    for answers, count in groups:
        parts = [answer.split(_UNIT) for answer in answers.split(_RECORD)]
        told = {each for fields_told, _ in parts for each in orjson.loads(fields_told).items()}
        people += count
        fields.update(dict.fromkeys({name for name, _ in told}, count))
        for name, form in told:
            forms[name][form] += count
        decisions.update(dict.fromkeys({programme for _, programme in parts if programme}, count))
    by_form = {name: dict(counts) for name, counts in forms.items()}
    return Exposure(exchanges, people, dict(fields), by_form, dict(decisions), erased)
