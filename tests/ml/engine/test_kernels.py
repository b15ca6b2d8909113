"""The processor's kernels against the same in torch, and what may not be lost on the way."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ml.engine.architecture import Architecture
from ml.engine.batch import Piece, make_batch
from ml.engine.cpu.backend import CpuBackend
from ml.engine.cpu.kernels import BLOCK, norm_kernel
from ml.engine.cpu.simd import ITEM_BYTES, Code, Kind, Vec, compiled
from ml.engine.weights import LayerWeights, ModelWeights, Norm

DTYPES: dict[Kind, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ROUNDING: dict[Kind, float] = {"float32": 2e-6, "bfloat16": 2**-8}


def run(kernel: Any, *arguments: int | torch.Tensor, threads: int = 1) -> None:
    """Call a kernel; tensors are given by their address."""
    numbers = [each.data_ptr() if isinstance(each, torch.Tensor) else each for each in arguments]
    array = (ctypes.c_int64 * len(numbers))(*numbers)
    kernel(ctypes.addressof(array), threads)


def mapped(x: torch.Tensor, what: Callable[[Code, Vec], Vec], to: Kind = "float32", width: int = 16) -> torch.Tensor:
    """Apply `what` to every vector of the float32 tensor `x`."""

    def write(code: Code) -> None:
        count, source, target = (code.argument(index) for index in range(3))
        with code.loop(0, count, width) as at:
            code.store(to, target + at * ITEM_BYTES[to], what(code, code.load("float32", source + at * 4, width)))

    found = torch.empty(x.shape, dtype=DTYPES[to])
    run(compiled("mapped", write), x.numel(), x, found)
    return found


def close(found: torch.Tensor, expected: torch.Tensor, bound: float) -> bool:
    same = (found == expected) | (found.isnan() & expected.isnan())
    near = (found.double() - expected.double()).abs() <= bound * expected.double().abs().clamp(min=1e-30)
    return bool((same | near).all())


# ------------------------------------------------------------ the language

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-38,
    -1e-38,
    80.0,
    -80.0,
    86.9,
    88.0,
    3e38,
    -3e38,
    math.inf,
    -math.inf,
    math.nan,
    0.5,
]


def test_exp() -> None:
    x = torch.linspace(-86.9, 88.0, 16 * 4000)
    error = mapped(x, lambda code, v: v.exp()).double() / x.double().exp() - 1
    assert (error.abs() <= 1e-7 * (2 + x.abs())).all()
    low = mapped(torch.tensor([-100.0, -1e30, -math.inf, -88.0] * 4), lambda code, v: v.exp())
    assert (low < 1e-37).all(), "below the range it is as good as nothing"
    assert mapped(torch.tensor([math.nan] * 16), lambda code, v: v.exp()).isnan().all()


def test_tanh() -> None:
    x = torch.cat([torch.linspace(-30.0, 30.0, 16 * 2000), torch.tensor(SPECIAL)])
    found = mapped(x, lambda code, v: v.tanh())
    assert torch.allclose(found, x.tanh(), atol=1e-6, equal_nan=True)
    assert found.abs().nan_to_num(0).max() <= 1


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_sums_and_maxima_over_a_vector(width: int) -> None:
    x = torch.randn(16 * 8)
    rows = x.view(-1, width)
    total = mapped(x, lambda code, v: v.total(), width=width).view(-1, width)
    assert torch.allclose(total, rows.sum(1, keepdim=True).expand_as(total), atol=1e-5)
    largest = mapped(x, lambda code, v: v.largest(), width=width).view(-1, width)
    assert torch.equal(largest, rows.amax(1, keepdim=True).expand_as(largest))


def test_the_root() -> None:
    x = torch.rand(160) * 100 + 1e-6
    assert close(mapped(x, lambda code, v: v.inverse_root()), x.double().rsqrt(), 1e-6)


def test_rounding_to_bfloat16_is_torchs() -> None:
    bits = torch.randint(-(2**31), 2**31 - 1, (16 * 20000,), dtype=torch.int64).to(torch.int32)
    ties = (torch.arange(0, 2**16, dtype=torch.int64) << 16 | 0x8000).to(torch.int32)
    x = torch.cat([bits, ties]).view(torch.float32)
    assert close(mapped(x, lambda code, v: v, to="bfloat16"), x.bfloat16(), 0.0)


@pytest.mark.parametrize("bounds", [(0, 48), (3, 45), (16, 32), (17, 18), (20, 20)])
def test_lanes_outside_a_range_are_replaced(bounds: tuple[int, int]) -> None:
    x, found, (first, stop) = torch.full((48,), math.nan), torch.empty(48), bounds
    x[first:stop] = torch.arange(first, stop).float()

    def write(code: Code) -> None:
        with code.loop(0, 48, 16) as at:
            kept = code.between(
                at, code.integer(first), code.integer(stop), code.load("float32", code.argument(0) + at * 4, 16), 7
            )
            code.store("float32", code.argument(1) + at * 4, kept)

    run(compiled("kept", write), x, found)
    assert found.tolist() == [float(lane) if first <= lane < stop else 7.0 for lane in range(48)]


# ------------------------------------------------------------ norms


@pytest.mark.parametrize("kind", sorted(DTYPES))
@pytest.mark.parametrize("width", [1, 6, 33, 48, 576])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_norms(kind: Kind, width: int, centred: bool, added: bool, threads: int) -> None:
    dtype, rows, eps = DTYPES[kind], 7, 1e-5
    x, other = ((torch.randn(rows, width) * 3 + 5).to(dtype) for _ in "12")
    weight, bias = torch.randn(width), torch.randn(width)
    found = torch.full((rows + 1, width), 9.0, dtype=dtype)
    run(norm_kernel(kind, width, eps, centred, added), rows, x, weight, bias, other, found, threads=threads)
    if centred:
        expected = functional.layer_norm(x.double(), (width,), weight.double(), bias.double(), eps)
    else:
        expected = functional.rms_norm(x.double(), (width,), weight.double(), eps)
    expected = expected + other.double() if added else expected
    assert torch.allclose(found[:rows].double(), expected, rtol=ROUNDING[kind], atol=8 * ROUNDING[kind])
    assert (found[rows] == 9.0).all(), "it wrote beyond the rows"


@pytest.mark.parametrize("kind", sorted(DTYPES))
@pytest.mark.parametrize("centred", [False, True])
def test_a_wrong_number_spoils_its_own_row_of_a_norm_and_no_other(kind: Kind, centred: bool) -> None:
    x = torch.randn(4, 48).to(DTYPES[kind])
    x[1, 5], x[2, 40] = math.nan, math.inf
    found, ones = torch.empty_like(x), torch.ones(48)
    run(norm_kernel(kind, 48, 1e-6, centred, False), 4, x, ones, ones, 0, found)
    assert found[[0, 3]].isfinite().all()
    assert found[1].isnan().all()
    assert found[2].isnan().any()


# ------------------------------------------------------------ attention


def backend_of(
    kind: Kind, heads: int, kv_heads: int, size: int, *, window: int = 0, softcap: float = 0.0, rotary: bool = True,
    normed: bool = False, scale: float | None = None, context: int = 160,
) -> CpuBackend:  # fmt: skip
    """A backend of one layer whose cache is full of NaN, with four slots whose blocks are mixed."""
    dtype = DTYPES[kind]
    shape = Architecture(
        "llama", 1, 32, heads, kv_heads, size, 10, context, "silu", (window,), 1e-6, scale or size**-0.5,
        rotary=rotary, head_norm=normed, attention_softcap=softcap,
    )  # fmt: skip
    none = (torch.empty(0), None)
    norm = Norm(torch.ones(32))
    layer = LayerWeights(norm, none, none, norm, none, none)
    if normed:
        layer.query_norm, layer.key_norm = torch.rand(size) + 0.5, torch.rand(size) + 0.5
    turns = torch.outer(torch.arange(context).float(), 1e4 ** -(torch.arange(size // 2) / (size // 2)))
    angles = torch.cat([turns.cos(), turns.sin()], -1).contiguous()
    weights = ModelWeights(torch.zeros(10, 32, dtype=dtype), 1.0, None, [layer], norm, none, {"": angles})
    per_slot = context // BLOCK
    blocks = np.random.default_rng(3).permutation(np.arange(1, 4 * per_slot + 1))
    tables = np.zeros((5, per_slot), np.int32)
    tables[:4] = blocks.reshape(4, per_slot)
    backend = CpuBackend(shape, weights, 4 * per_slot + 1, tables, 400, False)
    backend.keys.fill_(math.nan)
    backend.values.fill_(math.nan)
    return backend


def attended(backend: CpuBackend, text: torch.Tensor, slot: int, start: int, stop: int) -> torch.Tensor:
    """Compute tokens [start, stop) of a text [tokens, (heads + 2 · kv_heads) · size] in a slot."""
    backend.begin(make_batch([Piece([0] * (stop - start), slot, start, True)]))
    return backend.attend(0, text[start:stop].contiguous())[: stop - start].clone()


def expected_attention(backend: CpuBackend, text: torch.Tensor) -> torch.Tensor:
    """The same for a whole text in float64 [tokens, heads · size]."""
    shape, layer = backend._shape, backend._weights.layers[0]
    parts = text.double().view(len(text), -1, shape.head_size).split([shape.heads, shape.kv_heads, shape.kv_heads], 1)
    queries, keys = (
        turned(part, weight, backend) for part, weight in zip(parts, (layer.query_norm, layer.key_norm), strict=False)
    )
    group = shape.heads // shape.kv_heads
    keys, values = (part.transpose(0, 1).repeat_interleave(group, 0) for part in (keys, parts[2]))
    scores = queries.transpose(0, 1) @ keys.transpose(1, 2) * shape.scale
    if shape.attention_softcap:
        scores = (scores / shape.attention_softcap).tanh() * shape.attention_softcap
    positions = torch.arange(len(text))
    distance = positions[:, None] - positions[None]
    hidden = (distance < 0) | (distance >= (shape.windows[0] or len(text)))
    weights = scores.masked_fill(hidden, -math.inf).softmax(-1)
    return (weights @ values).transpose(0, 1).flatten(1)


def turned(heads: torch.Tensor, weight: torch.Tensor | None, backend: CpuBackend) -> torch.Tensor:
    shape = backend._shape
    if weight is not None:
        heads = functional.rms_norm(heads, (shape.head_size,), weight.double(), shape.eps)
    if not shape.rotary:
        return heads
    cosines, sines = backend._weights.angles[""][: len(heads), None].double().chunk(2, -1)
    left, right = heads.chunk(2, -1)
    return torch.cat([left * cosines - right * sines, right * cosines + left * sines], -1)


def text_for(backend: CpuBackend, count: int, spread: float = 1.0) -> torch.Tensor:
    shape = backend._shape
    width = (shape.heads + 2 * shape.kv_heads) * shape.head_size
    return (torch.randn(count, width, generator=torch.Generator().manual_seed(count)) * spread).to(backend.dtype)


CASES: list[dict[str, Any]] = [
    {"heads": 4, "kv_heads": 2, "size": 16},
    {"heads": 3, "kv_heads": 1, "size": 12, "window": 20},
    {"heads": 7, "kv_heads": 1, "size": 20, "normed": True},
    {"heads": 9, "kv_heads": 1, "size": 8, "softcap": 2.0},
    {"heads": 18, "kv_heads": 2, "size": 80, "window": 33, "normed": True},
    {"heads": 22, "kv_heads": 2, "size": 4},
    {"heads": 3, "kv_heads": 3, "size": 7, "rotary": False},
    {"heads": 8, "kv_heads": 1, "size": 64, "softcap": 5.0, "window": 16, "scale": 0.3},
]


@pytest.mark.parametrize("kind", sorted(DTYPES))
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(f"{name}{value}" for name, value in case.items()))
def test_attention_over_scattered_blocks(kind: Kind, case: dict[str, Any]) -> None:
    """In parts of every path, beside another text in the same cache; NaN lies in all of it that is not theirs."""
    backend = backend_of(kind, **case)
    texts = [text_for(backend, 150), text_for(backend, 149)]
    expected = [expected_attention(backend, text) for text in texts]
    cuts = [0, 1, 16, 17, 50, 60, 100, 101, 149]
    for start, stop in pairwise(cuts):
        for slot, text in enumerate(texts):
            found = attended(backend, text, slot, start, stop)
            bound = 1e-5 if kind == "float32" else 0.03
            assert torch.allclose(found.double(), expected[slot][start:stop], atol=bound), (slot, start, stop)


@pytest.mark.parametrize("kind", sorted(DTYPES))
@pytest.mark.parametrize("part", [1, 40])
def test_very_unlike_scores(kind: Kind, part: int) -> None:
    backend = backend_of(kind, 4, 2, 16)
    text = text_for(backend, 100, spread=40.0)
    expected = expected_attention(backend, text)
    found = torch.cat([attended(backend, text, 0, start, start + part) for start in range(0, 80, part)])
    assert found.isfinite().all()
    if kind == "float32":
        assert torch.allclose(found.double(), expected[:80], atol=2e-2)


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_share_the_work(threads: int) -> None:
    backend, alone = backend_of("float32", 9, 3, 16), backend_of("float32", 9, 3, 16)
    backend._threads = threads
    backend._scratch = torch.empty(threads * backend._room // 4)
    backend._layers = [backend._layer_arguments(0)]
    text = text_for(backend, 120)
    attended(backend, text, 0, 0, 100)
    attended(alone, text, 0, 0, 100)
    backend.begin(make_batch([Piece([0] * 20, 0, 100, True)]))
    backend._place_threads = backend._attend_threads = threads
    assert torch.equal(backend.attend(0, text[100:120].contiguous())[:20], attended(alone, text, 0, 100, 120))


def test_only_the_new_positions_of_the_cache_are_written() -> None:
    backend = backend_of("float32", 4, 2, 16)
    text = text_for(backend, 60)
    attended(backend, text, 1, 0, 30)
    before = backend.keys.clone(), backend.values.clone()
    attended(backend, text, 1, 30, 50)
    touched = {(int(backend._tables[1, position // BLOCK]), position % BLOCK) for position in range(30, 50)}
    for now, then, axis in ((backend.keys, before[0], 4), (backend.values, before[1], 3)):
        changed = ~((now == then) | (now.isnan() & then.isnan()))
        others = tuple(dim for dim in range(5) if dim not in (1, axis))
        assert {tuple(place) for place in changed.any(dim=others).nonzero().tolist()} == touched
