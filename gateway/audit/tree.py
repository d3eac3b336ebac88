"""The growing Merkle tree of RFC 9162 (2.1), kept as tiles of c2sp.org/tlog-tiles. Pure.

A tile holds up to 256 hashes that stand side by side: those of leaves at level 0, those of full tiles of the
level below above it. Appending touches one tile per level, proving reads two, however large the log is.
Checking proofs is `gateway.audit.proofs`. It MUST NOT read a database, a clock or a file: tiles come from
the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gateway.audit.proofs import EMPTY_ROOT, node_hash

HASH_BYTES = 32
TILE_WIDTH = 256
_TILE_HEIGHT = 8
_TILE_NAME = re.compile(r"(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?")

# (level, index) -> the tile's hashes, one after the other; b"" for a tile that is not there yet.
TileReader = Callable[[int, int], bytes]


class TileMissing(LookupError):  # noqa: N818 - named for what happened
    """A tile, or a part of it, is not there although the tree's size says so: the store is damaged."""


class Tree:
    """A tree of `size` leaves, read through its tiles and grown in memory.

    `grown` holds the tiles that appends have changed; the caller stores them, then begins afresh.
    """

    def __init__(self, size: int, read: TileReader) -> None:
        self.size = size
        self._read = read
        self._seen: dict[tuple[int, int], bytes] = {}
        self.grown: dict[tuple[int, int], bytes] = {}

    def append(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes at the end."""
        self.size += self._extend(0, self.size, leaves)

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves; None means all."""
        size = self.size if size is None else size
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """The hashes that lead from leaf `index` to the root of the first `size` leaves, lowest first.

        Raises ValueError when the tree of that size has no such leaf.
        """
        if not 0 <= index < size <= self.size:
            raise ValueError(f"no leaf {index} in a tree of {size} of {self.size} leaves")
        low, high, path = 0, size, []
        while high - low > 1:
            middle = low + split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency_proof(self, first: int, second: int) -> list[bytes]:
        """The hashes that show the first `second` leaves to continue the first `first`, lowest first.

        Empty when `first` is 0 or equals `second`. Raises ValueError for sizes that the tree never had.
        """
        if not 0 <= first <= second <= self.size:
            raise ValueError(f"no proof from {first} to {second} in a tree of {self.size} leaves")
        if first in {0, second}:
            return []
        low, high, path = 0, second, []
        while first != high:
            middle = low + split(high - low)
            if first <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        # The verifier knows the first root already where it is the whole left part.
        if low:
            path.append(self._range(low, high))
        return path[::-1]

    def _extend(self, level: int, count: int, hashes: Iterable[bytes]) -> int:
        """Write `hashes` behind the `count` that the level has; full tiles give one hash to the next."""
        added = 0
        index, filled = divmod(count, TILE_WIDTH)
        tile = bytearray(self._tile(level, index, filled) if filled else b"")
        above: list[bytes] = []
        for digest in hashes:
            tile += digest
            added += 1
            if len(tile) == TILE_WIDTH * HASH_BYTES:
                self.grown[level, index] = bytes(tile)
                above.append(folded(tile))
                index, tile = index + 1, bytearray()
        if tile:
            self.grown[level, index] = bytes(tile)
        if above:
            self._extend(level + 1, count // TILE_WIDTH, above)
        return added

    def _range(self, low: int, high: int) -> bytes:
        """The hash of the leaves from `low` to `high`, which begins where the tree may be cut."""
        count = high - low
        if count & (count - 1) == 0:
            height = count.bit_length() - 1
            return self._node(height, low >> height)
        middle = low + split(count)
        return node_hash(self._range(low, middle), self._range(middle, high))

    def _node(self, height: int, index: int) -> bytes:
        """The root of the complete subtree number `index` of this height."""
        level, rest = divmod(height, _TILE_HEIGHT)
        number, first = divmod(index << rest, TILE_WIDTH)
        end = first + (1 << rest)
        return folded(self._tile(level, number, end)[first * HASH_BYTES : end * HASH_BYTES])

    def _tile(self, level: int, index: int, width: int) -> bytes:
        tile = self.grown.get((level, index)) or self._seen.get((level, index))
        if tile is None:
            tile = self._seen[level, index] = self._read(level, index)
        if len(tile) < width * HASH_BYTES:
            raise TileMissing(f"tile {tile_path(level, index)} has {len(tile)} bytes, not {width} hashes")
        return tile[: width * HASH_BYTES]


def split(count: int) -> int:
    """The largest power of two that is smaller than `count`: where RFC 9162 cuts a list of leaves."""
    return 1 << ((count - 1).bit_length() - 1)


def tiles_of(size: int) -> list[tuple[int, int, int]]:
    """Every tile of a tree of this size as (level, index, width); a width below 256 is a partial tile."""
    tiles, level = [], 0
    while size:
        full, rest = divmod(size, TILE_WIDTH)
        tiles += [(level, index, TILE_WIDTH) for index in range(full)]
        if rest:
            tiles.append((level, full, rest))
        size, level = full, level + 1
    return tiles


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile below the log's prefix, as c2sp.org/tlog-tiles writes it."""
    return f"tile/{level}/{_index_path(index)}" + (f".p/{width}" if width < TILE_WIDTH else "")


def parse_tile_path(path: str) -> tuple[int, int]:
    """Index and width from `x001/x234/067` or `x001/x234/067.p/8`. Raises ValueError for any other form."""
    if not _TILE_NAME.fullmatch(path):
        raise ValueError("a tile is named by groups of three digits")
    number, partial, width_text = path.partition(".p/")
    index = int(re.sub("[x/]", "", number))
    width = int(width_text) if partial else TILE_WIDTH
    canonical = _index_path(index) + (f".p/{width}" if partial else "")
    if canonical != path or not 0 < width <= TILE_WIDTH - bool(partial):
        raise ValueError("the tile's name has needless zeros, or an impossible width")
    return index, width


def _index_path(index: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*("x" + group for group in groups[:-1]), groups[-1]])


def folded(hashes: bytes | bytearray) -> bytes:
    """The root over a power of two of hashes that stand side by side."""
    row = [bytes(hashes[i : i + HASH_BYTES]) for i in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]
