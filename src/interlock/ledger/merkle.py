"""The tree over all events (RFC 6962), grown at its right edge and proved from its parts.

    leaf = SHA-256(0x00 || event hash)
    node = SHA-256(0x01 || left || right)

Hashes are kept in tiles of 256, as C2SP's tlog-tiles cuts them: tile `no` of level `n` has the hashes of the
complete subtrees of 256ⁿ leaves from number 256 · `no` on. Only the last tile of a level is not full, so that
growing a tree writes as much as was added, and a root or a proof reads a tile or two for each level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

HASH_BYTES = 32
TILE_BITS = 8
TILE_HASHES = 1 << TILE_BITS

_TILES_KEPT = 256
"""Full tiles that a tree remembers: two megabytes."""

_PARTS_KEPT = 512
"""Parts of tiles whose roots are remembered, four megabytes: leaves that are proved one after the other share them."""

EMPTY_ROOT = hashlib.sha256().digest()
"""Root of the tree without leaves."""

Load = Callable[[int, int], bytes]
"""Gives the hashes of a tile, by level and number, one after the other; empty where there is none."""


def leaf_hash(event_hash: bytes) -> bytes:
    """The leaf of the event with this hash."""
    return hashlib.sha256(b"\0" + event_hash).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree of which only the right edge is kept: enough to grow it and to know its root.

    Attributes:
        size: Leaves so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of the complete subtrees, the largest first

    @classmethod
    def of(cls, tree: Tree, size: int) -> Frontier:
        """What a tree's right edge was at a size.

        Raises:
            LookupError: A tile is missing or too short.
        """
        found, first = cls(), 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                found._peaks.append(tree.node(level, first >> level))
                first += 1 << level
        found.size = size
        return found

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        size, peaks = self.size, self._peaks
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root."""
        return _joined(self._peaks)


class Tree:
    """A tree whose tiles stand elsewhere.

    Args:
        size: Leaves that it has.
        load: Reads a tile; may be asked for the same one again.

    Attributes:
        size: Leaves, those added here included.
        changed: Tiles that were added to, by level and number, for whoever keeps them.
    """

    def __init__(self, size: int, load: Load) -> None:
        self.size = size
        self.changed: dict[tuple[int, int], bytes] = {}
        self._load = lru_cache(_TILES_KEPT)(load)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves."""
        added, level, held = list(leaves), 0, self.size
        self.size += len(added)
        while added:
            upper = []
            while added:
                no, there = divmod(held, TILE_HASHES)
                tile = self._tile(level, no)[: there * HASH_BYTES] + b"".join(added[: TILE_HASHES - there])
                self.changed[level, no] = tile
                taken = min(len(added), TILE_HASHES - there)
                added, held = added[taken:], held + taken
                if there + taken == TILE_HASHES:
                    upper.append(_joined_tile(tile))
            added, level = upper, level + 1
            held = (self.size >> (TILE_BITS * level)) - len(added)

    def leaf(self, index: int) -> bytes:
        """The leaf with this index, from 0."""
        return self.node(0, index)

    def node(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of 2^level leaves with this index among its like.

        Raises:
            LookupError: A tile is missing or too short: what keeps them is damaged.
        """
        tiles, above = divmod(level, TILE_BITS)
        no, first = divmod(index << above, TILE_HASHES)
        if level == tiles * TILE_BITS:
            found = self._tile(tiles, no)[first * HASH_BYTES : (first + 1) * HASH_BYTES]
            if len(found) != HASH_BYTES:
                raise LookupError(f"tile {no} of level {tiles} has no hash {first}")
            return found
        part = self._tile(tiles, no)[first * HASH_BYTES : (first + (1 << above)) * HASH_BYTES]
        if len(part) != HASH_BYTES << above:
            raise LookupError(f"tile {no} of level {tiles} has no hashes from {first} on")
        return _joined_tile(part)

    def joined(self, level: int, no: int) -> bytes:
        """The root over a full tile: what stands for it in the level above.

        Raises:
            LookupError: The tile is missing or not full.
        """
        tile = self._tile(level, no)
        if len(tile) != TILE_HASHES * HASH_BYTES:
            raise LookupError(f"tile {no} of level {level} is not full")
        return _joined_tile(tile)

    def root(self, size: int | None = None) -> bytes:
        """The root when the tree had so many leaves; as it is now where None.

        Raises:
            LookupError: As `node`.
        """
        size = self.size if size is None else size
        assert 0 <= size <= self.size, "a tree has no root of the future"
        return self._range(0, size) if size else EMPTY_ROOT

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """That the leaf with this index is in the tree of that size; see `included`.

        Raises:
            LookupError: As `node`.
        """
        assert 0 <= index < size <= self.size, "a leaf is proved in a tree that has it"
        path, first, last = [], 0, size
        while last - first > 1:
            middle = first + _split(last - first)
            if index < middle:
                path.append((middle, last))
                last = middle
            else:
                path.append((first, middle))
                first = middle
        return [self._range(*part) for part in reversed(path)]

    def prove_consistency(self, older: int, size: int) -> list[bytes]:
        """That the tree of the older size is what the tree of this size began as; see `consistent`.

        Raises:
            LookupError: As `node`.
        """
        assert 0 < older <= size <= self.size, "a tree is proved to go on from one that it had been"
        path, first, last, whole = [], 0, size, True
        while older != last:
            middle = first + _split(last - first)
            if older <= middle:
                path.append((middle, last))
                last = middle
            else:
                path.append((first, middle))
                first, whole = middle, False
        if not whole:
            path.append((first, last))
        return [self._range(*part) for part in reversed(path)]

    def _range(self, first: int, last: int) -> bytes:
        """Root of the leaves from first to before last, where first begins a complete subtree as large as they are."""
        peaks = []
        while first < last:
            level = (last - first).bit_length() - 1
            peaks.append(self.node(level, first >> level))
            first += 1 << level
        return _joined(peaks)

    def _tile(self, level: int, no: int) -> bytes:
        found = self.changed.get((level, no))
        return self._load(level, no) if found is None else found


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the leaf has this index in the tree with that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(part, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, part)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(older: int, older_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree began as the older one did (RFC 9162, 2.1.4.2)."""
    if not 0 < older <= size:
        return False
    if older == size:
        return not proof and older_root == root
    parts = list(proof)
    if older & (older - 1) == 0:
        parts.insert(0, older_root)
    if not parts:
        return False
    at, last = older - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(part, before), node_hash(part, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, part)
        at, last = at >> 1, last >> 1
    return last == 0 and before == older_root and after == root


def _split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << ((size - 1).bit_length() - 1)


def _joined(peaks: Sequence[bytes]) -> bytes:
    """Root over complete subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found


@lru_cache(_PARTS_KEPT)
def _joined_tile(hashes: bytes) -> bytes:
    """Root over hashes that stand one after the other; their number is a power of two."""
    level = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]
