"""From a loaded model to a decoder on its device, with a cache that fits the budget."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from ml.engine.blocks import BlockPool
from ml.engine.cpu.backend import CpuBackend
from ml.engine.decoder import Decoder
from ml.engine.gpu.backend import GpuBackend
from ml.engine.loader import LoadedModel
from ml.engine.memory import cache_bytes
from ml.engine.runner import Runner, sample_tokens, verify
from ml.engine.spec import ModelSpec
from ml.engine.weights import take_apart
from ml.types import EngineError

log = logging.getLogger(__name__)


def build(spec: ModelSpec, loaded: LoadedModel, prompt_tokens: int) -> tuple[Runner, BlockPool, int]:
    """Return a verified runner, the pool of its blocks, and how many positions one sequence may have.

    `prompt_tokens` is the most that a pass computes of prompts. The model of `loaded` is taken apart. Raises
    ModelUnavailable if the result computes something else, EngineError for a cache without a single block.
    """
    gpu = loaded.device.type != "cpu"
    size = GpuBackend.block if gpu else CpuBackend.block
    sample = sample_tokens(loaded.shape.vocabulary)[: loaded.max_context]
    tokens = torch.tensor([sample], device=loaded.device)
    expected = loaded.model(input_ids=tokens, use_cache=False).logits[0].float()
    dtype = loaded.model.dtype
    weights = take_apart(loaded.model, loaded.shape, loaded.max_context)
    blocks = _blocks(spec, loaded, size, dtype.itemsize)
    context = min(loaded.max_context, (blocks - 1) * size)
    tables: Any = np.zeros((spec.max_running + 1, -(-context // size)), np.int32)
    at_once = prompt_tokens + spec.max_running
    backend: Any
    if gpu:
        backend = GpuBackend(loaded.shape, weights, blocks, tables, at_once, loaded.device)
    else:
        backend = CpuBackend(loaded.shape, weights, blocks, tables, at_once, loaded.int8)
    decoder = Decoder(loaded.shape, weights, backend)
    verify(decoder, tables, expected[:context], loaded)
    backend.ready(decoder)
    log.info("%s: context %d, cache %d positions of %s", spec.source, context, (blocks - 1) * size, dtype)
    return Runner(decoder, tables), BlockPool(blocks, size), context


def _blocks(spec: ModelSpec, loaded: LoadedModel, size: int, item_bytes: int) -> int:
    """Return how many blocks to make: one that is nobody's, and what the budget or a full batch allows."""
    if spec.cache_tokens is not None and spec.cache_tokens < size:
        raise EngineError(f"cache_tokens must be at least {size}", "invalid_request")
    most = spec.max_running * -(-loaded.max_context // size)
    affordable = cache_bytes(loaded.device) // (loaded.shape.cache_numbers() * item_bytes * size)
    if spec.cache_tokens is None:
        return max(1, min(most, affordable)) + 1
    return spec.cache_tokens // size + 1
