"""Which decoders the engine runs, and what it has to know of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ml.types import ModelUnavailable

Activation = Literal["silu", "gelu", "gelu_tanh"]

FAMILIES = {
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen2": "Qwen2",
    "qwen3": "Qwen3",
    "gemma": "Gemma",
    "gemma2": "Gemma 2",
    "gemma3_text": "Gemma 3",
    "gpt2": "GPT-2",
}
RUNS = "the engine runs " + ", ".join(FAMILIES.values())
ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
# These change the frequencies of every position once a text grows beyond the trained length, so keys that are
# already cached, and the other requests of the batch, would be wrong.
LENGTH_DEPENDENT_ROPE = {"dynamic", "longrope"}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a decoder-only transformer. Sizes count components, `context` and `windows` positions.

    `windows` has one entry per layer, 0 where a layer sees everything. `offset_norm` adds 1 to the weights of norms.
    `post_norms` says that each half of a layer is normed once more before it is added.
    """

    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int
    activation: Activation
    windows: tuple[int, ...]
    eps: float
    scale: float
    rotary: bool = True
    layer_norm: bool = False
    gated: bool = True
    head_norm: bool = False
    post_norms: bool = False
    offset_norm: bool = False
    attention_softcap: float = 0.0
    logits_softcap: float = 0.0

    def cache_numbers(self) -> int:
        """Return how many numbers one position takes in the cache of all layers."""
        return 2 * self.layers * self.kv_heads * self.head_size


def describe(config: Any, source: str) -> Architecture:
    """Return the architecture of a transformers configuration; raises ModelUnavailable for what is not run."""
    family = str(config.model_type)
    if family not in FAMILIES:
        raise ModelUnavailable(f"{source}: {RUNS}, not {family}; name an OpenAI-compatible server for it instead")
    found = _gpt2(config, source) if family == "gpt2" else _llama_like(config, family, source)
    if found.heads % found.kv_heads or found.head_size % (4 if found.rotary else 1):
        raise ModelUnavailable(f"{source}: {found.heads} heads of {found.head_size} over {found.kv_heads} do not fit")
    return found


def _activation(name: str, source: str) -> Activation:
    if name not in ACTIVATIONS:
        raise ModelUnavailable(f"{source}: the engine does not know the activation {name}")
    return ACTIVATIONS[name]


def _llama_like(config: Any, family: str, source: str) -> Architecture:
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if getattr(config, "use_bidirectional_attention", None):
        raise ModelUnavailable(f"{source}: an encoder (bidirectional attention) writes no text")
    gemma = family.startswith("gemma")
    divisor = getattr(config, "query_pre_attn_scalar", None) or head_size
    activation = getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", None) or "silu"
    return Architecture(
        family=family,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads or config.num_attention_heads,
        head_size=head_size,
        vocabulary=config.vocab_size,
        context=context_of(config),
        activation="gelu_tanh" if gemma and activation == "gelu" else _activation(activation, source),
        windows=_windows(config, source),
        eps=config.rms_norm_eps,
        scale=divisor**-0.5,
        head_norm=family in {"qwen3", "gemma3_text"},
        post_norms=family in {"gemma2", "gemma3_text"},
        offset_norm=gemma,
        attention_softcap=getattr(config, "attn_logit_softcapping", None) or 0.0,
        logits_softcap=getattr(config, "final_logit_softcapping", None) or 0.0,
    )


def _gpt2(config: Any, source: str) -> Architecture:
    if config.scale_attn_by_inverse_layer_idx or not config.scale_attn_weights or config.add_cross_attention:
        raise ModelUnavailable(f"{source}: the engine does not run this variant of GPT-2's attention")
    head_size = config.n_embd // config.n_head
    return Architecture(
        family="gpt2",
        layers=config.n_layer,
        hidden=config.n_embd,
        heads=config.n_head,
        kv_heads=config.n_head,
        head_size=head_size,
        vocabulary=config.vocab_size,
        context=config.n_positions,
        activation=_activation(config.activation_function, source),
        windows=(0,) * config.n_layer,
        eps=config.layer_norm_epsilon,
        scale=head_size**-0.5,
        rotary=False,
        layer_norm=True,
        gated=False,
    )


def _windows(config: Any, source: str) -> tuple[int, ...]:
    count = config.num_hidden_layers
    window = getattr(config, "sliding_window", None) or 0
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return (window,) * count
    strange = set(kinds) - {"full_attention", "sliding_attention"}
    if strange:
        raise ModelUnavailable(f"{source}: the engine does not run layers of the kind {', '.join(sorted(strange))}")
    return tuple(window if kind == "sliding_attention" else 0 for kind in kinds[:count])


def context_of(config: Any) -> int:
    """Return how many positions a model can tell apart with one set of frequencies."""
    limits = [getattr(config, "max_position_embeddings", None) or 2048]
    rope = getattr(config, "rope_parameters", None) or {}
    for kind in [rope] if "rope_type" in rope else [value for value in rope.values() if isinstance(value, dict)]:
        if kind.get("rope_type") in LENGTH_DEPENDENT_ROPE:
            limits.append(kind.get("original_max_position_embeddings") or 0)
            limits.append(getattr(config, "original_max_position_embeddings", None) or 0)
    return min(limit for limit in limits if limit)
