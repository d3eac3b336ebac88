"""The mapping file: where the existing DTKS database is, and which of its columns is which field.

Strict TOML: an unknown key, an option that a column cannot have, or a secret in the file refuses the whole of
it, with all problems at once. MUST NOT repeat in a problem what stood in the file, except names of columns.
The docstring of this package shows a whole file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import SettingsInvalid
from gateway.registry.existing.values import Kind, MappedColumn
from gateway.registry.tables import STATUS_VOCABULARY

_TEXTS = ("full_name", "birth_place", "mother_name", "occupation", "family_relation", "address", "hamlet")
# What a row of people may say, and of which kind it is.
PEOPLE_FIELDS: Mapping[str, Kind] = {
    "nik": "identifier",
    "family_card_number": "identifier",
    "birth_date": "date",
    "sex": "word",
    "rt": "unit",
    "rw": "unit",
    "region": "region",
    "household_size": "number",
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(STATUS_VOCABULARY, "word"),
}
# Everything that a registry can provide, mapped in one part or another.
PROVIDABLE = frozenset({*PEOPLE_FIELDS, "decile", "decile_period", "enrolments"})
_WORDS: Mapping[str, tuple[str, ...]] = {"sex": ("L", "P"), **STATUS_VOCABULARY}
_OPTIONS: Mapping[str, frozenset[str]] = {
    "key": frozenset({"form"}),
    "text": frozenset({"values", "empty"}),
    "word": frozenset({"values", "empty"}),
    "identifier": frozenset({"empty"}),
    "date": frozenset({"format", "empty"}),
    "region": frozenset({"form", "empty"}),
    "decile": frozenset({"values", "empty"}),
    "number": frozenset({"empty"}),
    "unit": frozenset({"empty"}),
}
_FORM: Mapping[str, str] = {"key": "uuid", "region": "undotted"}
_DECILES = frozenset(map(str, range(1, 11)))
_SECRET = re.compile("passw|secret", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MappedPart:
    """One table or view. `columns` are by role: a field's name, or key, household, person, starts_on ...

    `owner` says to whom a row belongs where that is not the row itself: `person` or `household`.
    `includes_last_day` says that `ends_on` is the last day rather than the first one after.
    `as_of_day` is the day that all its rows speak of, where no column says it.
    """

    name: str
    table: str
    schema: str | None
    columns: Mapping[str, MappedColumn]
    owner: Literal["person", "household"] | None = None
    includes_last_day: bool = False
    as_of_day: date | None = None


@dataclass(frozen=True, slots=True)
class RegistryMapping:
    """What the file says. `url` holds the password, if a file of mode 0600 gave one: MUST NOT be shown."""

    path: Path
    url: URL = field(repr=False)
    people: MappedPart
    deciles: MappedPart | None
    enrolments: MappedPart | None

    @property
    def parts(self) -> tuple[MappedPart, ...]:
        """Every part that is mapped, people first."""
        return tuple(part for part in (self.people, self.deciles, self.enrolments) if part is not None)


def _named(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Plain(_Strict):
    column: str = Field(min_length=1)
    values: dict[str, str] = Field(default_factory=dict)
    empty: list[str] = Field(default_factory=list)
    format: str | None = None
    form: str | None = None


_Column = Annotated[_Plain, BeforeValidator(_named)]


class _Field(_Plain):
    as_of: _Column | None = None


class _Part(_Strict):
    table: str = Field(min_length=1)
    # Not `schema`: pydantic's models have a member of that name.
    in_schema: str | None = Field(None, alias="schema")
    as_of: _Column | None = None
    as_of_day: date | None = None


class _People(_Part):
    key: _Column
    household: _Column | None = None
    # Whether a person is invented, as yes or no; without it everybody is real.
    synthetic: _Column | None = None
    fields: dict[str, Annotated[_Field, BeforeValidator(_named)]]


class _Owned(_Part):
    person: _Column | None = None
    household: _Column | None = None
    starts_on: _Column
    ends_on: _Column | None = None
    last_day: _Column | None = None


class _Deciles(_Owned):
    decile: _Column


class _Enrolments(_Owned):
    programme: _Column


class _File(_Strict):
    url: str
    password_file: str | None = None
    people: _People
    deciles: _Deciles | None = None
    enrolments: _Enrolments | None = None


def read_mapping(path: Path) -> RegistryMapping:
    """The mapping in a TOML file. Raises SettingsInvalid with every problem that can be seen without asking.

    The password comes from `password_file` (mode 0600, beside the file), or from where PostgreSQL's client
    library looks by itself: PGPASSFILE, PGSERVICEFILE, a certificate.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The parser's own words may quote the file; where it stumbled does not.
        place = "".join(re.findall(r"\(at [^()]+\)", str(error))[:1])
        what = f"{type(error).__name__} {place}".rstrip()
        raise SettingsInvalid([f"{path}: cannot be read as TOML: {what}"]) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise SettingsInvalid(
            [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found]
        ) from None
    reading = _Reading(path)
    mapping = reading.whole(file)
    if reading.problems or mapping is None:
        raise SettingsInvalid([f"{path}: {problem}" for problem in reading.problems])
    return mapping


@dataclass
class _Reading:
    """One pass over one file; `problems` are what it met."""

    path: Path
    problems: list[str] = field(default_factory=list)

    def whole(self, file: _File) -> RegistryMapping | None:
        url = self._url(file)
        people = self._people(file.people)
        deciles = enrolments = None
        if file.deciles:
            deciles = self._owned("deciles", file.deciles, "decile", file.deciles.decile, file.people)
        if file.enrolments:
            programme = file.enrolments.programme
            enrolments = self._owned("enrolments", file.enrolments, "programme", programme, file.people)
        return None if url is None else RegistryMapping(self.path, url, people, deciles, enrolments)

    def _url(self, file: _File) -> URL | None:
        try:
            url = make_url(file.url)
        except ArgumentError:
            self.problems.append("url: expected an SQLAlchemy URL such as postgresql://reader@host/dtks")
            return None
        if url.drivername == "postgres":
            url = url.set(drivername="postgresql")
        if url.password or any(_SECRET.search(name) for name in url.query):
            self.problems.append("url: holds a password; put it into a file of mode 0600: password_file")
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            self.problems.append("url: expected the path of an SQLite file that exists")
        return url if file.password_file is None else self._with_password(url, file.password_file)

    def _with_password(self, url: URL, name: str) -> URL:
        file = self.path.parent / name
        try:
            mode = file.stat().st_mode & 0o777
            password = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.problems.append(f"password_file: {file} is missing or not readable as text")
            return url
        if mode & 0o077:
            self.problems.append(
                f"password_file: {file} has mode {mode:04o}, so others may read it: run chmod 0600 {file}"
            )
        if not password:
            self.problems.append(f"password_file: {file} is empty")
        return url.set(password=password)

    def _people(self, section: _People) -> MappedPart:
        columns = {"key": self._column("people.key", section.key, "key")}
        if section.household:
            columns["household"] = self._column("people.household", section.household, "key")
        if section.synthetic:
            columns["synthetic"] = self._column("people.synthetic", section.synthetic, "word", ("yes", "no"))
        for name, said in section.fields.items():
            columns |= self._field(name, said)
        if "nik" not in section.fields:
            self.problems.append("people.fields.nik: is needed; nobody could be asked about without it")
        elif section.key.column == section.fields["nik"].column:
            self.problems.append(
                "people.key: expected a column that outlives a corrected NIK, got the NIK itself"
            )
        if (section.as_of is None) == (section.as_of_day is None):
            self.problems.append(
                "people: the day that a row speaks of is needed: either as_of, a column, or as_of_day"
            )
        return self._part("people", section, columns)

    def _field(self, name: str, said: _Field) -> Mapping[str, MappedColumn]:
        place = f"people.fields.{name}"
        if name not in PEOPLE_FIELDS:
            known = ", ".join(sorted(PEOPLE_FIELDS))
            self.problems.append(f"{place}: is not a field of people. Known: {known}")
            return {}
        columns = {name: self._column(place, said, PEOPLE_FIELDS[name], _WORDS.get(name, ()))}
        if said.as_of:
            if name not in STATUS_VOCABULARY:
                self.problems.append(f"{place}.as_of: only a status has a day of its own")
            columns[day_role(name)] = self._column(f"{place}.as_of", said.as_of, "date")
        return columns

    def _owned(self, part: str, section: _Owned, role: str, said: _Plain, people: _People) -> MappedPart:
        """Deciles or enrolments: rows with an owner and a period."""
        kind: Kind = "decile" if role == "decile" else "word"
        words = tuple(_DECILES) if role == "decile" else ()
        columns = {role: self._column(f"{part}.{role}", said, kind, words)}
        for name in ("starts_on", "ends_on", "last_day"):
            if day := getattr(section, name):
                kept_as = "ends_on" if name == "last_day" else name
                columns[kept_as] = self._column(f"{part}.{name}", day, "date")
        if section.ends_on and section.last_day:
            self.problems.append(f"{part}: either ends_on, the first day after, or last_day; not both")
        if (section.person is None) == (section.household is None):
            self.problems.append(
                f"{part}: whose a row is: either person or household, a column with their key"
            )
        if section.household and not people.household:
            self.problems.append(f"{part}.household: people.household, the same key there, is not mapped")
        owner = section.person or section.household
        if owner:
            columns["owner"] = self._column(
                f"{part}.{'person' if section.person else 'household'}", owner, "key"
            )
        return self._part(part, section, columns)

    def _part(self, name: str, section: _Part, columns: Mapping[str, MappedColumn]) -> MappedPart:
        if section.as_of:
            columns = {**columns, "as_of": self._column(f"{name}.as_of", section.as_of, "date")}
        owner: Literal["person", "household"] | None = None
        if isinstance(section, _Owned):
            owner = "person" if section.person else "household"
        ends = isinstance(section, _Owned) and section.last_day is not None
        return MappedPart(name, section.table, section.in_schema, columns, owner, ends, section.as_of_day)

    def _column(self, place: str, said: _Plain, kind: Kind, words: tuple[str, ...] = ()) -> MappedColumn:
        self.problems += _misfits(place, said, kind, words)
        return MappedColumn(
            place,
            said.column,
            kind,
            said.values,
            frozenset(said.empty),
            frozenset(words),
            said.format,
            said.form,
        )


def day_role(status: str) -> str:
    """The role of the column that dates a status."""
    return f"{status}.as_of"


def _misfits(place: str, said: _Plain, kind: Kind, words: tuple[str, ...]) -> Iterator[str]:
    """Options that a column of this kind cannot have, and words that its field does not know."""
    given = said.model_fields_set & {"values", "empty", "format", "form"}
    for option in sorted(given - _OPTIONS[kind]):
        allowed = ", ".join(sorted(_OPTIONS[kind])) or "none"
        yield f"{place}.{option}: has no meaning for this column. Options here: {allowed}"
    if said.form is not None and said.form != _FORM.get(kind, said.form):
        yield f"{place}.form: expected {_FORM[kind]}, or nothing"
    if words and set(said.values.values()) - set(words):
        yield f"{place}.values: the words to the right must be of: {', '.join(sorted(words))}"
