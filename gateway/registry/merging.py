"""From the staged rows of one chunk to the registry, set by set, inside the caller's unit of work.

The rules: a row is matched to a person by the source's key, never by name. What the file has a column for
is taken as it says, also when it is empty; what it has no column for stays. A status stays when the file
does not state it, or when a younger statement is known. A row older than what is known of its person adds
history (the decile of its quarter) and changes nothing else. Running the same chunk again changes nothing.

An enrolment that another source told, such as the programme's own list, is not for a file's flag to end or
to alter: the list is the closer source. The reverse is `gateway.sources.programme_lists`: what a list says
of its own programme takes the place of what a file's flag made of the same membership.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Date,
    Executable,
    String,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import Database
from gateway.registry.columns import FILE_FORMATS, FileColumns
from gateway.registry.staging import filled, random_id, staged
from gateway.registry.tables import STATUS_VOCABULARY, enrolments, household_deciles, households, people

PROGRAMMES: Mapping[str, str] = {"pbi": "PBI-JK", "pkh": "PKH", "bpnt": "BPNT", "bst": "BST"}

# What is held of a person of whom no file has said it. Being in the registry's file is being active in it.
_UNSTATED = {
    "registry_status": "active",
    "life_status": "unknown",
    "residence_status": "unknown",
    "identity_status": "not_checked",
    "welfare_status": "unknown",
}
# Column of `people` -> the fields of a file that speak of it, where the names differ.
_SPOKEN_OF_BY = {
    "dtks_id": {"dtks_id"},
    "family_relation": {"family_relation", "relation_code"},
    "region_code": {"province", "regency", "district", "village", "region_code"},
    "household_id": {"family_card_number", "household_key"},
}
_DESCRIBING = (
    *("dtks_id", "nik", "household_id", "family_relation", "full_name", "birth_date", "birth_place", "sex"),
    *("mother_name", "occupation", "address", "hamlet", "rt", "rw", "region_code", "synthetic"),
)
_AS_OF = bindparam("as_of", type_=Date())
_SOURCE = bindparam("source", type_=String())


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a chunk's rows: they add up to the rows that were staged.

    `unmatchable` are the numbers of rows whose NIK, their only identifier, several people hold. In
    `niks_kept` rows the file had the NIK of before one that was accepted, which stayed.
    """

    imported: int
    unchanged: int
    unmatchable: tuple[int, ...]
    niks_kept: int = 0


# Gives matched rows of a chunk the NIKs that staff accepted, where the file has those of before; how many.
KeepSettled = Callable[[Connection], int]


class Merge:
    """The statements of one import: built once for the columns that its file has, run for every chunk."""

    def __init__(
        self,
        database: Database,
        columns: FileColumns,
        as_of: date,
        keep_settled: KeepSettled | None = None,
    ) -> None:
        self._upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._present = frozenset(columns.position)
        self._keep_settled = keep_settled if "nik" in self._present else None
        self._parameters = {"as_of": as_of, "source": columns.file_format}
        flags = [flag for flag in PROGRAMMES if flag in self._present]
        self._by_nik = columns.file_format == "dtsen"
        self._known_by_nik: bool | None = None
        self._add_people, self._update_people = _add_people(), self._update_known_people()
        self._households: list[Executable] = [self._add_households(), _place_in_households()]
        self._of_known_people: list[Executable] = []
        self._consequences: list[Executable] = []
        if flags:
            self._of_known_people += [_end_enrolments(flags), self._resume_enrolments(flags)]
            self._consequences.append(_begin_enrolments(flags))
        if "decile" in self._present:
            self._consequences += [self._rank_households(), _close_periods()]

    def __call__(self, connection: Connection, rows: list[tuple[Any, ...]]) -> Merged:
        """Bring the rows of a chunk, as `Reading.chunks` gave them, into the registry."""
        with filled(connection, rows):
            unmatchable = self._give_keys(connection)
            known = self._changed(connection, _MATCH)
            niks_kept = self._keep_settled(connection) if known and self._keep_settled else 0
            for statement in self._households:
                connection.execute(statement)
            imported = self._changed(connection, self._add_people)
            if known:
                imported += self._changed(connection, self._update_people)
                for statement in self._of_known_people:
                    connection.execute(statement, self._parameters)
            for statement in self._consequences:
                connection.execute(statement, self._parameters)
        return Merged(imported, len(rows) - len(unmatchable) - imported, unmatchable, niks_kept)

    def _give_keys(self, connection: Connection) -> tuple[int, ...]:
        """See that the rows and the people whom they mean go by one key; the rows for which that fails."""
        if self._by_nik:
            unmatchable = tuple(connection.execute(_take_unmatchable()).scalars())
            connection.execute(_match_by_nik())
            return unmatchable
        if self._some_known_by_nik(connection):
            connection.execute(_give_lasting_keys())
        return ()

    def _some_known_by_nik(self, connection: Connection) -> bool:
        """Whether any person lacks a lasting key; asked once, for no file with ids makes another."""
        if self._known_by_nik is None:
            self._known_by_nik = connection.execute(_KNOWN_BY_NIK).first() is not None
        return self._known_by_nik

    def _changed(self, connection: Connection, statement: Executable) -> int:
        """Run a statement and give the number of rows that it wrote."""
        options = {"preserve_rowcount": True}
        rows: int = connection.execute(statement, self._parameters, execution_options=options).rowcount
        return rows

    def _add_households(self) -> Executable:
        keys = (
            select(random_id(), staged.c.household_key, func.max(staged.c.family_card_number))
            .where(staged.c.household_key.is_not(None))
            .group_by(staged.c.household_key)
        )
        into = self._upsert(households).from_select(["id", "source_key", "family_card_number"], keys)
        return into.on_conflict_do_nothing(index_elements=["source_key"])

    def _update_known_people(self) -> Executable:
        """Write what differs from what is known, and nothing where nothing does."""
        values: dict[str, ColumnElement[Any]] = {
            **{name: staged.c[name] for name in _DESCRIBING if _spoken_of(name) & self._present},
            "source": _SOURCE,
            "as_of": _AS_OF,
        }
        for name in STATUS_VOCABULARY:
            values |= _status(name)
        differs = or_(*(people.c[name].is_distinct_from(value) for name, value in values.items()))
        theirs = and_(people.c.id == staged.c.person_id, staged.c.is_known, ~staged.c.is_older)
        return update(people).values(values).where(theirs, differs)

    def _resume_enrolments(self, flags: Iterable[str]) -> Executable:
        """Known people who are listed and not enrolled are enrolled from the file's quarter, or its day."""
        listed = _listed(flags, staged.c.is_known).subquery("listed")
        running = exists().where(
            enrolments.c.person_id == listed.c.person_id,
            enrolments.c.programme == listed.c.programme,
            enrolments.c.ends_on.is_(None),
        )
        into = self._upsert(enrolments).from_select(_ENROLLED, select(*listed.columns).where(~running))
        # Struck off and listed again within one quarter: it was one membership after all.
        return into.on_conflict_do_update(
            index_elements=["person_id", "programme", "starts_on"],
            set_={"ends_on": None, "source": into.excluded.source, "as_of": into.excluded.as_of},
            where=_TOLD_BY_A_FILE,
        )

    def _rank_households(self) -> Executable:
        """One decile per family and quarter; what is said later of the same quarter replaces it."""
        known = household_deciles.alias("known")
        said = (
            select(staged.c.household_id, staged.c.period_from, func.max(staged.c.decile).label("decile"))
            .where(staged.c.decile_said)
            .group_by(staged.c.household_id, staged.c.period_from)
            .subquery("said")
        )
        same = and_(known.c.household_id == said.c.household_id, known.c.period_from == said.c.period_from)
        differs = and_(known.c.as_of == _AS_OF, known.c.decile.is_distinct_from(said.c.decile))
        rows = (
            select(*said.columns, _SOURCE, _AS_OF)
            .select_from(said.outerjoin(known, same))
            .where(or_(known.c.household_id.is_(None), known.c.as_of < _AS_OF, differs))
        )
        columns = ["household_id", "period_from", "decile", "source", "as_of"]
        into = self._upsert(household_deciles).from_select(columns, rows)
        changed = {name: into.excluded[name] for name in ("decile", "source", "as_of")}
        return into.on_conflict_do_update(index_elements=["household_id", "period_from"], set_=changed)


def _spoken_of(name: str) -> set[str]:
    """The fields of a file that speak of this column of `people`."""
    return _SPOKEN_OF_BY.get(name, {name})


_MATCH = (
    update(staged)
    .values(person_id=people.c.id, is_known=true(), is_older=people.c.as_of > _AS_OF)
    .where(people.c.source_key == staged.c.source_key)
)


def _place_in_households() -> Executable:
    return (
        update(staged)
        .values(household_id=households.c.id)
        .where(households.c.source_key == staged.c.household_key)
    )


def _add_people() -> Executable:
    """Everyone whom the registry does not know, with what the file says and what follows from being in it."""
    values: dict[str, ColumnElement[Any]] = {
        "id": staged.c.person_id,
        "source_key": staged.c.source_key,
        **{name: staged.c[name] for name in _DESCRIBING},
        "source": _SOURCE,
        "as_of": _AS_OF,
    }
    for name, unstated in _UNSTATED.items():
        values |= {
            name: func.coalesce(staged.c[name], unstated),
            f"{name}_source": _SOURCE,
            f"{name}_as_of": _AS_OF,
        }
    rows = select(*(value.label(name) for name, value in values.items())).where(~staged.c.is_known)
    return insert(people).from_select(list(values), rows)


def _status(name: str) -> dict[str, ColumnElement[Any]]:
    """A status with its source and date: the file's word, unless it has none or a younger one is known."""
    stays = or_(staged.c[name].is_(None), people.c[f"{name}_as_of"] > _AS_OF)
    return {
        name: case((stays, people.c[name]), else_=staged.c[name]),
        f"{name}_source": case((stays, people.c[f"{name}_source"]), else_=_SOURCE),
        f"{name}_as_of": case((stays, people.c[f"{name}_as_of"]), else_=_AS_OF),
    }


# Keys of people whom only files without ids have named so far.
_NIK_KEY = "nik:"
_KNOWN_BY_NIK = select(people.c.id).where(people.c.source_key.startswith(_NIK_KEY)).limit(1)


def _take_unmatchable() -> Executable:
    """Remove the rows whose NIK several people hold, and give their numbers."""
    holders = (
        select(people.c.nik)
        .where(people.c.nik.in_(select(staged.c.nik)))
        .group_by(people.c.nik)
        .having(func.count() > 1)
    )
    return delete(staged).where(staged.c.nik.in_(holders)).returning(staged.c.row_number)


def _match_by_nik() -> Executable:
    """Give the rows of a file without ids the keys of the people who hold their NIKs."""
    holders = (
        select(people.c.nik, people.c.source_key).where(people.c.nik.in_(select(staged.c.nik))).subquery()
    )
    return update(staged).values(source_key=holders.c.source_key).where(staged.c.nik == holders.c.nik)


def _give_lasting_keys() -> Executable:
    """Give people whom only a NIK named so far the key by which this file knows them, unless it is taken."""
    taken = exists().where(people.alias().c.source_key == staged.c.source_key)
    keys = (
        select(staged.c.nik, func.min(staged.c.source_key).label("source_key"))
        .where(staged.c.nik.is_not(None), ~taken)
        .group_by(staged.c.nik)
        .subquery("keys")
    )
    return (
        update(people)
        .values(source_key=keys.c.source_key)
        .where(people.c.source_key == _NIK_KEY + keys.c.nik)
    )


_TOLD_BY_A_FILE = enrolments.c.source.in_(FILE_FORMATS)
_ENROLLED = ["person_id", "programme", "starts_on", "source", "as_of"]


def _listed(flags: Iterable[str], whom: ColumnElement[bool]) -> CompoundSelect[Any]:
    """One row per person and programme that the chunk lists, as an enrolment."""
    return union_all(
        *(
            select(
                staged.c.person_id,
                literal(PROGRAMMES[flag]).label("programme"),
                staged.c.effective_on,
                _SOURCE.label("source"),
                _AS_OF.label("as_of"),
            ).where(staged.c[flag], whom, ~staged.c.is_older)
            for flag in flags
        )
    )


def _begin_enrolments(flags: Iterable[str]) -> Executable:
    """Who is new is enrolled in what they are listed for; nothing is there that could contradict."""
    return insert(enrolments).from_select(_ENROLLED, _listed(flags, ~staged.c.is_known))


def _end_enrolments(flags: Iterable[str]) -> Executable:
    """Whoever a file enrolled and no longer lists was so until this one's quarter began, or until its day."""
    no_longer_listed = case(
        *((enrolments.c.programme == PROGRAMMES[flag], ~staged.c[flag]) for flag in flags), else_=false()
    )
    ends_on = case(
        (staged.c.effective_on > enrolments.c.starts_on, staged.c.effective_on),
        else_=enrolments.c.starts_on,
    )
    return (
        update(enrolments)
        .values(ends_on=ends_on, source=_SOURCE, as_of=_AS_OF)
        .where(
            enrolments.c.person_id == staged.c.person_id,
            staged.c.is_known,
            ~staged.c.is_older,
            enrolments.c.ends_on.is_(None),
            enrolments.c.as_of <= _AS_OF,
            _TOLD_BY_A_FILE,
            no_longer_listed,
        )
    )


def _close_periods() -> Executable:
    """Each quarter of the chunk's families ends where the next one known begins."""
    following = household_deciles.alias("following")
    next_begins = (
        select(func.min(following.c.period_from))
        .where(
            following.c.household_id == household_deciles.c.household_id,
            following.c.period_from > household_deciles.c.period_from,
        )
        .scalar_subquery()
    )
    of_the_chunk = select(staged.c.household_id).where(staged.c.decile_said)
    return (
        update(household_deciles)
        .values(period_to=next_begins)
        .where(
            household_deciles.c.household_id.in_(of_the_chunk),
            household_deciles.c.period_to.is_distinct_from(next_begins),
        )
    )
