"""What one pass through the model computes: new tokens of several sequences, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# An array of int32, one number a token.
Ints = Any


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens [start, stop) of the batch, which belong to one sequence and follow its first `past` positions.

    `slot` is the sequence's row of the block tables.
    """

    start: int
    stop: int
    slot: int
    past: int

    @property
    def count(self) -> int:
        return self.stop - self.start

    @property
    def length(self) -> int:
        """Positions that the last token sees, itself included."""
        return self.past + self.count


@dataclass(frozen=True, slots=True)
class Piece:
    """A sequence's part of a pass: `tokens` follow `past` computed ones; `wanted` asks for the next token's logits."""

    tokens: Sequence[int]
    slot: int
    past: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens, positions and table rows, int32 [tokens]; `wanted` are the tokens whose logits are needed.

    `spans` are ordered by their number of tokens, so that single tokens come first. `order` gives the place in
    `wanted` of each piece that asked for logits, in the order of the pieces.
    """

    tokens: Ints
    positions: Ints
    slots: Ints
    spans: tuple[Span, ...]
    wanted: Ints
    order: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.tokens)

    @property
    def decodes(self) -> bool:
        """Whether every sequence has exactly one new token."""
        return self.spans[-1].count == 1


def make_batch(pieces: Sequence[Piece]) -> Batch:
    """Lay pieces one after the other, the shortest first."""
    by_length = sorted(range(len(pieces)), key=lambda index: len(pieces[index].tokens))
    spans: list[Span] = []
    tokens: list[int] = []
    wanted: list[int] = []
    place: dict[int, int] = {}
    for index in by_length:
        piece = pieces[index]
        spans.append(Span(len(tokens), len(tokens) + len(piece.tokens), piece.slot, piece.past))
        tokens.extend(piece.tokens)
        if piece.wanted:
            place[index] = len(wanted)
            wanted.append(len(tokens) - 1)
    if spans[-1].count == 1:
        slots = np.array([span.slot for span in spans], np.int32)
        positions = np.array([span.past for span in spans], np.int32)
    else:
        slots = np.concatenate([np.full(span.count, span.slot, np.int32) for span in spans])
        positions = np.concatenate([np.arange(span.past, span.length, dtype=np.int32) for span in spans])
    order = tuple(place[index] for index, piece in enumerate(pieces) if piece.wanted)
    return Batch(np.array(tokens, np.int32), positions, slots, tuple(spans), np.array(wanted, np.int32), order)
