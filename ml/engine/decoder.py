"""The forward pass, written once for every device; a backend computes its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ml.engine.architecture import Architecture
from ml.engine.batch import Batch
from ml.engine.weights import LayerWeights, Matrix, ModelWeights, Norm

# In the place of a matrix that a backend has taken.
NOTHING: Matrix = (torch.empty(0), None)


class Linear(Protocol):
    """x · weightᵀ + bias, and the same together with what follows it; x is [tokens, in]."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def activated(self, x: Tensor) -> Tensor:
        """Return the model's activation of the product."""
        ...

    def times(self, x: Tensor, other: Tensor) -> Tensor: ...

    def plus(self, x: Tensor, other: Tensor) -> Tensor: ...


class Backend(Protocol):
    """The parts of a pass on one kind of device. `begin` comes before the others of the same pass."""

    dtype: torch.dtype
    block: int

    def linear(self, matrix: Matrix) -> Linear: ...

    def begin(self, batch: Batch) -> None: ...

    def run(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return the result of `compute`, by a shorter way if the backend has one for this pass."""
        ...

    def embed(self) -> Tensor:
        """Return the embeddings of the batch's tokens [tokens or more, hidden]."""
        ...

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        """Norm rows; the result may be overwritten by the next call."""
        ...

    def norm_plus(self, x: Tensor, norm: Norm, other: Tensor) -> Tensor: ...

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        """Put the new keys and values into the cache and return every query's attention [tokens, heads · size]."""
        ...

    def wanted(self, x: Tensor) -> Tensor:
        """Return the rows whose logits are needed."""
        ...


@dataclass(slots=True)
class Layer:
    """A layer's norms as they are, and its matrices in the backend's own form."""

    weights: LayerWeights
    qkv: Linear
    out: Linear
    gate: Linear | None
    up: Linear
    down: Linear


class Decoder:
    """A decoder-only transformer over a backend with a cache."""

    def __init__(self, shape: Architecture, weights: ModelWeights, backend: Backend) -> None:
        self.shape, self.backend = shape, backend
        self._final_norm = weights.final_norm
        self._layers = [_layer(layer, backend) for layer in weights.layers]
        self._head = backend.linear(weights.head)
        weights.head = NOTHING

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits [wanted tokens, vocabulary], float32, of the batch's wanted tokens."""
        self.backend.begin(batch)
        return self.backend.run(self.compute)

    def compute(self) -> Tensor:
        """The pass over what the backend has begun; on a GPU this is what a graph records."""
        backend = self.backend
        x = backend.embed()
        for index, layer in enumerate(self._layers):
            x = self._layer(index, layer, x)
        x = backend.norm(backend.wanted(x), self._final_norm)
        logits = self._head(x).float()
        if self.shape.logits_softcap:
            logits = (logits / self.shape.logits_softcap).tanh_().mul_(self.shape.logits_softcap)
        return logits

    def _layer(self, index: int, layer: Layer, x: Tensor) -> Tensor:
        backend, weights = self.backend, layer.weights
        attended = backend.attend(index, layer.qkv(backend.norm(x, weights.before_attention)))
        if weights.after_attention is None:
            x = layer.out.plus(attended, x)
        else:
            x = backend.norm_plus(layer.out(attended), weights.after_attention, x)
        inner = backend.norm(x, weights.before_mlp)
        inner = layer.up.activated(inner) if layer.gate is None else layer.up.times(inner, layer.gate.activated(inner))
        if weights.after_mlp is None:
            return layer.down.plus(inner, x)
        return backend.norm_plus(layer.down(inner), weights.after_mlp, x)


def _layer(weights: LayerWeights, backend: Backend) -> Layer:
    """Hand the matrices to the backend, which keeps them in its own form; here they are given up."""
    gate = None if weights.gate is None else backend.linear(weights.gate)
    layer = Layer(
        weights,
        qkv=backend.linear(weights.qkv),
        out=backend.linear(weights.out),
        gate=gate,
        up=backend.linear(weights.up),
        down=backend.linear(weights.down),
    )
    weights.qkv = weights.out = weights.up = weights.down = NOTHING
    weights.gate = None
    return layer
