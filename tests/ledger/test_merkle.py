"""The tree over all events beside the naive one of RFC 6962."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.ledger.merkle import (
    EMPTY_ROOT,
    TILE_HASHES,
    Frontier,
    Tree,
    consistent,
    included,
    leaf_hash,
    node_hash,
)

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, 700]))


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(hashlib.sha256(number.to_bytes(4, "big")).digest()) for number in range(size)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


class Kept:
    """Tiles as a store keeps them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = self.loads = 0

    def load(self, level: int, no: int) -> bytes:
        self.loads += 1
        return self.tiles.get((level, no), b"")

    def tree(self) -> Tree:
        return Tree(self.size, self.load)

    def extend(self, added: Sequence[bytes]) -> Tree:
        tree = self.tree()
        tree.extend(added)
        self.tiles |= tree.changed
        self.size = tree.size
        return tree


def kept(size: int) -> Kept:
    found = Kept()
    found.extend(leaves(size))
    return found


@given(st.lists(st.integers(0, 300), max_size=6))
def test_a_tree_grown_in_pieces_has_the_naive_trees_root_after_every_piece(pieces: list[int]) -> None:
    hashes = leaves(sum(pieces))
    store, frontier, at = Kept(), Frontier(), 0
    for piece in pieces:
        tree = store.extend(hashes[at : at + piece])
        for leaf in hashes[at : at + piece]:
            frontier.add(leaf)
        at += piece
        assert tree.root() == store.tree().root() == frontier.root() == naive_root(hashes[:at])
        assert tree.size == frontier.size == at


@given(SIZES, st.data())
def test_the_root_at_an_earlier_size_is_the_one_that_it_had_then(size: int, data: st.DataObject) -> None:
    earlier = data.draw(st.integers(0, size))
    assert kept(size).tree().root(earlier) == naive_root(leaves(size)[:earlier])


@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_its_leaf_and_place_and_for_no_other(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, at - 1))
    hashes, tree = leaves(size), kept(size).tree()
    proof, root = tree.prove_inclusion(index, at), naive_root(hashes[:at])
    assert included(hashes[index], index, at, proof, root)
    assert not included(leaf_hash(b"another"), index, at, proof, root)
    assert not included(hashes[index], index, at, [*proof, root], root)
    assert not included(hashes[index], index, at, proof, leaf_hash(root))
    for wrong in {index - 1, index + 1, at} - {index}:
        assert not included(hashes[index], wrong, at, proof, root)
    for number in range(len(proof)):
        assert not included(hashes[index], index, at, [*proof[:number], *proof[number + 1 :]], root)


@given(SIZES, st.data())
def test_a_consistency_proof_holds_for_what_the_tree_was_and_for_nothing_else(size: int, data: st.DataObject) -> None:
    newer = data.draw(st.integers(1, size))
    older = data.draw(st.integers(1, newer))
    hashes, tree = leaves(size), kept(size).tree()
    proof = tree.prove_consistency(older, newer)
    before, after = naive_root(hashes[:older]), naive_root(hashes[:newer])
    assert consistent(older, before, newer, after, proof)
    other = naive_root([*hashes[: older - 1], leaf_hash(b"another")])
    assert not consistent(older, other, newer, after, proof)
    assert not consistent(older, before, newer, leaf_hash(after), proof)
    assert not consistent(older, before, newer, after, [*proof, after])
    for number in range(len(proof)):
        assert not consistent(older, before, newer, after, [*proof[:number], *proof[number + 1 :]])


def test_growing_a_large_tree_reads_one_tile_a_level_and_writes_what_was_added() -> None:
    """Goal Q16: sealing costs what is new, not what there is."""
    store = kept(3 * TILE_HASHES * TILE_HASHES // 2 + 7)
    store.loads = 0
    tree = store.extend(leaves(5))
    root = tree.root()
    assert store.loads <= 4
    assert set(tree.changed) == {(0, (store.size - 5) // TILE_HASHES)}
    assert root == store.tree().root()


def test_the_hashes_are_those_of_the_specification() -> None:
    assert leaf_hash(b"e") == hashlib.sha256(b"\x00e").digest()
    assert node_hash(b"l", b"r") == hashlib.sha256(b"\x01lr").digest()
    assert Frontier().root() == Tree(0, Kept().load).root() == EMPTY_ROOT == hashlib.sha256().digest()
    # The tree of RFC 6962's reference implementation over the empty string alone.
    frontier = Frontier()
    frontier.add(leaf_hash(b""))
    assert frontier.root().hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_damaged_tile_is_a_lookup_error_and_not_a_wrong_root(damage: str) -> None:
    store = kept(300)
    whole = store.tiles.pop((0, 0))
    if damage == "short":
        store.tiles[0, 0] = whole[:-1]
    with pytest.raises(LookupError):
        store.tree().node(0, 255)
    with pytest.raises(LookupError):
        store.tree().node(4, 15)


def test_what_cannot_be_is_no_proof() -> None:
    [leaf] = leaves(1)
    assert included(leaf, 0, 1, [], leaf)
    assert not included(leaf, 1, 1, [], leaf)
    assert not included(leaf, -1, 1, [], leaf)
    assert not consistent(0, EMPTY_ROOT, 1, leaf, [])
    assert not consistent(2, leaf, 1, leaf, [])
    assert not consistent(3, leaf, 4, leaf, [])
