"""The decoder computes what transformers computes, for every shape that is not refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.models.gemma2 import Gemma2Config
from transformers.models.gpt2 import GPT2Config
from transformers.models.llama import LlamaConfig
from transformers.models.mistral import MistralConfig
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen3 import Qwen3Config

from ml.engine.architecture import describe
from ml.engine.batch import Piece
from ml.engine.runner import SAMPLE_TOKENS
from tests.ml.conftest import CONFIGS, SIZES, SMALL, VARIANTS
from tests.ml.engine.building import (
    DTYPES,
    built,
    difference,
    expected_logits,
    needs_bfloat16,
    reference,
    rms,
    text_of,
)

EXACT = 2e-5
ALL = CONFIGS | VARIANTS
# Parts on both sides of every path: single tokens, short parts, matrices, with and without a past.
CUTS = [0, 33, 34, 35, 67, 130, 131, 146, 147, 200]


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_family_in_parts_of_every_kind(name: str) -> None:
    model = reference(ALL[name]())
    decoder, tokens = built(model), text_of(200, 480)
    decoder.give(0, 200)
    found = decoder.logits(tokens, CUTS)
    assert difference(found, expected_logits(model, tokens)[[cut - 1 for cut in CUTS[1:]]]) < EXACT


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 239, 240, 241])
def test_parts_that_end_at_the_border_of_a_block(name: str, length: int) -> None:
    model = reference(ALL[name]())
    decoder, tokens = built(model), text_of(256, 480, seed=length)
    decoder.give(0, 256)
    cuts = [0, length, *range(length + 1, length + 4), 256]
    found = decoder.logits(tokens, cuts)
    assert difference(found, expected_logits(model, tokens)[[cut - 1 for cut in cuts[1:]]]) < EXACT


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_sequences_of_every_kind_in_one_pass(name: str) -> None:
    """Single tokens, a short part and long parts, with and without a past, of four sequences."""
    model = reference(CONFIGS[name]())
    decoder = built(model)
    parts = [(0, 70), (40, 41), (50, 60), (64, 128)]
    texts = [text_of(stop, 480, seed) for seed, (_, stop) in enumerate(parts)]
    for slot, (start, stop) in enumerate(parts):
        decoder.give(slot, stop)
        if start:
            decoder.forward(Piece(texts[slot][:start], slot, 0, False), Piece([0], 4, 0, True))
    found = decoder.forward(*(Piece(texts[slot][start:], slot, start, True) for slot, (start, _) in enumerate(parts)))
    for slot, text in enumerate(texts):
        assert difference(found[slot], expected_logits(model, text)[-1]) < EXACT, parts[slot]


def test_a_pass_that_wants_no_logits_at_all() -> None:
    model = reference(CONFIGS["llama"]())
    decoder, tokens = built(model), text_of(80, 480)
    decoder.give(0, 80)
    assert decoder.forward(Piece(tokens[:40], 0, 0, False)).shape == (0, 480)
    assert difference(decoder.logits(tokens, [40, 80]), expected_logits(model, tokens)[-1:]) < EXACT


@pytest.mark.parametrize("count", [511, 512, 513, 576])
def test_a_pass_of_the_most_tokens_stays_within_its_buffers(count: int) -> None:
    model = reference(VARIANTS["llama-long"]())
    decoder, tokens = built(model, blocks=80, tokens=count), text_of(count, 480)
    decoder.give(0, count)
    found = decoder.logits(tokens, [0, count])
    assert difference(found, expected_logits(model, tokens)[-1:]) < EXACT


# ------------------------------------------------------------ shapes

HEADS = [
    (4, 4, 8), (4, 1, 12), (3, 1, 20), (7, 1, 16), (9, 1, 80), (9, 3, 64), (14, 2, 8), (16, 2, 4), (22, 2, 12),
    (26, 2, 8), (1, 1, 24), (5, 5, 36), (6, 2, 128), (2, 1, 256), (32, 2, 8),
]  # fmt: skip


@pytest.mark.parametrize(("heads", "kv_heads", "size"), HEADS)
def test_heads_of_any_number_and_size(heads: int, kv_heads: int, size: int) -> None:
    config = Qwen3Config(**SMALL | {"num_attention_heads": heads, "num_key_value_heads": kv_heads}, head_dim=size)
    check(config)


@pytest.mark.parametrize(("heads", "size"), [(2, 7), (3, 5), (1, 33), (4, 16)])
def test_heads_without_rotation_may_be_odd(heads: int, size: int) -> None:
    check(GPT2Config(n_embd=heads * size, n_layer=2, n_head=heads, n_positions=128, initializer_range=0.2, **SIZES))


@pytest.mark.parametrize("hidden", [1, 17, 30, 40, 100, 176])
@pytest.mark.parametrize("vocabulary", [7, 100, 481])
def test_widths_that_are_no_multiple_of_a_vector(hidden: int, vocabulary: int) -> None:
    sizes = {"hidden_size": hidden, "vocab_size": vocabulary, "intermediate_size": hidden + 5, "num_attention_heads": 1}
    check(LlamaConfig(**SMALL | sizes | {"num_key_value_heads": 1}, head_dim=8))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_biases_and_tied_heads(tied: bool, biased: bool) -> None:
    check(LlamaConfig(**SMALL, attention_bias=biased, mlp_bias=biased, tie_word_embeddings=tied))


@pytest.mark.parametrize("activation", ["silu", "gelu", "gelu_pytorch_tanh", "gelu_new"])
def test_activations(activation: str) -> None:
    check(LlamaConfig(**SMALL, hidden_act=activation))
    check(GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.2, activation_function=activation, **SIZES
    ))  # fmt: skip


@pytest.mark.parametrize("window", [1, 5, 15, 16, 17, 40, 1000])
def test_windows_of_any_length(window: int) -> None:
    check(MistralConfig(**SMALL, sliding_window=window))
    check(Qwen2Config(**SMALL, sliding_window=window, use_sliding_window=True, max_window_layers=1))


@pytest.mark.parametrize("caps", [(None, None), (5.0, None), (None, 3.0), (50.0, 30.0)])
def test_caps_on_scores_and_logits(caps: tuple[float | None, float | None]) -> None:
    check(Gemma2Config(
        **SMALL, head_dim=8, sliding_window=16, query_pre_attn_scalar=24,
        attn_logit_softcapping=caps[0], final_logit_softcapping=caps[1],
    ))  # fmt: skip


def check(config: Any, bound: float = EXACT) -> None:
    model = reference(config)
    decoder, tokens = built(model), text_of(100, config.vocab_size)
    decoder.give(0, 100)
    cuts = [0, 40, 41, 60, 98, 99, 100]
    found = decoder.logits(tokens, cuts)
    assert difference(found, expected_logits(model, tokens)[[cut - 1 for cut in cuts[1:]]]) < bound


# ------------------------------------------------------------ half precision


@needs_bfloat16
@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_bfloat16_is_as_near_to_the_truth_as_transformers_is(name: str) -> None:
    exact = reference(CONFIGS[name]())
    rounded = reference(CONFIGS[name](), torch.bfloat16)
    exact.load_state_dict(rounded.state_dict())
    decoder, tokens = built(rounded), text_of(200, 480)
    decoder.give(0, 200)
    truth = expected_logits(exact, tokens)[[cut - 1 for cut in CUTS[1:]]]
    theirs = expected_logits(rounded, tokens)[[cut - 1 for cut in CUTS[1:]]]
    ours = decoder.logits(tokens, CUTS)
    assert ours.dtype == torch.float32
    assert rms(ours - truth) <= 1.25 * rms(theirs - truth)


# ------------------------------------------------------------ what is not a number


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("dtype", DTYPES)
@torch.inference_mode()
def test_what_others_left_in_the_cache_does_not_show(name: str, dtype: torch.dtype) -> None:
    """`built` fills the cache with NaN; zeros must give the same to the last bit."""
    model = reference(CONFIGS[name](), dtype)
    dirty, clean, tokens = built(model), built(model), text_of(200, 480)
    clean.backend.keys.zero_()
    clean.backend.values.zero_()
    for decoder in (dirty, clean):
        decoder.give(0, 200)
    assert torch.equal(dirty.logits(tokens, CUTS), clean.logits(tokens, CUTS))


@pytest.mark.parametrize("where", ["keys", "values"])
@pytest.mark.parametrize("part", [1, 10, 40])
@pytest.mark.parametrize("position", [0, 15, 16, 49])
@pytest.mark.parametrize("dtype", DTYPES)
@torch.inference_mode()
def test_what_is_wrong_in_the_own_cache_shows(where: str, part: int, position: int, dtype: torch.dtype) -> None:
    model = reference(CONFIGS["llama"](), dtype)
    decoder, tokens = built(model), text_of(50 + part, 480)
    blocks = decoder.give(0, 50 + part)
    assert decoder.logits(tokens, [0, 50]).isfinite().all()
    cache = getattr(decoder.backend, where)[0, blocks[position // 16]]
    if where == "keys":
        cache[..., position % 16] = float("nan")
    else:
        cache[:, position % 16] = float("nan")
    assert decoder.logits(tokens, [50, 50 + part]).isnan().all()


@torch.inference_mode()
def test_a_poisoned_sequence_does_not_touch_its_neighbours() -> None:
    model = reference(CONFIGS["llama"]())
    alone, beside = built(model), built(model)
    text, other = text_of(60, 480, 1), text_of(60, 480, 2)
    for decoder in (alone, beside):
        decoder.give(0, 60)
    blocks = beside.give(1, 60)
    beside.logits(other, [0, 50], slot=1)
    beside.backend.values[:, blocks[0]] = float("inf")
    for decoder in (alone, beside):
        decoder.logits(text, [0, 50])
    found = beside.forward(Piece(other[50:51], 1, 50, True), Piece(text[50:51], 0, 50, True))
    assert not found[0].isfinite().all()
    assert difference(found[1], alone.forward(Piece(text[50:51], 0, 50, True))[0]) < EXACT


def test_the_check_at_the_start_sees_every_path() -> None:
    assert SAMPLE_TOKENS > 33 + 3, "a part as matrices, a short one behind it, and single tokens"
    assert describe(CONFIGS["llama"](), "tiny").context >= SAMPLE_TOKENS
