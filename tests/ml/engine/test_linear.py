"""Products with packed and with rounded weights, and what is fused into them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from ml.engine.architecture import Activation
from ml.engine.cpu.linear import INT8_ROWS, Int8Linear, PackedLinear, act
from ml.engine.gpu.linear import PlainLinear
from tests.ml.conftest import CONFIGS
from tests.ml.engine.building import DTYPES, built, expected_logits, needs_bfloat16, reference, rms, text_of

ACTIVATIONS: list[Activation] = ["silu", "gelu", "gelu_tanh"]
SHAPES = [(1, 1), (7, 5), (33, 17), (64, 96), (100, 481)]


def matrix_of(inside: int, outside: int, dtype: torch.dtype, biased: bool = True) -> tuple[torch.Tensor, Any]:
    torch.manual_seed(inside * 1000 + outside)
    weight = torch.randn(outside, inside) * inside**-0.5
    return weight.to(dtype), torch.randn(outside).to(dtype) if biased else None


def activated(x: torch.Tensor, activation: Activation) -> torch.Tensor:
    if activation == "silu":
        return functional.silu(x)
    return functional.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


def all_forms(linear: Any, x: torch.Tensor, other: torch.Tensor) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [
            form.clone() for form in (linear(x), linear.activated(x), linear.times(x, other), linear.plus(x, other))
        ]


def expected_forms(matrix: Any, x: torch.Tensor, other: torch.Tensor, activation: Activation) -> list[torch.Tensor]:
    weight, bias = matrix
    product = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    return [product, activated(product, activation), product * other.double(), product + other.double()]


@pytest.mark.parametrize("kind", [PackedLinear, PlainLinear])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("biased", [True, False])
def test_products_and_what_follows_them(kind: Any, activation: Activation, dtype: torch.dtype, biased: bool) -> None:
    for inside, outside in SHAPES:
        matrix = matrix_of(inside, outside, dtype, biased)
        linear = kind(matrix, activation)
        for rows in (1, 3, 32, 48):
            x, other = torch.randn(rows, inside).to(dtype), torch.randn(rows, outside).to(dtype)
            kept = x.clone(), other.clone()
            expected = expected_forms(matrix, x, other, activation)
            for found, right in zip(all_forms(linear, x, other), expected, strict=True):
                assert found.dtype == dtype
                bound = 1e-5 if dtype == torch.float32 else 0.05
                assert torch.allclose(found.double(), right, atol=bound, rtol=bound)
            assert torch.equal(x, kept[0])
            assert torch.equal(other, kept[1])


def test_no_rows_are_no_work() -> None:
    linear = PackedLinear(matrix_of(64, 96, torch.float32), "silu")
    assert [form.shape for form in all_forms(linear, torch.empty(0, 64), torch.empty(0, 96))] == [(0, 96)] * 4


@needs_bfloat16
def test_what_is_not_a_number_stays_in_its_row() -> None:
    linear = PackedLinear(matrix_of(64, 96, torch.bfloat16), "silu")
    x, other = torch.randn(48, 64).bfloat16(), torch.randn(48, 96).bfloat16()
    x[5, 3] = float("nan")
    for found in all_forms(linear, x, other):
        assert found[5].isnan().all()
        assert found[torch.arange(48) != 5].isfinite().all()


def test_a_matrix_can_be_given_up_after_packing() -> None:
    matrix = matrix_of(64, 96, torch.float32)
    linear, x = PackedLinear(matrix, "silu"), torch.randn(3, 64)
    before = linear(x)
    matrix[0].zero_()
    assert torch.equal(linear(x), before)


# ------------------------------------------------------------ eight bits


@needs_bfloat16
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("outside", [96, 481])
def test_weights_are_rounded_to_the_nearest_of_255_steps(biased: bool, outside: int) -> None:
    """Half a step of each output's own scale, and the rounding of that scale to bfloat16."""
    matrix = matrix_of(64, outside, torch.bfloat16, biased)
    matrix[0][3] *= 100  # one large output does not coarsen the others
    matrix[0][5] = 0
    linear = Int8Linear(matrix, "silu")
    eye = torch.eye(64).bfloat16()
    bias = 0 if matrix[1] is None else matrix[1].float()
    for rows in (INT8_ROWS, 64):
        columns = torch.cat([linear(part).float() - bias for part in eye.split(rows)]).t()
        step = matrix[0].float().abs().amax(-1, keepdim=True) / 127
        error = (columns - matrix[0].float()).abs()
        assert (error <= step * 0.5 + matrix[0].float().abs() * 2**-7 + (2**-7 if biased else 0) * 4).all()
        assert error[5].max() <= (2**-7 * 4 if biased else 0)


@needs_bfloat16
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("biased", [True, False])
def test_few_and_many_rows_give_the_same_but_for_rounding(activation: Activation, biased: bool) -> None:
    matrix = matrix_of(192, 96, torch.bfloat16, biased)
    linear = Int8Linear(matrix, activation)
    x, other = torch.randn(48, 192).bfloat16(), torch.randn(48, 96).bfloat16()
    many = all_forms(linear, x, other)
    parts = [all_forms(linear, *each) for each in zip(x.split(INT8_ROWS), other.split(INT8_ROWS), strict=True)]
    for index, form in enumerate(many):
        few = torch.cat([part[index] for part in parts])
        assert torch.allclose(few.float(), form.float(), atol=0.03, rtol=0.03)
        assert rms((few - form).float()) <= 2**-8 * rms(form.float())


@needs_bfloat16
def test_the_error_of_eight_bits_is_small_and_no_larger_for_few_rows() -> None:
    matrix = matrix_of(512, 512, torch.bfloat16, False)
    linear, x = Int8Linear(matrix, "silu"), torch.randn(64, 512).bfloat16()
    truth = functional.linear(x.double(), matrix[0].double())
    for rows in (1, INT8_ROWS, 64):
        found = torch.cat([linear(part) for part in x.split(rows)]).double()
        assert rms(found - truth) <= 0.012 * rms(truth)


@needs_bfloat16
@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2"])
def test_a_whole_model_in_eight_bits_is_near_the_exact_one(name: str) -> None:
    exact, rounded = reference(CONFIGS[name]()), reference(CONFIGS[name](), torch.bfloat16)
    decoder, tokens = built(rounded, int8=True), text_of(120, 480)
    decoder.give(0, 120)
    cuts = [0, 40, 60, 100, *range(101, 121)]
    truth = expected_logits(exact, tokens)[[cut - 1 for cut in cuts[1:]]]
    found = decoder.logits(tokens, cuts)
    assert rms(found - truth) <= 0.08 * rms(truth - truth.mean())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_by_name(activation: Activation) -> None:
    x = torch.randn(100)
    assert torch.equal(act(x, activation), activated(x, activation))
