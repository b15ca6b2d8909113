"""No block is anybody's twice, none is lost, and only what begins alike is shared."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ml.engine.blocks import NOBODYS, BlockPool, chain, extend

SIZE = 4
COUNT = 9


class Pool(RuleBasedStateMachine):
    """Sequences come, share what is known, fill blocks and go; `content` is what each block really holds."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BlockPool(COUNT, SIZE)
        self.sequences: list[tuple[list[int], list[bytes]]] = []
        self.content: dict[int, bytes | None] = {}

    @rule(tokens=st.lists(st.integers(0, 1), min_size=SIZE, max_size=4 * SIZE), more=st.integers(0, 2))
    def enter(self, tokens: list[int], more: int) -> None:
        digests = chain(b"", tokens, SIZE)
        known, unused = self.pool.unused_among(digests)
        missing = len(digests) - known + more
        if missing + unused > self.pool.free:
            return
        free = self.pool.free
        shared = self.pool.share(digests)
        assert len(shared) == known
        assert self.pool.free == free - unused
        assert [self.content[block] for block in shared] == digests[:known], (
            "a block does not hold what it is known for"
        )
        taken = self.pool.take(missing)
        held = {block for blocks, _ in self.sequences for block in blocks} | set(shared)
        assert not held & set(taken), "a block was handed out twice"
        for index, block in enumerate(taken):
            filled = known + index < len(digests)
            self.content[block] = digests[known + index] if filled else None
            if filled:
                self.pool.remember(block, digests[known + index])
        self.sequences.append((shared + taken, digests))

    @precondition(lambda self: self.sequences)
    @rule(data=st.data(), void=st.booleans())
    def leave(self, data: st.DataObject, void: bool) -> None:
        blocks, _ = self.sequences.pop(data.draw(st.integers(0, len(self.sequences) - 1)))
        before = dict(self.pool._known)
        self.pool.give_back(blocks, void)
        forgotten = set(before.values()) - set(self.pool._known.values())
        assert forgotten == (set(before.values()) & set(blocks) if void else set())

    @invariant()
    def nothing_is_lost(self) -> None:
        users = [0] * COUNT
        for blocks, _ in self.sequences:
            for block in blocks:
                users[block] += 1
        assert self.pool._users == users
        unused = {block for block in range(1, COUNT) if not users[block]}
        assert set(self.pool._unused) == unused
        assert self.pool.free == len(unused)
        assert self.pool.total == COUNT - 1
        assert NOBODYS not in self.pool._unused

    @invariant()
    def what_is_known_is_where_it_should_be(self) -> None:
        for digest, block in self.pool._known.items():
            assert self.pool._digest[block] == digest == self.content[block]
        assert sum(digest is not None for digest in self.pool._digest) == len(self.pool._known)


Pool.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestPool = Pool.TestCase


def filled(pool: BlockPool, *names: str) -> list[int]:
    blocks = pool.take(len(names))
    for block, name in zip(blocks, names, strict=True):
        pool.remember(block, name.encode())
    return blocks


def known(pool: BlockPool, *names: str) -> list[bool]:
    return [pool.unused_among([name.encode()])[0] == 1 for name in names]


def test_the_longest_unused_is_forgotten_first() -> None:
    pool = BlockPool(5, SIZE)
    a, b, c, d = filled(pool, "a", "b", "c", "d")
    for block in (b, d, a, c):
        pool.give_back([block])
    assert pool.take(1) == [b]
    assert pool.share([b"d"]) == [d]
    pool.give_back([d])
    assert pool.take(2) == [a, c]
    assert known(pool, "a", "b", "c", "d") == [False, False, False, True]


def test_what_remembers_nothing_is_taken_before_anything_is_forgotten() -> None:
    pool = BlockPool(6, SIZE)
    full = filled(pool, "a", "b", "c")
    pool.give_back(full)
    half = pool.take(1)
    assert half[0] not in full
    pool.give_back(half)
    assert pool.take(2)[0] == half[0]
    assert known(pool, "a", "b", "c") == [True] * 3


def test_the_end_of_a_sequence_is_forgotten_before_its_beginning() -> None:
    pool = BlockPool(4, SIZE)
    pool.give_back(filled(pool, "a", "ab", "abc"))
    pool.take(2)
    assert known(pool, "a", "ab", "abc") == [True, False, False]


def test_void_content_is_forgotten_and_taken_first() -> None:
    pool = BlockPool(5, SIZE)
    good, bad = filled(pool, "a", "b"), filled(pool, "x", "y")
    pool.give_back(good)
    pool.give_back(bad, void=True)
    assert known(pool, "a", "b", "x", "y") == [True, True, False, False]
    assert set(pool.take(2)) == set(bad)


def test_void_content_that_others_use_stays_theirs_and_is_shared_no_more() -> None:
    pool = BlockPool(4, SIZE)
    (block,) = filled(pool, "a")
    assert pool.share([b"a"]) == [block]
    pool.give_back([block], void=True)
    assert pool.free == 2
    assert pool.share([b"a"]) == []
    pool.give_back([block])
    assert pool.free == 3


def test_of_two_with_the_same_content_the_first_stays_known() -> None:
    pool = BlockPool(4, SIZE)
    first, second = pool.take(2)
    pool.remember(first, b"a")
    pool.remember(second, b"a")
    pool.give_back([second])
    assert pool.share([b"a"]) == [first]
    assert pool.take(1) == [second], "a block without a memory of its own is taken first"


def test_a_shared_beginning_ends_at_the_first_unknown_block() -> None:
    pool = BlockPool(6, SIZE)
    a, _, c = filled(pool, "a", "ab", "abc")
    pool.give_back([a])
    assert pool.share([b"a", b"other", b"abc"]) == [a]
    assert pool._users[c] == 1


tokens_of = st.lists(st.integers(0, 2**31), max_size=5 * SIZE)


@given(tokens=tokens_of, cuts=st.lists(st.integers(0, 5 * SIZE), max_size=4), scope=st.binary(max_size=5))
def test_digests_do_not_depend_on_the_parts_they_are_made_in(tokens: list[int], cuts: list[int], scope: bytes) -> None:
    grown: list[bytes] = []
    for cut in [*sorted(cuts), len(tokens)]:
        assert extend(grown, scope, tokens[:cut], SIZE) is grown
    assert grown == chain(scope, tokens, SIZE)
    assert len(grown) == len(tokens) // SIZE


@given(tokens=tokens_of, data=st.data())
def test_a_digest_names_every_token_up_to_its_end(tokens: list[int], data: st.DataObject) -> None:
    digests = chain(b"", tokens, SIZE)
    assert len(set(digests)) == len(digests)
    if not digests:
        return
    at = data.draw(st.integers(0, len(digests) * SIZE - 1))
    changed = chain(b"", [*tokens[:at], tokens[at] + 1, *tokens[at + 1 :]], SIZE)
    same = [left == right for left, right in zip(digests, changed, strict=True)]
    assert same == [index < at // SIZE for index in range(len(digests))]


@pytest.mark.parametrize("scopes", list(pairwise([b"", b"a", b"b", b"a" * 16, b"a" * 200])))
def test_another_scope_has_other_digests(scopes: Any) -> None:
    ours, theirs = (set(chain(scope, range(40), SIZE)) for scope in scopes)
    assert not ours & theirs
