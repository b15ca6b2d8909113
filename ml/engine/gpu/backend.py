"""A pass through the model on a GPU: paged FlashAttention where torch has it for the device, graphs for decoding."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.engine.architecture import Architecture
from ml.engine.batch import Batch, Span
from ml.engine.decoder import Decoder, Linear
from ml.engine.gpu.linear import PlainLinear
from ml.engine.gpu.paged import paged_attention, why_not_paged
from ml.engine.weights import Matrix, ModelWeights, Norm

log = logging.getLogger(__name__)


class GpuBackend:
    """The cache is [layers, blocks, 256, key/value heads, head size]: FlashAttention wants blocks of 256 positions.

    `tables` [slots + 1, blocks of the longest sequence] is shared with the owner; its last row stays 0 and is where
    the padding of a graph writes. Inputs of a pass go into fixed tensors, so that a recorded graph finds them.
    """

    block = 256

    def __init__(
        self, shape: Architecture, weights: ModelWeights, blocks: int, tables: Any, tokens: int, device: torch.device
    ) -> None:
        self.dtype = weights.embedding.dtype
        self._shape, self._weights, self._device, self._host_tables = shape, weights, device, tables
        cache = (shape.layers, blocks, self.block, shape.kv_heads, shape.head_size)
        self.keys = torch.zeros(cache, dtype=self.dtype, device=device)
        self.values = torch.zeros(cache, dtype=self.dtype, device=device)
        slots, longest = tables.shape
        self._context = longest * self.block
        # tokens, positions and places in the cache; what each sequence has; where each begins; its blocks.
        self._ids, self._positions, self._places = (
            torch.zeros(tokens, dtype=torch.int64, device=device) for _ in "123"
        )
        self._lengths = torch.zeros(slots, dtype=torch.int32, device=device)
        self._starts = torch.zeros(slots + 1, dtype=torch.int32, device=device)
        self._tables = torch.zeros(slots, longest, dtype=torch.int32, device=device)
        self._wanted: Tensor | None = None
        self._spans: tuple[Span, ...] = ()
        self._graphs: dict[int, tuple[Any, Tensor]] = {}
        self._turns: dict[str, tuple[Tensor, Tensor]] = {}
        self._norms: dict[int, tuple[Tensor, Tensor | None]] = {}
        reason = why_not_paged(self.dtype, device, shape, self.block)
        self._paged = not reason
        if reason:
            log.warning("no paged attention on %s (%s): the cache is gathered in every step", device, reason)

    def linear(self, matrix: Matrix) -> Linear:
        return PlainLinear(matrix, self._shape.activation)

    # ------------------------------------------------------------ graphs

    def ready(self, decoder: Decoder) -> None:
        """Record the decoding step for a few numbers of sequences; without graphs the step runs as it is written."""
        if self._device.type != "cuda":
            return
        if not self._paged:
            log.warning("no CUDA graphs: they need paged attention")
            return
        slots = len(self._host_tables) - 1
        sizes = sorted({size for size in (1, 2, 4, *range(8, slots, 8)) if size <= slots} | {slots})
        try:
            for size in reversed(sizes):
                self._graphs[size] = self._record(decoder, size)
        except RuntimeError as error:
            self._graphs.clear()
            log.warning("no CUDA graphs: %s", str(error).splitlines()[0])
        else:
            log.info("recorded the decoding step for %s sequences", ", ".join(map(str, sizes)))

    def _record(self, decoder: Decoder, size: int) -> tuple[Any, Tensor]:
        self._pad(0, size)
        self._count, self._longest, self._wanted = size, self._context, None
        self._spans = ()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                decoder.compute()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Another engine of the process may go on meanwhile; what it calls is no part of this graph.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            logits = decoder.compute()
        return graph, logits

    def _pad(self, count: int, size: int) -> None:
        """Make sequences [count, size) write into the block that is nobody's."""
        self._ids[count:size] = 0
        self._positions[count:size] = 0
        self._places[count:size] = 0
        self._lengths[count:size] = 1
        self._tables[count:size] = 0
        self._starts[: size + 1] = torch.arange(size + 1, dtype=torch.int32, device=self._device)

    def run(self, compute: Callable[[], Tensor]) -> Tensor:
        """Compute the pass that has begun, with a recorded graph if there is one of its kind."""
        size = next((size for size in sorted(self._graphs) if size >= self._count), None)
        if size is None or not self._decodes or self._wanted is not None:
            return compute()
        self._pad(self._count, size)
        graph, logits = self._graphs[size]
        graph.replay()
        return logits[: self._count]

    # ------------------------------------------------------------ one pass

    def begin(self, batch: Batch) -> None:
        count, spans = batch.count, batch.spans
        self._count, self._spans, self._decodes = count, spans, batch.decodes
        positions = batch.positions
        places = self._host_tables[batch.slots, positions // self.block].astype(np.int64) * self.block
        numbers = np.stack([batch.tokens, positions, places + positions % self.block]).astype(np.int64)
        sent = self._send(numbers)
        self._ids[:count], self._positions[:count], self._places[:count] = sent[0], sent[1], sent[2]
        starts = [span.start for span in spans] + [count]
        lengths = [span.length for span in spans]
        self._longest = max(lengths)
        self._starts[: len(starts)] = self._send(np.array(starts, np.int32))
        self._lengths[: len(spans)] = self._send(np.array(lengths, np.int32))
        self._tables[: len(spans)] = self._send(self._host_tables[[span.slot for span in spans]])
        everything = batch.decodes and len(batch.wanted) == count
        self._wanted = None if everything else self._send(batch.wanted.astype(np.int64))

    def _send(self, numbers: Any) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(numbers))
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    def embed(self) -> Tensor:
        weights, positions = self._weights, self._positions[: self._count]
        x = functional.embedding(self._ids[: self._count], weights.embedding)
        if weights.embedding_scale != 1.0:
            x = x * weights.embedding_scale
        if weights.positions is not None:
            x = x + functional.embedding(positions, weights.positions)
        half = self._shape.head_size // 2
        for name, table in weights.angles.items():
            angles = functional.embedding(positions, table)[:, None]
            self._turns[name] = angles[..., :half], angles[..., half:]
        return x

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        weight, bias = self._norm_weights(norm)
        if self._shape.layer_norm:
            return functional.layer_norm(x, x.shape[-1:], weight, bias, self._shape.eps)
        return functional.rms_norm(x, x.shape[-1:], weight, self._shape.eps)

    def norm_plus(self, x: Tensor, norm: Norm, other: Tensor) -> Tensor:
        return self.norm(x, norm).add_(other)

    def _norm_weights(self, norm: Norm) -> tuple[Tensor, Tensor | None]:
        if id(norm) not in self._norms:
            bias = None if norm.bias is None else norm.bias.to(self.dtype)
            self._norms[id(norm)] = norm.weight.to(self.dtype), bias
        return self._norms[id(norm)]

    def wanted(self, x: Tensor) -> Tensor:
        return x if self._wanted is None else x[self._wanted]

    # ------------------------------------------------------------ attention

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        shape, weights = self._shape, self._weights.layers[layer]
        sizes = [shape.heads, shape.kv_heads, shape.kv_heads]
        queries, keys, values = qkv.view(len(qkv), -1, shape.head_size).split(sizes, 1)
        queries = self._turned(queries, weights.query_norm, weights.angles)
        keys = self._turned(keys, weights.key_norm, weights.angles)
        places = self._places[: self._count]
        self.keys[layer].flatten(0, 1).index_copy_(0, places, keys)
        self.values[layer].flatten(0, 1).index_copy_(0, places, values)
        if self._paged:
            result = self._attend_paged(layer, queries)
        else:
            result = torch.cat([self._attend_gathered(layer, span, queries) for span in self._spans])
        return result.reshape(len(qkv), -1)

    def _turned(self, heads: Tensor, weight: Tensor | None, angles: str) -> Tensor:
        """Norm and rotate [tokens, heads, size], in float32 between."""
        if weight is not None:
            heads = functional.rms_norm(heads.float(), heads.shape[-1:], weight, self._shape.eps)
        if self._shape.rotary:
            cosines, sines = self._turns[angles]
            left, right = heads.float().chunk(2, -1)
            heads = torch.cat([left * cosines - right * sines, right * cosines + left * sines], -1)
        return heads.to(self.dtype)

    def _attend_paged(self, layer: int, queries: Tensor) -> Tensor:
        count = len(self._spans) or self._count
        return paged_attention(
            queries,
            self.keys[layer],
            self.values[layer],
            self._starts[: count + 1],
            self._lengths[:count],
            self._tables[:count],
            most=max((span.count for span in self._spans), default=1),
            longest=self._longest,
            scale=self._shape.scale,
            window=self._shape.windows[layer],
        )

    def _attend_gathered(self, layer: int, span: Span, queries: Tensor) -> Tensor:
        shape = self._shape
        blocks = self._host_tables[span.slot, : -(-span.length // self.block)]
        where = self._send(blocks.astype(np.int64))
        keys, values = (
            cache[layer, where].flatten(0, 1)[: span.length].transpose(0, 1)[:, None]
            for cache in (self.keys, self.values)
        )
        asked = queries[span.start : span.stop].view(span.count, shape.kv_heads, -1, shape.head_size)
        asked = asked.permute(1, 2, 0, 3).float()
        scores = asked @ keys.float().transpose(-1, -2) * shape.scale
        if shape.attention_softcap:
            scores = torch.tanh(scores / shape.attention_softcap) * shape.attention_softcap
        query = torch.arange(span.past, span.length, device=self._device)[:, None]
        position = torch.arange(span.length, device=self._device)[None]
        hidden = position > query
        if shape.windows[layer]:
            hidden |= position <= query - shape.windows[layer]
        weights = scores.masked_fill_(hidden, float("-inf")).softmax(-1)
        return (weights @ values.float()).permute(2, 0, 1, 3).flatten(1, 2).to(self.dtype)
