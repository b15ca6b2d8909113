"""Tiny models with random weights and tokenizers trained on a few sentences, built once per run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.gemma import GemmaConfig
from transformers.models.gemma2 import Gemma2Config
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.gpt2 import GPT2Config
from transformers.models.llama import LlamaConfig
from transformers.models.mistral import MistralConfig
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen3 import Qwen3Config

TEXTS = [
    "The quick brown fox jumps over the lazy dog while the kettle sings.",
    "A product description names the product, its audience and what it is good for.",
    "Grüße aus Köln: eine schöne Überraschung für alle. Ça va très bien, merci.",
    "中文内容也要正确显示，每个字都不能断开。", "Emoji 🙂🚀🎉 and flags 🇩🇪 are several bytes each.",
]  # fmt: skip

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIALS = ["<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
SIZES: dict[str, Any] = {"vocab_size": 480, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
SMALL: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.2, **SIZES,
}  # fmt: skip

CONFIGS: dict[str, Callable[[], Any]] = {
    "qwen3": lambda: Qwen3Config(**SMALL, head_dim=8),
    "gemma3": lambda: Gemma3TextConfig(
        **{**SMALL, "num_hidden_layers": 6}, head_dim=8, sliding_window=16, query_pre_attn_scalar=8
    ),
    "llama": lambda: LlamaConfig(**SMALL, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**SMALL),
    "mistral": lambda: MistralConfig(**SMALL, sliding_window=16),
    "gemma": lambda: GemmaConfig(**SMALL, head_dim=8),
    "gemma2": lambda: Gemma2Config(**SMALL, head_dim=8, sliding_window=16, query_pre_attn_scalar=8),
    "gpt2": lambda: GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.2, **SIZES
    ),
}  # fmt: skip

# Contexts beyond what the frequencies were made for, one per kind of scaling.
LONG: dict[str, Any] = {**SMALL, "max_position_embeddings": 640}
STRETCHED: dict[str, Any] = {"rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64}
VARIANTS: dict[str, Callable[[], Any]] = {
    "llama-long": lambda: LlamaConfig(**LONG),
    "llama3-rope": lambda: LlamaConfig(
        **LONG, rope_parameters={"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, **STRETCHED}
    ),
    "linear-rope": lambda: Qwen2Config(
        **LONG, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
    ),
    "yarn-rope": lambda: Qwen3Config(**LONG, head_dim=8, rope_parameters={"rope_type": "yarn", **STRETCHED}),
}


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE as in GPT-2, Llama 3 and Qwen, with a chat template that writes its own BOS."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=480, initial_alphabet=alphabet, special_tokens=SPECIALS)
    backend.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def sentencepiece_tokenizer() -> PreTrainedTokenizerFast:
    """BPE with "▁" for spaces and byte fallback as in Llama 2, without a chat template."""
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.decoder = decoders.Sequence(steps)
    specials = ["<s>", "</s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=specials)
    backend.train_from_iterator([text.replace(" ", "▁") for text in TEXTS[:3]], trainer)
    # Byte tokens are ordinary tokens: rebuild the model with only the first three marked as special.
    plain = Tokenizer.from_str(backend.to_str())
    plain = _unmark_bytes(plain)
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _unmark_bytes(backend: Tokenizer) -> Tokenizer:
    data = json.loads(backend.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(data))


def perturb(model: Any) -> None:
    """Give norms and biases, which start as ones and zeros, values of their own."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) * (0.3 if "norm" in name or "ln_" in name else 0.1)


@pytest.fixture(scope="session")
def byte_tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_tokenizer()


@pytest.fixture(scope="session")
def piece_tokenizer() -> PreTrainedTokenizerFast:
    return sentencepiece_tokenizer()


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory,
    byte_tokenizer: PreTrainedTokenizerFast,
    piece_tokenizer: PreTrainedTokenizerFast,
) -> Callable[..., Path]:
    """Return a function that gives the folder of a tiny model: family or variant, and kind of tokenizer."""
    folders: dict[tuple[str, str], Path] = {}

    def build(family: str = "llama", tokenizer: str = "byte") -> Path:
        if (family, tokenizer) not in folders:
            folder = tmp_path_factory.mktemp(f"{family}-{tokenizer}")
            torch.manual_seed(7)
            model = AutoModelForCausalLM.from_config({**CONFIGS, **VARIANTS}[family]())
            perturb(model)
            model.save_pretrained(folder)
            (byte_tokenizer if tokenizer == "byte" else piece_tokenizer).save_pretrained(folder)
            folders[family, tokenizer] = folder
        return folders[family, tokenizer]

    return build
