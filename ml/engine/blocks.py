"""Which block of the cache holds what: allocation, sharing of equal beginnings, and what may be forgotten.

A block holds the keys and values of a fixed number of positions. A full block is known by the digest of all tokens up
to its end, so a sequence that begins like an earlier one uses that one's blocks and computes only the rest. Blocks that
nobody uses stay known until they are needed, the longest unused first.
"""

from __future__ import annotations

import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

# The block into which padding may write.
NOBODYS = 0


class BlockPool:
    """Blocks 1 … `count` - 1, of `size` positions each."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self._users = [0] * count
        self._digest: list[bytes | None] = [None] * count
        self._known: dict[bytes, int] = {}
        # Unused blocks in the order in which they are taken: first those with nothing to remember.
        self._unused: OrderedDict[int, None] = OrderedDict.fromkeys(range(1, count))

    @property
    def total(self) -> int:
        return len(self._users) - 1

    @property
    def free(self) -> int:
        """Blocks that can be taken now, remembered ones included."""
        return len(self._unused)

    def take(self, count: int) -> list[int]:
        """Take blocks whose content is void; the caller has checked that as many are free."""
        taken = []
        for _ in range(count):
            block, _nothing = self._unused.popitem(last=False)
            self._forget(block)
            self._users[block] = 1
            taken.append(block)
        return taken

    def share(self, digests: Sequence[bytes]) -> list[int]:
        """Take the blocks that hold the longest beginning of the sequence with these digests, possibly none."""
        shared = []
        for digest in digests:
            block = self._known.get(digest)
            if block is None:
                break
            if not self._users[block]:
                del self._unused[block]
            self._users[block] += 1
            shared.append(block)
        return shared

    def unused_among(self, digests: Sequence[bytes]) -> tuple[int, int]:
        """Return how many leading digests are known, and how many of their blocks count as free at the moment."""
        known = unused = 0
        for digest in digests:
            block = self._known.get(digest)
            if block is None:
                break
            known, unused = known + 1, unused + (not self._users[block])
        return known, unused

    def remember(self, block: int, digest: bytes) -> None:
        """Note what a block that has been filled holds; of two with the same content the first is kept known."""
        if self._digest[block] is None and digest not in self._known:
            self._digest[block] = digest
            self._known[digest] = block

    def give_back(self, blocks: Sequence[int], void: bool = False) -> None:
        """Give up a sequence's blocks, its end first, for beginnings are shared more often; `void` forgets them too."""
        for block in reversed(blocks):
            if void:
                self._forget(block)
            self._users[block] -= 1
            if not self._users[block]:
                self._unused[block] = None
                if self._digest[block] is None:
                    self._unused.move_to_end(block, last=False)

    def _forget(self, block: int) -> None:
        digest = self._digest[block]
        if digest is not None:
            del self._known[digest]
            self._digest[block] = None


def chain(scope: bytes, tokens: Sequence[int], size: int) -> list[bytes]:
    """Return the digest of each full block of `tokens`: of these tokens and all before them.

    `scope` keeps beginnings apart that must not be shared: whether another tenant has sent a text lately would
    show in the time that it takes.
    """
    return extend([], scope, tokens, size)


def extend(digests: list[bytes], scope: bytes, tokens: Sequence[int], size: int) -> list[bytes]:
    """Append to `digests` those of the full blocks of `tokens` that are missing, and return it."""
    for start in range(len(digests) * size, len(tokens) - size + 1, size):
        before = digests[-1] if digests else scope
        words = array.array("q", tokens[start : start + size]).tobytes()
        digests.append(blake2b(before + words, digest_size=16).digest())
    return digests
