"""Matrix products on a GPU."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ml.engine.architecture import Activation
from ml.engine.weights import Matrix


class PlainLinear:
    """A matrix as it is."""

    def __init__(self, matrix: Matrix, activation: Activation) -> None:
        self._weight, self._bias = matrix
        self._activation = activation

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self._weight, self._bias)

    def activated(self, x: Tensor) -> Tensor:
        product = self(x)
        if self._activation == "silu":
            return functional.silu(product, inplace=True)
        return functional.gelu(product, approximate="tanh" if self._activation == "gelu_tanh" else "none")

    def times(self, x: Tensor, other: Tensor) -> Tensor:
        return self(x).mul_(other)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        return self(x).add_(other)
