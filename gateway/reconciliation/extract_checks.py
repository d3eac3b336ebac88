"""What can be wrong with one partition of an extract, and how it is said.

Every check counts rows; none keeps or tells what stands in one. Files come from spreadsheets, database tools
and copies that broke off, so the checks are about what those do to a file: numbers for identifiers, another
encoding, columns beside their headings, the same rows twice, an end that is missing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from gateway.reconciliation.statuses import PersonState
from policies.dictionary import Text

# The columns of the contract -> other headings for them, in lower case without anything but letters.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "nik": (),
    "family_card_number": ("nokk", "nomorkk", "nomorkartukeluarga"),
    "full_name": ("namalgkp", "namalengkap", "nama"),
    "birth_date": ("tgllhr", "tanggallahir"),
    "birth_place": ("tmptlhr", "tempatlahir"),
    "sex": ("jenisklmin", "jeniskelamin"),
    "mother_name": ("namalgkpibu", "namaibukandung", "namaibu"),
    "region_code": ("kodewilayah",),
    "person_state": ("statusorang", "keadaan"),
    "state_since": ("statussejak",),
    "as_of": ("tanggaldata",),
}
_DATES = ("birth_date", "state_since", "as_of")
_DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 1 << 20
_PARQUET_MARK = b"PAR1"
_NUMBERS = re.compile(r"(TINY|SMALL|BIG|HUGE|U.*)?INT(EGER)?|DOUBLE|FLOAT|REAL|DECIMAL.*")
_WHOLE = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?)")
_STATES = ", ".join(f"'{state}'" for state in PersonState)
_DATE = (
    "coalesce(try_cast({0} AS DATE), try_strptime({0}, '%d-%m-%Y')::DATE,"
    " try_strptime({0}, '%d/%m/%Y')::DATE)"
)
_SEX = "L|P|LK|PR|W|LAKI[ -]*LAKI|PEREMPUAN|PRIA|WANITA"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong with a partition: where, in how many rows (0: the whole file), in words."""

    file: str
    code: str
    column: str | None
    rows: int
    said: Text


@dataclass(frozen=True, slots=True)
class Checked:
    """A partition after its checks. `typed` is the query of its rows in the contract's columns and types."""

    defects: tuple[Defect, ...]
    typed: str = field(default="", repr=False)


# Code -> what is wrong and what to do, in Indonesian and English; {got} and {column} are filled in.
_SAID: Mapping[str, tuple[str, str]] = {
    "unreadable": (
        "berkas {kind} tidak terbaca; minta salinan baru",
        "it cannot be read as a {kind} file; ask for a new copy",
    ),
    "truncated": (
        "berkas terpotong: akhirnya hilang; salin ulang dan bandingkan ukurannya",
        "it is cut off: its end is missing; copy it again and compare the sizes",
    ),
    "empty": (
        "berkas tidak berisi baris data; diharapkan satu baris untuk setiap orang",
        "it has no rows: expected one for every person",
    ),
    "encoding": (
        "diharapkan UTF-8, ternyata {kind}; simpan ulang sebagai UTF-8",
        "expected UTF-8, got {kind}; save it again as UTF-8",
    ),
    "missing_column": (
        "kolom {column} tidak ada; minta ekstrak dengan semua kolom perjanjian",
        "the column {column} is missing; ask for an extract with all columns agreed on",
    ),
    "repeated_column": (
        "kolom {column} ada dua kali; buang salah satunya",
        "the column {column} is there twice; leave one out",
    ),
    "number": (
        "diharapkan teks 16 digit, ternyata {kind}; ekspor ulang {column} sebagai teks",
        "expected text of 16 digits, got {kind}; export {column} again as text",
    ),
    "not_identifier": (
        "diharapkan 16 digit pada {column}, ternyata bentuk lain; minta lagi baris-baris itu",
        "expected 16 digits in {column}, got something else; ask for the rows again",
    ),
    "not_date": (
        "diharapkan tanggal TTTT-BB-HH pada {column}, ternyata bentuk lain; ekspor ulang dalam bentuk itu",
        "expected dates as YYYY-MM-DD in {column}, got something else; export them again so",
    ),
    "not_word": (
        "{column} berisi kata di luar daftar: diharapkan {kind}",
        "{column} has words that are not on the list: expected {kind}",
    ),
    "shifted": (
        "kolom bergeser: nilai tidak sesuai judul kolomnya; periksa pemisah dan tanda kutip",
        "columns are shifted: values are not what their headings say; look at delimiters and quotation marks",
    ),
    "ragged": (
        "jumlah kolom tidak sama dengan judul; periksa pemisah dan tanda kutip",
        "rows have more or fewer columns than the headings; look at delimiters and quotation marks",
    ),
    "duplicate_rows": (
        "NIK yang sama muncul lebih dari sekali; buang baris ganda",
        "the same NIK stands in more than one row; leave out the duplicate rows",
    ),
}

# Of what {kind} says, what is English.
_IN_INDONESIAN: Mapping[str, str] = {
    "whole numbers": "bilangan bulat",
    "floating-point numbers": "bilangan pecahan (floating point)",
    "decimal or exponent form": "bentuk desimal atau eksponen",
}


def check_partition(engine: duckdb.DuckDBPyConnection, file: Path, name: str) -> Checked:
    """Everything that is wrong with a file, or how its rows are read. `name` is what people call it."""
    broken = list(_broken(file, name))
    if broken:
        return Checked(tuple(broken))
    source = _parquet_source(file) if file.suffix.lower() == ".parquet" else _csv_source(file)
    try:
        headings = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608 - quoted
        types = {heading: kind for heading, kind, *_ in headings}
        columns, defects = _columns(name, types)
        if not defects:
            defects = list(_numbers(name, columns, types))
        if not defects:
            rows = _as_texts(source, columns)
            defects = [*_ragged(engine, file, name), *_wrong_rows(engine, name, rows)]
    except duckdb.Error:
        # Its words may quote a row.
        return Checked((_defect(name, "unreadable", kind=_kind(file)),))
    return Checked(tuple(defects)) if defects else Checked((), _typed(rows))


def _defect(file: str, code: str, *, column: str | None = None, rows: int = 0, kind: str = "") -> Defect:
    kinds = (_IN_INDONESIAN.get(kind, kind), kind)
    indonesian, english = (
        text.format(column=column, kind=word) for text, word in zip(_SAID[code], kinds, strict=True)
    )
    count_id, count_en = (f" ({rows} baris)", f" ({rows} rows)") if rows else ("", "")
    return Defect(
        file, code, column, rows, Text(f"{file}: {indonesian}{count_id}", f"{file}: {english}{count_en}")
    )


def _kind(file: Path) -> str:
    return "Parquet" if file.suffix.lower() == ".parquet" else "CSV"


def _broken(file: Path, name: str) -> Iterator[Defect]:
    """What is wrong with the bytes, before anything reads rows out of them."""
    if file.suffix.lower() not in {".csv", ".parquet"}:
        yield _defect(name, "unreadable", kind="CSV/Parquet")
    elif file.stat().st_size == 0:
        yield _defect(name, "empty")
    elif _kind(file) == "Parquet":
        with file.open("rb") as opened:
            begins = opened.read(len(_PARQUET_MARK)) == _PARQUET_MARK
            opened.seek(-min(len(_PARQUET_MARK), file.stat().st_size), 2)
            ends = opened.read() == _PARQUET_MARK
        if not begins:
            yield _defect(name, "unreadable", kind="Parquet")
        elif not ends:
            yield _defect(name, "truncated")
    elif encoding := _other_encoding(file):
        yield _defect(name, "encoding", kind=encoding)


def _other_encoding(file: Path) -> str | None:
    """What a text is encoded in that is not UTF-8; None for UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as opened:
        first = opened.read(_BLOCK)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in first:
            return "UTF-16"
        try:
            decoder.decode(first)
            while block := opened.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "Windows-1252 / ISO 8859-1"
    return None


def _parquet_source(file: Path) -> str:
    return f"read_parquet({_quoted(str(file))}, hive_partitioning = false)"


def _csv_source(file: Path, *, lenient: bool = True) -> str:
    with file.open(encoding="utf-8-sig") as opened:
        headings = opened.readline()
    delimiter = max(_DELIMITERS, key=headings.count)
    options = f"header = true, all_varchar = true, delim = {_quoted(delimiter)}, quote = '\"', escape = '\"'"
    columns = f"auto_detect = false, columns = {_names(headings, delimiter)}"
    return f"read_csv({_quoted(str(file))}, {options}, ignore_errors = {lenient}, {columns})"


def _names(headings: str, delimiter: str) -> str:
    """The headings as the reader takes them; those that come twice are told apart, and found later."""
    names: dict[str, str] = {}
    for number, heading in enumerate(headings.rstrip("\r\n").split(delimiter)):
        name = heading.strip().strip('"')
        names[name if name not in names else f"{name}\x1f{number}"] = "VARCHAR"
    return "{" + ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in names) + "}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _columns(name: str, types: Mapping[str, str]) -> tuple[dict[str, str], list[Defect]]:
    """Which column of the file is which of the contract."""
    found: dict[str, str] = {}
    defects: list[Defect] = []
    for heading in types:
        plain = re.sub("[^a-z]", "", heading.lower())
        for column, others in COLUMNS.items():
            if plain in {column.replace("_", ""), *others}:
                if column in found:
                    defects.append(_defect(name, "repeated_column", column=column))
                found[column] = heading
    defects += [_defect(name, "missing_column", column=column) for column in COLUMNS if column not in found]
    return found, defects


def _numbers(name: str, columns: Mapping[str, str], types: Mapping[str, str]) -> Iterator[Defect]:
    """Identifiers that Parquet holds as numbers: leading zeros and last digits are gone."""
    for column in ("nik", "family_card_number", "region_code"):
        kind = types[columns[column]]
        if _NUMBERS.fullmatch(kind):
            whole = "whole numbers" if _WHOLE.fullmatch(kind) else "floating-point numbers"
            yield _defect(name, "number", column=column, kind=whole)


def _as_texts(source: str, columns: Mapping[str, str]) -> str:
    parts = ", ".join(
        "nullif(trim(CAST(\"{}\" AS VARCHAR)), '') AS {}".format(heading.replace('"', '""'), column)
        for column, heading in columns.items()
    )
    return f"SELECT {parts} FROM {source}"  # noqa: S608 - as above


def _ragged(engine: duckdb.DuckDBPyConnection, file: Path, name: str) -> Iterator[Defect]:
    """Rows of a CSV that have not as many columns as the headings; the last one, when it breaks off."""
    if _kind(file) == "Parquet":
        return
    with file.open("rb") as opened:
        opened.seek(-1, 2)
        ended = opened.read() in (b"\n", b"\r")
    try:
        engine.execute(
            f"SELECT count(*), max(columns(*)) FROM {_csv_source(file, lenient=False)}"  # noqa: S608 - as above
        ).fetchone()
    except duckdb.Error:
        yield _defect(name, "ragged" if ended else "truncated")


def _wrong_rows(  # noqa: C901 - one branch for each thing that can be wrong
    engine: duckdb.DuckDBPyConnection, name: str, rows: str
) -> Iterator[Defect]:
    """What single rows have that is not of their column, counted over the whole partition."""
    not_nik = "nik IS NULL OR NOT regexp_full_match(nik, '[0-9]{16}')"
    as_number = "regexp_full_match(nik, '[0-9]+[.,][0-9]*|[0-9][.,]?[0-9]*[eE][+]?[0-9]+')"
    not_sex = f"sex IS NOT NULL AND NOT regexp_full_match(upper(sex), '{_SEX}')"
    not_state = f"person_state IS NULL OR person_state NOT IN ({_STATES})"
    not_region = (
        "region_code IS NOT NULL AND NOT regexp_full_match(region_code,"
        " '[0-9]{2}([.]?[0-9]{2}([.]?[0-9]{2}([.]?[0-9]{4})?)?)?')"
    )
    not_dates = {column: f"{column} IS NOT NULL AND {_DATE.format(column)} IS NULL" for column in _DATES}
    not_dates["as_of"] = f"{_DATE.format('as_of')} IS NULL"
    strange = " + ".join(f"({what})::INT" for what in (not_sex, not_state, not_region, *not_dates.values()))
    counts = ", ".join(
        f"count(*) FILTER (WHERE {what})"
        for what in (as_number, not_nik, not_sex, not_state, not_region, *not_dates.values())
    )
    found = engine.execute(
        f"SELECT count(*), count(nik) - count(DISTINCT nik), count(*) FILTER (WHERE ({not_nik})"  # noqa: S608
        f" AND {strange} > 0 OR {strange} > 2), {counts} FROM ({rows})"
    ).fetchone()
    total, repeated, shifted, numbers, no_nik, no_sex, no_state, no_region, *no_dates = found or ()
    if not total:
        yield _defect(name, "empty")
        return
    if shifted:
        yield _defect(name, "shifted", rows=shifted)
        return
    if numbers:
        yield _defect(name, "number", column="nik", rows=numbers, kind="decimal or exponent form")
    elif no_nik:
        yield _defect(name, "not_identifier", column="nik", rows=no_nik)
    for column, count in zip(not_dates, no_dates, strict=True):
        if count:
            yield _defect(name, "not_date", column=column, rows=count)
    if no_sex:
        yield _defect(name, "not_word", column="sex", rows=no_sex, kind="L, P")
    if no_state:
        yield _defect(name, "not_word", column="person_state", rows=no_state, kind=", ".join(PersonState))
    if no_region:
        yield _defect(name, "not_word", column="region_code", rows=no_region, kind="35.78.01.1001")
    if repeated and not (numbers or no_nik):
        yield _defect(name, "duplicate_rows", column="nik", rows=repeated)


def _typed(rows: str) -> str:
    parts = ", ".join(
        f"{_DATE.format(column)} AS {column}" if column in _DATES else column for column in COLUMNS
    )
    return f"SELECT {parts} FROM ({rows})"  # noqa: S608 - as above
