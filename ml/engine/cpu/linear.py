"""Matrix products on the processor: weights packed once for oneDNN, with what follows the product fused into it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ml.engine.architecture import Activation
from ml.engine.weights import Matrix

FUSED = {"silu": ("swish", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh")}
# Rows up to which reading half the bytes beats computing in bfloat16: measured by `bench/engine.py`.
INT8_ROWS = 4


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16: without the instructions, oneDNN packs float32 only."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedLinear:
    """A float32 or bfloat16 matrix in the blocked layout that oneDNN chooses for this processor.

    Packing saves the unpacking that a plain product repeats every time: measured 1.3 to 2.7 times the speed.
    """

    def __init__(self, matrix: Matrix, activation: Activation) -> None:
        weight, self._bias = matrix
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)
        self._fused = FUSED[activation]
        self._one, self._two = torch.ops.mkldnn._linear_pointwise.default, torch.ops.mkldnn._linear_pointwise.binary

    def __call__(self, x: Tensor) -> Tensor:
        return self._one(x, self._weight, self._bias, "none", [], "")

    def activated(self, x: Tensor) -> Tensor:
        return self._one(x, self._weight, self._bias, self._fused[0], [], self._fused[1])

    def times(self, x: Tensor, other: Tensor) -> Tensor:
        return self._two(x, other, self._weight, self._bias, "mul")

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        return self._two(x, other, self._weight, self._bias, "add")


class Int8Linear:
    """A matrix rounded to 8 bits, with one scale per output.

    A few rows read the 8-bit weights, which takes half the time that bfloat16 does; many rows are bound by arithmetic,
    and use the same rounded weights in bfloat16, so that an answer depends on its company by bfloat16's rounding only.
    """

    def __init__(self, matrix: Matrix, activation: Activation) -> None:
        weight, bias = matrix
        rows = weight.float()
        scale = rows.abs().amax(-1).clamp(min=1e-8) / 127
        self._scale = scale.bfloat16()
        self._bias = None if bias is None else bias.bfloat16()
        self._int8 = (rows / self._scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).contiguous()
        rounded = (self._int8.float() * self._scale.float()[:, None]).bfloat16()
        self._packed = PackedLinear((rounded, self._bias), activation)
        self._activation = activation

    def __call__(self, x: Tensor) -> Tensor:
        return self._few(x) if len(x) <= INT8_ROWS else self._packed(x)

    def activated(self, x: Tensor) -> Tensor:
        return act(self._few(x), self._activation) if len(x) <= INT8_ROWS else self._packed.activated(x)

    def times(self, x: Tensor, other: Tensor) -> Tensor:
        return self._few(x).mul_(other) if len(x) <= INT8_ROWS else self._packed.times(x, other)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        return self._few(x).add_(other) if len(x) <= INT8_ROWS else self._packed.plus(x, other)

    def _few(self, x: Tensor) -> Tensor:
        product = torch._weight_int8pack_mm(x, self._int8, self._scale)
        return product if self._bias is None else product.add_(self._bias)


def act(x: Tensor, activation: Activation) -> Tensor:
    """Apply the activation."""
    if activation == "silu":
        return functional.silu(x)
    return functional.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")
