"""A DTKS that somebody else built: other tables, other names, other codes, the same people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Engine,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
    create_engine,
    insert,
    make_url,
    select,
)

from gateway.database import Database
from gateway.registry.periods import period_of
from gateway.registry.tables import STATUS_VOCABULARY, enrolments, household_deciles, households, people

SEXES = {"L": 1, "P": 2}
# Our words by position: their code 1 is our first word.
STATUS_CODES = {
    name: {word: str(at) for at, word in enumerate(STATUS_VOCABULARY[name], 1)} for name in STATUS_VOCABULARY
}
PROGRAMME_CODES = {"PBI-JK": "A", "PKH": "B", "BPNT": "C", "BST": "D"}
_DECILE_CODES = {str(decile): f"D{decile}" for decile in range(1, 11)}
# SQLite has no type for yes and no.
_YES_AND_NO = {True: {"yes": "1", "no": "0"}, False: {"yes": "true", "no": "false"}}
_TEXTS = ("full_name", "birth_place", "mother_name", "occupation", "family_relation", "address", "hamlet")
_ONE_DAY = timedelta(days=1)


def _tables(*, by_uuid: bool) -> tuple[Table, Table, Table]:
    key = Uuid() if by_uuid else BigInteger()
    schema = MetaData()
    individu = Table(
        "individu",
        schema,
        Column("Id", key, primary_key=True, autoincrement=False),
        Column("no_nik", BigInteger() if by_uuid else String(16), index=True),
        Column("no_kk", String(16)),
        Column("id_keluarga", String(40), index=True),
        *[Column(f"t_{name}", String(200)) for name in _TEXTS],
        Column("tgl_lahir", String(10)),
        Column("jk", SmallInteger),
        Column("rt", Integer),
        Column("rw", String(3)),
        Column("kode_desa", String(10)),
        Column("aktif", Boolean),
        *[Column(f"st_{name}", String(2)) for name in STATUS_VOCABULARY],
        *[Column(f"tgl_{name}", Date) for name in STATUS_VOCABULARY],
        Column("uji", Boolean),
        Column("diperbarui", Date),
    )
    peringkat = Table(
        "peringkat",
        schema,
        Column("kel", String(40), index=True),
        Column("desil", String(3)),
        Column("triwulan", String(9)),
        Column("tetap", Date),
    )
    kepesertaan = Table(
        "kepesertaan",
        schema,
        Column("orang", key, index=True),
        Column("prog", String(4)),
        Column("mulai", Date),
        Column("sampai", String(10)),
    )
    return individu, peringkat, kepesertaan


def mapping_text(url: str, *, by_uuid: bool) -> str:
    """The mapping that makes the registry of `url` say what the built-in one says."""
    statuses = "".join(
        f"{name} = {{ column = 'st_{name}', as_of = 'tgl_{name}', values = {{ {_pairs(codes)} }} }}\n"
        for name, codes in STATUS_CODES.items()
    )
    key = "{ column = 'Id', form = 'uuid' }" if by_uuid and url.startswith("sqlite") else "'Id'"
    owner = key.replace("'Id'", "'orang'")
    address, secret = make_url(url), ""
    if address.password:
        address, secret = address.set(password=""), "password_file = 'their.password'"
    return f"""
url = "{address.render_as_string(hide_password=False)}"
{secret}
[people]
table = "individu"
key = {key}
household = "id_keluarga"
as_of = "diperbarui"
synthetic = {{ column = "uji", values = {{ {_pairs(_YES_AND_NO[url.startswith("sqlite")])} }} }}
[people.fields]
nik = "no_nik"
family_card_number = "no_kk"
birth_date = {{ column = "tgl_lahir", format = "%d/%m/%Y" }}
sex = {{ column = "jk", values = {{ 1 = "L", 2 = "P" }} }}
rt = "rt"
rw = "rw"
region = {{ column = "kode_desa", form = "undotted" }}
{"".join(f'{name} = "t_{name}"' + chr(10) for name in _TEXTS)}
{statuses}
[deciles]
table = "peringkat"
household = "kel"
decile = {{ column = "desil", values = {{ {_pairs(_DECILE_CODES)} }}, empty = ["D0"] }}
starts_on = {{ column = "triwulan", format = "quarter" }}
as_of = "tetap"
[enrolments]
table = "kepesertaan"
person = {owner}
programme = {{ column = "prog", values = {{ {_pairs(PROGRAMME_CODES)} }}, empty = ["Z"] }}
starts_on = "mulai"
last_day = {{ column = "sampai", format = "%Y%m%d" }}
"""


def _pairs(codes: Mapping[str, str]) -> str:
    return ", ".join(f'"{theirs}" = "{ours}"' for ours, theirs in codes.items())


def numbered(database: Database) -> dict[Any, int]:
    """A number of theirs for everybody of the built-in registry, by our id."""
    with database.reading() as connection:
        ids = connection.execute(select(people.c.id).order_by(people.c.source_key)).scalars()
        return {one: 7_000_000_000 + at for at, one in enumerate(ids)}


def copy_registry(database: Database, url: str, *, by_uuid: bool = False) -> None:
    """Put everybody of the built-in registry into a new one of theirs at `url`."""
    individu, peringkat, kepesertaan = _tables(by_uuid=by_uuid)
    keys: Mapping[Any, Any] = numbered(database)
    if by_uuid:
        keys = {one: one for one in keys}
    engine = create_engine(url)
    individu.metadata.create_all(engine)
    with database.reading() as source, engine.begin() as target:
        rows = source.execute(
            select(
                people, households.c.family_card_number, households.c.source_key.label("household")
            ).select_from(people.outerjoin(households))
        ).mappings()
        target.execute(insert(individu), [_individual(row, keys[row["id"]], by_uuid) for row in rows])
        ranked = select(household_deciles, households.c.source_key).join(households)
        target.execute(insert(peringkat), [_ranking(row) for row in source.execute(ranked).mappings()])
        members = source.execute(select(enrolments)).mappings()
        told = [_membership(row, keys[row["person_id"]]) for row in members]
        # A programme that does not concern us.
        other = {"orang": next(iter(keys.values())), "prog": "Z", "mulai": date(2026, 1, 1), "sampai": None}
        target.execute(insert(kepesertaan), [*told, other])
    engine.dispose()


def _individual(row: Mapping[str, Any], key: Any, by_uuid: bool) -> dict[str, Any]:
    born: date | None = row["birth_date"]
    nik = row["nik"]
    return {
        "Id": key,
        "no_nik": int(nik) if by_uuid and nik else nik,
        "no_kk": row["family_card_number"],
        "id_keluarga": row["household"],
        **{f"t_{name}": row[name] or "" for name in _TEXTS},
        "tgl_lahir": born.strftime("%d/%m/%Y") if born else "-",
        "jk": SEXES.get(row["sex"]),
        "rt": int(row["rt"]) if row["rt"] else None,
        "rw": row["rw"],
        "kode_desa": (row["region_code"] or "").replace(".", ""),
        "aktif": row["registry_status"] == "active",
        **{f"st_{name}": codes[row[name]] for name, codes in STATUS_CODES.items()},
        **{f"tgl_{name}": row[f"{name}_as_of"] for name in STATUS_VOCABULARY},
        "uji": row["synthetic"],
        "diperbarui": row["as_of"],
    }


def _ranking(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kel": row["source_key"],
        "desil": f"D{row['decile'] or 0}",
        "triwulan": period_of(row["period_from"]).replace("-Q", " TW "),
        "tetap": row["as_of"],
    }


def _membership(row: Mapping[str, Any], key: Any) -> dict[str, Any]:
    until: date | None = row["ends_on"]
    return {
        "orang": key,
        "prog": PROGRAMME_CODES[row["programme"]],
        "mulai": row["starts_on"],
        "sampai": (until - _ONE_DAY).strftime("%Y%m%d") if until else None,
    }


def run(url: str, *statements: str) -> None:
    """Change their database by hand, as its owner does."""
    engine: Engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def write_mapping(folder: Path, text: str, url: str = "sqlite://") -> Path:
    """The mapping as a file, and beside it the password that reaches `url`."""
    password = folder / "their.password"
    password.write_text(make_url(url).password or "")
    password.chmod(0o600)
    file = folder / "registry.toml"
    file.write_text(text, encoding="utf-8")
    return file
