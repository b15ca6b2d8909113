"""What the machine allows: the matrix products of one decode step and nothing else, and reading the weights once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

# A copy this large stays in no cache.
COPY_BYTES = 2 * 1024**3
COPIES = 20


class MatrixBound:
    """The linear layers of a model in the order of a forward pass, the output layer last, with the model's own weights.

    The weights are distinct and of full size, so a layer finds in the processor's cache only what a real step would
    have left there. Attention, norms, activations and sampling are not part of it.
    """

    def __init__(self, model: Any) -> None:
        layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear | Conv1D)]
        head = model.get_output_embeddings()
        layers = [layer for layer in layers if layer is not head]
        self._device = head.weight.device
        self._weights = [layer.weight.T if isinstance(layer, Conv1D) else layer.weight for layer in layers]
        self._weights.append(head.weight)
        self.weight_bytes = sum(weight.numel() * weight.element_size() for weight in self._weights)

    def tokens_per_second(self, batch: int, seconds: float) -> float:
        """Return what `batch` rows would reach if only the products cost anything; measures for `seconds`."""
        inputs = {
            width: torch.randn(batch, width, dtype=self._weights[0].dtype, device=self._device)
            for width in {weight.shape[1] for weight in self._weights}
        }

        def products() -> None:
            for weight in self._weights:
                functional.linear(inputs[weight.shape[1]], weight)

        with torch.inference_mode():
            step = _captured(products) if self._device.type == "cuda" else products
            return batch / _median_seconds(step, seconds, self._device)

    def reads_per_second(self) -> float:
        """Return how often a second the device could read all these weights, judged by a large copy."""
        rate: float = copy_bytes_per_second(self._device) / self.weight_bytes
        return rate


def copy_bytes_per_second(device: torch.device) -> float:
    """Measure the memory's bandwidth: bytes read plus bytes written of a copy."""
    size = COPY_BYTES if device.type == "cuda" else COPY_BYTES // 8
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = min(_seconds(lambda: target.copy_(source), device) for _ in range(COPIES))
    return 2 * size / best


def _captured(work: Callable[[], None]) -> Callable[[], None]:
    """Record a CUDA graph: the bound is what the GPU can do, not how fast Python can launch kernels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    replay: Callable[[], None] = graph.replay
    return replay


def _median_seconds(work: Callable[[], Any], seconds: float, device: torch.device) -> float:
    _seconds(work, device)
    samples: list[float] = []
    until = time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < until:
        samples.append(_seconds(work, device))
    return statistics.median(samples)


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
