"""From turns to logits: lays the tokens of a pass out and keeps the block tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ml.engine.batch import Piece, make_batch
from ml.engine.decoder import Decoder
from ml.engine.loader import LoadedModel
from ml.engine.request import RequestState
from ml.engine.scheduler import Turn
from ml.types import ModelUnavailable


class Runner:
    """Computes turns with one decoder. `tables` [slots + 1, blocks] names each slot's blocks; the last row is spare."""

    def __init__(self, decoder: Decoder, tables: Any) -> None:
        self._decoder, self._tables = decoder, tables

    def compute(self, turns: Sequence[Turn]) -> torch.Tensor:
        """Return logits [requests whose last token was computed, vocabulary], float32; may be repeated."""
        batch = make_batch([self._piece(turn) for turn in turns])
        logits = self._decoder.forward(batch)
        if batch.order != tuple(range(len(batch.order))):
            logits = logits[list(batch.order)]
        return logits

    def rehearse(self, requests: int, prompt_tokens: int) -> Iterator[tuple[int, int, float]]:
        """Compute passes of the common sizes into nobody's block; yields (requests, tokens of a prompt, seconds).

        A device prepares itself for every new size, so each is computed twice and the second time counts.
        """
        spare = len(self._tables) - 1
        sizes = [1 << power for power in range(requests.bit_length())]
        passes = [(size, 0, [Piece([0], spare, 0, True)] * size) for size in sizes]
        passes.append((0, prompt_tokens, [Piece([0] * prompt_tokens, spare, 0, True)]))
        for writing, prompt, pieces in passes:
            for _ in range(2):
                began = time.perf_counter()
                self._decoder.forward(make_batch(pieces)).amax().item()
                seconds = time.perf_counter() - began
            yield writing, prompt, seconds

    def _piece(self, turn: Turn) -> Piece:
        state = turn.state
        slot = self._table(state)
        return Piece(state.next_tokens(turn.count), slot, state.computed, completes(turn))

    def _table(self, state: RequestState) -> int:
        """Write the blocks that are new into the request's row of the tables."""
        if state.slot is None:
            raise ValueError(f"request {state.request_id} does not run")
        if state.tabled < len(state.blocks):
            self._tables[state.slot, state.tabled : len(state.blocks)] = state.blocks[state.tabled :]
            state.tabled = len(state.blocks)
        return state.slot


def completes(turn: Turn) -> bool:
    """Whether the next token can be chosen after this turn."""
    return turn.count == turn.state.missing


SAMPLE_TOKENS = 40


def sample_tokens(vocabulary: int) -> list[int]:
    """Return a text of no meaning, long enough to cross blocks."""
    return [(7 * index * index + 3) % vocabulary for index in range(SAMPLE_TOKENS)]


def verify(decoder: Decoder, tables: Any, expected: torch.Tensor, loaded: LoadedModel) -> None:
    """Raise ModelUnavailable unless the decoder gives the logits that transformers gave for the sample.

    `expected` [SAMPLE_TOKENS or as many as fit the cache, vocabulary] are those. Architectures differ in many small
    ways; a part of the sample as a prompt, another part behind it and the rest token by token show a difference before
    a customer does. Uses blocks of the cache that nobody has yet.
    """
    size = decoder.backend.block
    count = -(-len(expected) // size)
    tables[0, :count] = np.arange(1, count + 1)
    tokens = sample_tokens(loaded.shape.vocabulary)
    cuts = sorted({min(cut, len(expected)) for cut in (0, 33, 36, *range(37, SAMPLE_TOKENS + 1))})
    for start, stop in pairwise(cuts):
        logits = decoder.forward(make_batch([Piece(tokens[start:stop], 0, start, True)]))[0]
        if not close(logits, expected[stop - 1].to(logits.device), loaded.exact):
            raise ModelUnavailable(f"{loaded.source}: the engine computes other results than transformers does")
    tables[0] = 0


def close(found: torch.Tensor, expected: torch.Tensor, exact: bool) -> bool:
    """Compare logits relative to their spread; half precision may differ more, wrong positions differ most."""
    finite = expected.isfinite() & found.isfinite()
    if not bool(finite.any()):
        return False
    spread = (expected[finite] - expected[finite].mean()).abs().max().clamp(min=1e-6)
    difference = (found[finite] - expected[finite]).abs().max()
    return bool(difference <= (1e-2 if exact else 0.25) * spread)
