"""Taking a model of transformers apart into the few tensors that the decoder computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ml.engine.architecture import Architecture

Matrix = tuple[torch.Tensor, torch.Tensor | None]


@dataclass(slots=True)
class Norm:
    """Weights of a norm, float32 [hidden]; an RMSNorm has no bias."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None


@dataclass(slots=True)
class LayerWeights:
    """One layer. Matrices are [out, in] with a bias or None; `qkv` holds queries, keys and values one below the other.

    `angles` names the table of rotary angles that the layer uses.
    """

    before_attention: Norm
    qkv: Matrix
    out: Matrix
    before_mlp: Norm
    up: Matrix
    down: Matrix
    gate: Matrix | None = None
    query_norm: torch.Tensor | None = None
    key_norm: torch.Tensor | None = None
    after_attention: Norm | None = None
    after_mlp: Norm | None = None
    angles: str = ""


@dataclass(slots=True)
class ModelWeights:
    """A whole decoder. `angles` maps names to float32 [context, head size]: cosines, then sines, of half each."""

    embedding: torch.Tensor
    embedding_scale: float
    positions: torch.Tensor | None
    layers: list[LayerWeights]
    final_norm: Norm
    head: Matrix
    angles: dict[str, torch.Tensor]


def take_apart(model: Any, shape: Architecture, context: int) -> ModelWeights:
    """Return the weights of `model`, whose layers are given up one by one so that no second copy remains."""
    return _gpt2(model) if shape.family == "gpt2" else _llama_like(model, shape, context)


def _llama_like(model: Any, shape: Architecture, context: int) -> ModelWeights:
    body = model.model
    embedding = body.embed_tokens
    layers = [_llama_layer(body.layers[index], shape) for index in range(shape.layers)]
    return ModelWeights(
        embedding=embedding.weight.data,
        embedding_scale=_embedding_scale(embedding, shape),
        positions=None,
        layers=layers,
        final_norm=_rms(body.norm, shape),
        head=(model.lm_head.weight.data, None if model.lm_head.bias is None else model.lm_head.bias.data),
        angles=_angles(body.rotary_emb, {layer.angles for layer in layers}, context, model.device),
    )


def _embedding_scale(embedding: Any, shape: Architecture) -> float:
    if not shape.family.startswith("gemma"):
        return 1.0
    # Rounded as transformers rounds it.
    return float(torch.tensor(shape.hidden**0.5, dtype=embedding.weight.dtype))


def _llama_layer(layer: Any, shape: Architecture) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    kind = str(getattr(attention, "layer_type", None) or "")
    post = shape.post_norms
    return LayerWeights(
        before_attention=_rms(layer.input_layernorm, shape),
        qkv=_stacked([attention.q_proj, attention.k_proj, attention.v_proj]),
        out=_matrix(attention.o_proj),
        before_mlp=_rms(layer.pre_feedforward_layernorm if post else layer.post_attention_layernorm, shape),
        gate=_matrix(mlp.gate_proj),
        up=_matrix(mlp.up_proj),
        down=_matrix(mlp.down_proj),
        query_norm=_rms(attention.q_norm, shape).weight if shape.head_norm else None,
        key_norm=_rms(attention.k_norm, shape).weight if shape.head_norm else None,
        after_attention=_rms(layer.post_attention_layernorm, shape) if post else None,
        after_mlp=_rms(layer.post_feedforward_layernorm, shape) if post else None,
        angles=kind if shape.family == "gemma3_text" else "",
    )


def _gpt2(model: Any) -> ModelWeights:
    body = model.transformer
    layers = [
        LayerWeights(
            before_attention=_layer_norm(layer.ln_1),
            qkv=_matrix(layer.attn.c_attn, turned=True),
            out=_matrix(layer.attn.c_proj, turned=True),
            before_mlp=_layer_norm(layer.ln_2),
            up=_matrix(layer.mlp.c_fc, turned=True),
            down=_matrix(layer.mlp.c_proj, turned=True),
        )
        for layer in body.h
    ]
    return ModelWeights(
        embedding=body.wte.weight.data,
        embedding_scale=1.0,
        positions=body.wpe.weight.data,
        layers=layers,
        final_norm=_layer_norm(body.ln_f),
        head=(model.lm_head.weight.data, None),
        angles={},
    )


def _matrix(linear: Any, turned: bool = False) -> Matrix:
    """The weight and bias of a linear layer, which loses them; GPT-2 stores its matrices turned, [in, out]."""
    weight = linear.weight.data.t().contiguous() if turned else linear.weight.data
    bias = None if linear.bias is None else linear.bias.data
    linear.weight = None
    return weight, bias


def _stacked(linears: list[Any]) -> Matrix:
    parts = [_matrix(linear) for linear in linears]
    biases = [bias for _, bias in parts if bias is not None]
    return torch.cat([weight for weight, _ in parts]), torch.cat(biases) if biases else None


def _rms(norm: Any, shape: Architecture) -> Norm:
    return Norm(norm.weight.data.float() + (1.0 if shape.offset_norm else 0.0))


def _layer_norm(norm: Any) -> Norm:
    return Norm(norm.weight.data.float(), norm.bias.data.float())


def _angles(rotary: Any, names: set[str], context: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Tables of all positions, computed by the model's own rotary embedding with its own scaling."""
    positions = torch.arange(context, device=device)[None]
    like = torch.zeros(1, dtype=torch.float32, device=device)
    tables = {}
    for name in names:
        cosines, sines = rotary(like, positions, name) if name else rotary(like, positions)
        half = cosines.shape[-1] // 2
        tables[name] = torch.cat([cosines[0, :, :half], sines[0, :, :half]], -1).float().contiguous()
    return tables
