"""The tree against `pymerkle`, against RFC 9162's own recursion, and against published vectors."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from gateway.audit.proofs import (
    EMPTY_ROOT,
    CompactRange,
    Unproven,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
)
from gateway.audit.tree import TileMissing, Tree, parse_tile_path, tile_path, tiles_of

# The leaves and roots that RFC 6962 implementations share (certificate-transparency, merkle_tree_test).
VECTOR_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SETTINGS = settings(deadline=None, max_examples=60)
entries = st.lists(st.binary(max_size=24), min_size=1, max_size=80)


class Shelf:
    """Tiles as a store keeps them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def grow(self, leaves: list[bytes]) -> None:
        tree = self.tree()
        tree.append(leaves)
        self.tiles |= tree.grown
        self.size = tree.size

    def tree(self) -> Tree:
        return Tree(self.size, lambda level, index: self.tiles.get((level, index), b""))


def grown(leaves: list[bytes], step: int = 1000) -> Tree:
    shelf = Shelf()
    for start in range(0, len(leaves), step):
        shelf.grow(leaves[start : start + step])
    return shelf.tree()


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(recursive_root(leaves[:k]), recursive_root(leaves[k:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_that_every_implementation_of_the_rfc_gives(size: int) -> None:
    leaves = [leaf_hash(data) for data in VECTOR_LEAVES[:size]]
    assert grown(leaves, 3).root().hex() == VECTOR_ROOTS[size - 1]
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@SETTINGS
@given(entries, st.data())
def test_roots_and_proofs_equal_those_of_an_independent_implementation(
    data: list[bytes], draw: st.DataObject
) -> None:
    oracle = InmemoryTree(algorithm="sha256")
    for item in data:
        oracle.append_entry(item)
    tree = grown([leaf_hash(item) for item in data], draw.draw(st.integers(1, 90)))
    size = draw.draw(st.integers(1, len(data)))
    index = draw.draw(st.integers(0, size - 1))
    assert tree.root(size) == oracle.get_root(size)
    theirs = [bytes.fromhex(node) for node in oracle.prove_inclusion(index + 1, size).serialize()["path"]]
    # Theirs has the leaf itself among the siblings, in an order of its own.
    assert sorted([leaf_hash(data[index]), *tree.inclusion_proof(index, size)]) == sorted(theirs)
    check_inclusion(leaf_hash(data[index]), index, size, tree.inclusion_proof(index, size), tree.root(size))


@SETTINGS
@given(st.integers(1, 1500), st.data())
def test_any_two_sizes_are_consistent_and_every_leaf_is_included(size: int, draw: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    tree = grown(leaves, draw.draw(st.integers(1, 700)))
    first = draw.draw(st.integers(0, size))
    index = draw.draw(st.integers(0, size - 1))
    assert tree.root() == recursive_root(leaves)
    proof = tree.consistency_proof(first, size)
    check_consistency(first, size, proof, recursive_root(leaves[:first]), tree.root())
    check_inclusion(leaves[index], index, size, tree.inclusion_proof(index, size), tree.root())


@SETTINGS
@given(st.integers(2, 600), st.data())
def test_a_proof_with_anything_changed_proves_nothing(size: int, draw: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    tree, other = grown(leaves), leaf_hash(b"other")
    index = draw.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size)
    place = draw.draw(st.integers(0, len(proof) - 1))
    wrong = [*proof[:place], other, *proof[place + 1 :]]
    for leaf, number, hashes in (
        (other, index, proof),
        (leaves[index], (index + 1) % size, proof),
        (leaves[index], index, wrong),
        (leaves[index], index, proof[:-1]),
        (leaves[index], index, [*proof, other]),
        (leaves[index], size, proof),
    ):
        with pytest.raises(Unproven):
            check_inclusion(leaf, number, size, hashes, tree.root())


@SETTINGS
@given(st.integers(2, 600), st.data())
def test_a_fork_is_never_consistent(size: int, draw: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    first = draw.draw(st.integers(1, size - 1))
    changed = draw.draw(st.integers(0, first - 1))
    forked = grown([*leaves[:changed], leaf_hash(b"other"), *leaves[changed + 1 :]])
    honest = grown(leaves)
    for proof in (forked.consistency_proof(first, size), honest.consistency_proof(first, size), []):
        with pytest.raises(Unproven):
            check_consistency(first, size, proof, honest.root(first), forked.root())
    with pytest.raises(Unproven):
        check_consistency(size, size, [], honest.root(), forked.root())
    with pytest.raises(Unproven):
        check_consistency(size, first, [], honest.root(), honest.root(first))


@SETTINGS
@given(st.integers(0, 900))
def test_a_compact_range_has_the_root_of_the_whole_tree(size: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    compact = CompactRange()
    for leaf in leaves:
        compact.append(leaf)
    assert compact.root() == recursive_root(leaves)
    assert len(compact.peaks) == size.bit_count()


def test_tiles_are_those_of_the_specifications_example() -> None:
    tiles = tiles_of(70_000)
    assert sum(1 for level, _, width in tiles if (level, width) == (0, 256)) == 273
    assert (0, 273, 112) in tiles
    assert [tile for tile in tiles if tile[0] > 0] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert tiles_of(256) == [(0, 0, 256), (1, 0, 1)]


def test_a_store_keeps_exactly_the_tiles_that_the_size_asks_for() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(70_000)]
    shelf = Shelf()
    for start in range(0, len(leaves), 9_999):
        shelf.grow(leaves[start : start + 9_999])
    assert {(level, index): width * 32 for level, index, width in tiles_of(70_000)} == {
        name: len(tile) for name, tile in shelf.tiles.items()
    }
    assert shelf.tree().root() == recursive_root(leaves)


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [(1_234_067, 256, "x001/x234/067"), (0, 256, "000"), (999, 7, "999.p/7"), (1000, 255, "x001/000.p/255")],
)
def test_tile_paths_are_written_and_read_as_the_specification_says(index: int, width: int, path: str) -> None:
    assert tile_path(0, index, width) == f"tile/0/{path}"
    assert parse_tile_path(path) == (index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0000",
        "001/x234/067",
        "x000/001",
        "067.p/0",
        "067.p/256",
        "067.p/07",
        "067.p/",
        "-01",
        "a",
        "\u0660\u0660\u0661",
    ],
)
def test_any_other_spelling_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        parse_tile_path(path)


def test_a_damaged_store_is_told_apart_from_a_short_tree() -> None:
    tree = Tree(300, lambda _level, _index: b"")
    with pytest.raises(TileMissing):
        tree.root()
    with pytest.raises(ValueError, match="no leaf 300"):
        tree.inclusion_proof(300, 300)
    with pytest.raises(ValueError, match="no proof"):
        tree.consistency_proof(5, 301)
