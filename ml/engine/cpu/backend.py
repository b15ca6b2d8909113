"""A pass through the model on the processor."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.engine.architecture import Architecture
from ml.engine.batch import Batch
from ml.engine.cpu.kernels import BLOCK, MOST_HEADS, HeadShape, attend_kernel, norm_kernel, place_kernel
from ml.engine.cpu.linear import Int8Linear, PackedLinear
from ml.engine.cpu.simd import Kind
from ml.engine.decoder import Decoder, Linear
from ml.engine.weights import Matrix, ModelWeights, Norm

# Work below this is done by one thread: about 10 µs, what it costs to wake the others.
ALONE_NUMBERS, ALONE_PAIRS = 60_000, 2_000


class CpuBackend:
    """Activations and cache in `dtype` (float32 or bfloat16); sums, norms and angles in float32.

    The cache has `blocks` blocks of 16 positions. `tables` [slots, blocks of the longest sequence] is shared with the
    owner, who writes into it which blocks a sequence has. At most `tokens` tokens are computed in one pass.
    """

    block = BLOCK

    def __init__(
        self, shape: Architecture, weights: ModelWeights, blocks: int, tables: Any, tokens: int, int8: bool
    ) -> None:
        self.dtype = weights.embedding.dtype
        self._shape, self._weights, self._int8 = shape, weights, int8
        self._kind: Kind = "float32" if self.dtype == torch.float32 else "bfloat16"
        tokens = padded(tokens)
        heads = (shape.layers, blocks, shape.kv_heads)
        self.keys = torch.empty(*heads, shape.head_size, BLOCK, dtype=self.dtype)
        self.values = torch.empty(*heads, BLOCK, shape.head_size, dtype=self.dtype)
        self._tables = tables
        self._threads = torch.get_num_threads()
        self._positions: Any = np.zeros(tokens, np.int32)
        self._slots: Any = np.zeros(tokens, np.int32)
        self._lengths: Any = np.zeros(tokens, np.int32)
        width = shape.heads * shape.head_size
        self._normed = torch.zeros(tokens, shape.hidden, dtype=self.dtype)
        self._queries = torch.zeros(tokens, width, dtype=torch.float32)
        self._attended = torch.zeros(tokens, width, dtype=self.dtype)
        self._room = MOST_HEADS * tables.shape[1] * BLOCK * 4
        self._scratch = torch.empty(self._threads * self._room // 4, dtype=torch.float32)
        self._norm = norm_kernel(self._kind, shape.hidden, shape.eps, shape.layer_norm, False)
        self._norm_plus = norm_kernel(self._kind, shape.hidden, shape.eps, shape.layer_norm, True)
        head = HeadShape(
            self._kind, shape.heads, shape.kv_heads, shape.head_size, shape.rotary, shape.head_norm, shape.eps,
            shape.scale, shape.attention_softcap,
        )  # fmt: skip
        self._place, self._attend = place_kernel(head), attend_kernel(head)
        self._norm_arguments = (ctypes.c_int64 * 6)()
        self._layers = [self._layer_arguments(index) for index in range(shape.layers)]

    def _layer_arguments(self, index: int) -> tuple[Any, Any]:
        """The kernels' arguments that never change; tokens and input are filled in at each pass."""
        layer, tables = self._weights.layers[index], self._tables
        cache = (self.keys[index].data_ptr(), self.values[index].data_ptr())
        norms = [0 if norm is None else norm.data_ptr() for norm in (layer.query_norm, layer.key_norm)]
        angles = self._weights.angles[layer.angles].data_ptr() if self._shape.rotary else 0
        where = (self._slots.ctypes.data, tables.ctypes.data, tables.shape[1])
        place = (ctypes.c_int64 * 12)(
            0, 0, self._positions.ctypes.data, *where, angles, *norms, self._queries.data_ptr(), *cache
        )
        attend = (ctypes.c_int64 * 12)(
            0, self._queries.data_ptr(), *cache, *where, self._lengths.ctypes.data, self._shape.windows[index],
            self._scratch.data_ptr(), self._room, self._attended.data_ptr(),
        )  # fmt: skip
        return place, attend

    def linear(self, matrix: Matrix) -> Linear:
        kind = Int8Linear if self._int8 and matrix[0].shape[1] % 32 == 0 else PackedLinear
        return kind(matrix, self._shape.activation)

    # ------------------------------------------------------------ one pass

    def begin(self, batch: Batch) -> None:
        count = self._count = batch.count
        self._batch = batch
        self._positions[:count] = batch.positions
        self._slots[:count] = batch.slots
        self._lengths[:count] = batch.positions + 1
        pairs = int(batch.positions.sum()) * self._shape.heads
        self._attend_threads = 1 if pairs < ALONE_PAIRS else self._threads
        self._place_threads = 1 if count * self._queries.shape[1] < ALONE_NUMBERS else self._threads

    def run(self, compute: Callable[[], Tensor]) -> Tensor:
        return compute()

    def ready(self, decoder: Decoder) -> None:
        """Nothing is recorded on a processor."""

    def embed(self) -> Tensor:
        """Rows beyond the batch's tokens are padding: oneDNN prepares itself for every new number of rows."""
        batch, weights = self._batch, self._weights
        rows = padded(batch.count)
        tokens = torch.zeros(rows, dtype=torch.int64)
        tokens[: batch.count] = torch.from_numpy(batch.tokens)
        x = functional.embedding(tokens, weights.embedding)
        if weights.embedding_scale != 1.0:
            x = x * weights.embedding_scale
        if weights.positions is not None:
            x[: batch.count] += weights.positions[torch.from_numpy(batch.positions).long()]
        return x

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        target = self._normed[: len(x)]
        self._run_norm(self._norm, x, norm, 0, target)
        return target

    def norm_plus(self, x: Tensor, norm: Norm, other: Tensor) -> Tensor:
        target = torch.empty_like(x)
        self._run_norm(self._norm_plus, x, norm, other.data_ptr(), target)
        return target

    def _run_norm(self, kernel: Any, x: Tensor, norm: Norm, other: int, target: Tensor) -> None:
        rows, arguments = len(x), self._norm_arguments
        arguments[0], arguments[1], arguments[2] = rows, x.data_ptr(), norm.weight.data_ptr()
        arguments[3] = 0 if norm.bias is None else norm.bias.data_ptr()
        arguments[4], arguments[5] = other, target.data_ptr()
        kernel(ctypes.addressof(arguments), 1 if rows * self._shape.hidden < ALONE_NUMBERS else self._threads)

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        place, attend = self._layers[layer]
        place[0], place[1] = self._count, qkv.data_ptr()
        self._place(ctypes.addressof(place), self._place_threads)
        attend[0] = self._count
        self._attend(ctypes.addressof(attend), self._attend_threads)
        return self._attended[: len(qkv)]

    def wanted(self, x: Tensor) -> Tensor:
        return x[torch.from_numpy(self._batch.wanted).long()]


def padded(count: int) -> int:
    """Return the rows to compute for `count` tokens: few different numbers, little waste."""
    step = 1 if count <= 32 else 16 if count <= 256 else 64
    return -(-count // step) * step
