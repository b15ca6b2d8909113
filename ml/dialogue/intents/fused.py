"""BERT layers for reading only, in bfloat16: weights packed once as the processor wants them, and fewer passes.

Query, key and value are one product, GELU is computed where the product is, and attention, whose matrices are tiny, in
float32: together a fifth less work than the same layers called as they are trained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# For how many tokens the packing is chosen; it works for any number.
TOKENS = 640


class _Product(nn.Module):
    """`hidden @ weight.T + bias`, and GELU after it if wanted."""

    def __init__(self, weight: Tensor, bias: Tensor, gelu: bool = False) -> None:
        super().__init__()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().bfloat16().contiguous(), TOKENS)
        self._bias = bias.detach().bfloat16()
        self._after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, hidden: Tensor) -> Tensor:
        found: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, self._packed, self._bias, *self._after)
        return found


class FusedLayer(nn.Module):
    """What a layer of `transformers.BertModel` computes in evaluation."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention
        parts = (attention.self.query, attention.self.key, attention.self.value)
        self._heads = int(attention.self.num_attention_heads)
        self._asked = _Product(torch.cat([each.weight for each in parts]), torch.cat([each.bias for each in parts]))
        self._answered = _Product(attention.output.dense.weight, attention.output.dense.bias)
        self._wide = _Product(layer.intermediate.dense.weight, layer.intermediate.dense.bias, gelu=True)
        self._narrow = _Product(layer.output.dense.weight, layer.output.dense.bias)
        self._norms = nn.ModuleList([_norm(attention.output.LayerNorm), _norm(layer.output.LayerNorm)])

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """(texts, tokens, width), as `mask` (texts, 1, tokens, tokens) lets them see each other."""
        texts, tokens, width = hidden.shape
        rows = hidden.reshape(texts * tokens, width)
        query, key, value = (
            self._asked(rows).float().view(texts, tokens, 3, self._heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(texts * tokens, width).bfloat16()
        rows = self._norms[0](rows + self._answered(seen))
        rows = self._norms[1](rows + self._narrow(self._wide(rows)))
        return rows.view(texts, tokens, width)


def can_be_fused(layer: Any) -> bool:
    """Whether this processor and this build of torch have the product, and the layer is as it is computed here."""
    activation = layer.intermediate.intermediate_act_fn
    if type(activation).__name__ != "GELUActivation":
        return False
    try:
        _Product(torch.zeros(1, 1), torch.zeros(1))(torch.zeros(1, 1, dtype=torch.bfloat16))
    except (AttributeError, RuntimeError):
        return False
    return True


def _norm(layer: nn.LayerNorm) -> nn.LayerNorm:
    made = nn.LayerNorm(layer.normalized_shape, layer.eps, dtype=torch.bfloat16)
    made.load_state_dict(layer.state_dict())
    return made.requires_grad_(False)
