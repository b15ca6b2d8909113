"""Pieces lie one after the other, the shortest first, and their logits come back in the order of asking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ml.engine.batch import Piece, make_batch
from ml.engine.cpu.backend import padded


@st.composite
def pieces(draw: st.DrawFn, longest: int = 9) -> list[Piece]:
    found = []
    for slot in range(draw(st.integers(1, 8))):
        tokens = draw(st.lists(st.integers(0, 999), min_size=1, max_size=longest))
        found.append(Piece(tokens, slot, draw(st.integers(0, 50)), draw(st.booleans())))
    return found


@given(pieces())
def test_every_token_is_there_once_with_its_place(given_pieces: list[Piece]) -> None:
    batch = make_batch(given_pieces)
    assert batch.count == sum(len(piece.tokens) for piece in given_pieces)
    spans = {span.slot: span for span in batch.spans}
    for piece in given_pieces:
        span = spans[piece.slot]
        part = slice(span.start, span.stop)
        assert batch.tokens[part].tolist() == list(piece.tokens)
        assert batch.positions[part].tolist() == list(range(piece.past, piece.past + len(piece.tokens)))
        assert batch.slots[part].tolist() == [piece.slot] * len(piece.tokens)
        assert (span.past, span.count, span.length) == (piece.past, len(piece.tokens), piece.past + len(piece.tokens))
    ends = [0, *(span.stop for span in batch.spans)]
    assert [span.start for span in batch.spans] == ends[:-1]


@given(pieces())
def test_the_shortest_come_first_and_equals_in_order(given_pieces: list[Piece]) -> None:
    batch = make_batch(given_pieces)
    assert [(span.count, span.slot) for span in batch.spans] == sorted((len(p.tokens), p.slot) for p in given_pieces)
    assert batch.decodes == all(len(piece.tokens) == 1 for piece in given_pieces)


@given(pieces())
def test_wanted_logits_are_those_of_last_tokens_in_the_order_of_asking(given_pieces: list[Piece]) -> None:
    batch = make_batch(given_pieces)
    spans = {span.slot: span for span in batch.spans}
    asking = [piece for piece in given_pieces if piece.wanted]
    assert [int(batch.wanted[place]) for place in batch.order] == [spans[piece.slot].stop - 1 for piece in asking]
    assert len(batch.wanted) == len(asking)


@given(pieces(longest=1))
def test_single_tokens_need_no_other_order(given_pieces: list[Piece]) -> None:
    batch = make_batch(given_pieces)
    assert batch.order == tuple(range(len(batch.order)))
    assert {array.dtype.name for array in (batch.tokens, batch.positions, batch.slots, batch.wanted)} == {"int32"}


def test_padding_is_little_and_of_few_sizes() -> None:
    sizes = [padded(count) for count in range(1, 2000)]
    assert all(rows >= count for count, rows in enumerate(sizes, 1))
    assert sizes == sorted(sizes)
    assert all(rows - count < max(16, count // 4) for count, rows in enumerate(sizes, 1))
    assert [padded(rows) for rows in sizes] == sizes, "a buffer of padded size takes what fits it"
    assert len(set(sizes)) < 80
