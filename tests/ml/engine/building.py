"""Decoders of any shape beside the transformers model that they are made from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from ml.engine.architecture import Architecture, describe
from ml.engine.batch import Piece, make_batch
from ml.engine.cpu.backend import CpuBackend
from ml.engine.cpu.linear import has_bfloat16
from ml.engine.decoder import Decoder
from ml.engine.gpu.backend import GpuBackend
from ml.engine.weights import take_apart
from tests.ml.conftest import perturb

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this processor does not multiply in bfloat16")
DTYPES = [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)]


def reference(config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """Return a transformers model with random weights; the same configuration gives the same one."""
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    perturb(model)
    return model.to(dtype).eval()


@dataclass
class Built:
    """A decoder with its cache; `give` lays out a slot's blocks, scattered over the cache."""

    decoder: Decoder
    backend: Any
    tables: Any
    shape: Architecture
    blocks: int

    def give(self, slot: int, positions: int) -> list[int]:
        """Give a slot blocks that nobody has, in no order."""
        count = -(-positions // self.backend.block)
        free = [block for block in range(1, self.blocks) if block not in self.tables]
        mixed = np.random.default_rng(slot).permutation(free)[:count].tolist()
        self.tables[slot, :count] = mixed
        return list(mixed)

    def forward(self, *pieces: Piece) -> torch.Tensor:
        with torch.inference_mode():
            batch = make_batch(pieces)
            return self.decoder.forward(batch)[list(batch.order)]

    def logits(self, tokens: Sequence[int], cuts: Sequence[int], slot: int = 0) -> torch.Tensor:
        """Compute a text in the parts between `cuts`, and return the logits after each part."""
        parts = [Piece(tokens[start:stop], slot, start, True) for start, stop in pairwise(cuts)]
        return torch.cat([self.forward(part) for part in parts])


def built(
    model: Any, blocks: int = 40, slots: int = 4, tokens: int = 600, int8: bool = False, gpu: bool = False
) -> Built:
    """Return a decoder made from a copy of `model`, its whole cache filled with what is not a number."""
    shape = describe(model.config, "tiny")
    with torch.inference_mode():
        weights = take_apart(copy.deepcopy(model), shape, shape.context)
        block = GpuBackend.block if gpu else CpuBackend.block
        tables: Any = np.zeros((slots + 1, -(-shape.context // block)), np.int32)
        backend: Any
        if gpu:
            backend = GpuBackend(shape, weights, blocks, tables, tokens, torch.device("cpu"))
        else:
            backend = CpuBackend(shape, weights, blocks, tables, tokens, int8)
        backend.keys.fill_(float("nan"))
        backend.values.fill_(float("nan"))
        return Built(Decoder(shape, weights, backend), backend, tables, shape, blocks)


def text_of(count: int, vocabulary: int, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(0, vocabulary, count).tolist()


def expected_logits(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    """What transformers computes after each token [tokens, vocabulary]."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0].float()  # type: ignore[no-any-return]


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, relative to the spread of the expected numbers; NaN if anything is not a number."""
    spread = expected.max() - expected.min()
    return float((found - expected).abs().max() / spread)


def rms(x: torch.Tensor) -> float:
    return float(x.pow(2).mean().sqrt())
