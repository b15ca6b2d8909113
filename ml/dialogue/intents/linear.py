"""Linear classifiers over dense or sparse features, fitted to the optimum by L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

Loss = Literal["softmax", "hinge"]
# Beyond this an optimum is met to many more digits than the data can tell apart.
STEPS = 80


@dataclass(frozen=True)
class Linear:
    """`scores = features @ weights + bias`, (features, classes) and (classes)."""

    weights: Tensor
    bias: Tensor

    def scores(self, features: Tensor) -> Tensor:
        found: Tensor = features @ self.weights + self.bias
        return found


class _Product(torch.autograd.Function):
    """Sparse times dense, with the transposed matrix at hand: making it for each step would take most of the time."""

    @staticmethod
    def forward(context: Any, matrix: Tensor, transposed: Tensor, weights: Tensor) -> Tensor:
        context.transposed = transposed
        return matrix @ weights

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Any:
        return None, None, context.transposed @ gradients[0]


def fit(features: Tensor, labels: Tensor, classes: int, penalty: float, loss: Loss = "softmax") -> Linear:
    """The classifier that minimises the mean loss plus `penalty` times the squared weights over the number of rows.

    "softmax" is multinomial logistic regression, "hinge" one squared hinge against the rest for each class (Fan et al.
    2008, LIBLINEAR). Sparse features are CSR.
    """
    weights = torch.zeros(features.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    multiply: Callable[[Tensor], Tensor] = lambda given: features @ given  # noqa: E731
    if features.layout is torch.sparse_csr:
        transposed = features.to_sparse_coo().t().to_sparse_csr()
        multiply = lambda given: _Product.apply(features, transposed, given)  # noqa: E731
    signs = 2.0 * functional.one_hot(labels, classes) - 1.0
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=STEPS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        scores = multiply(weights) + bias
        if loss == "hinge":
            risk = functional.relu(1 - signs * scores).square().sum(1).mean()
        else:
            risk = functional.cross_entropy(scores, labels)
        total: Tensor = risk + penalty * weights.square().sum() / len(labels)
        total.backward()
        return total

    optimizer.step(closure)
    return Linear(weights.detach(), bias.detach())
