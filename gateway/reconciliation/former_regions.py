"""Regions that were renamed, split or abolished: which code a region had before, from a file that staff keep.

The edition of the codes that the registry is kept in names no former codes, so whoever needs them brings
them. MUST NOT guess one: what cannot be read as two region codes refuses the whole file.
"""

from __future__ import annotations

import csv
from pathlib import Path

import ibis
from ibis.expr import types as ir

from gateway.errors import BadInput
from gateway.registry.regions import dotted

_COLUMNS = ("old_code", "new_code")
_SCHEMA = ibis.schema(dict.fromkeys(_COLUMNS, "string"))


def former_regions(file: Path | None) -> ir.Table:
    """The former and the new code of each region in a CSV file (UTF-8, header `old_code,new_code`).

    Both codes of a row are of the same level, province down to village; without a file there are none. Raises
    BadInput for a file that cannot be read, and for a row that is not two such codes.
    """
    rows = [] if file is None else _rows(file)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}
    # From Arrow: what is made of Python's own lists has pandas imported first, which takes a second.
    schema = _SCHEMA.to_pyarrow()
    return ibis.memtable(schema.empty_table().from_pydict(columns, schema))


def _rows(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            read = csv.reader(lines)
            if (header := next(read, [])) != list(_COLUMNS):
                raise BadInput(
                    f"{file.name}: expected the header old_code,new_code, got {len(header)} others"
                )
            return [_codes(file, read.line_num, row) for row in read if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"{file.name}: expected a CSV file in UTF-8, got {type(error).__name__}; save it as UTF-8 where"
            " the gateway may read it"
        ) from None


def _codes(file: Path, line: int, row: list[str]) -> tuple[str, str]:
    codes = [code for code in map(dotted, row) if code is not None]
    if len(row) != len(_COLUMNS) or len(codes) != len(_COLUMNS) or codes[0].count(".") != codes[1].count("."):
        raise BadInput(
            f"{file.name}, line {line}: expected two region codes of one level, such as 35.78.08,35.78.31"
        )
    return codes[0], codes[1]
