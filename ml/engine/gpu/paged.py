"""FlashAttention over a paged cache, as torch offers it since 2.12."""

from __future__ import annotations

import torch
from torch import Tensor

from ml.engine.architecture import Architecture


def paged_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    starts: Tensor,
    lengths: Tensor,
    tables: Tensor,
    *,
    most: int,
    longest: int,
    scale: float,
    window: int,
) -> Tensor:
    """Causal attention of [tokens, heads, size] over [blocks, positions, key/value heads, size].

    Sequence i has the queries [starts[i], starts[i + 1]) at the end of its `lengths[i]` positions, which lie in the
    blocks `tables[i]`. `most` and `longest` bound queries and positions of a sequence; `window` 0 is none.
    """
    from torch.nn.attention.varlen import varlen_attn

    result: Tensor = varlen_attn(
        queries,
        keys,
        values,
        starts,
        None,
        most,
        longest,
        scale=scale,
        window_size=(window - 1 if window else -1, 0),
        enable_gqa=True,
        seqused_k=lengths,
        block_table=tables,
    )
    return result


def why_not_paged(dtype: torch.dtype, device: torch.device, shape: Architecture, block: int) -> str:
    """Return why paged attention cannot be used; empty if a trial on the device gives the right result."""
    if device.type != "cuda":
        return "not a CUDA device"
    if dtype == torch.float32:
        return "float32"
    if shape.attention_softcap:
        return "capped scores"
    size, heads = shape.head_size, shape.kv_heads
    cache = torch.randn(2, block, heads, size, dtype=dtype, device=device)
    queries = torch.randn(1, shape.heads, size, dtype=dtype, device=device)
    numbers = torch.tensor([[0, 1], [3, 0], [1, 0]], dtype=torch.int32, device=device)
    try:
        found = paged_attention(
            queries,
            cache,
            cache,
            numbers[0],
            numbers[1, :1],
            numbers[2:, :1],
            most=1,
            longest=block,
            scale=1.0,
            window=0,
        )
        torch.cuda.synchronize()
    except (RuntimeError, ImportError, TypeError, ValueError) as error:
        return str(error).splitlines()[0]
    seen = cache[1, :3].transpose(0, 1).float().repeat_interleave(shape.heads // heads, 0)
    expected = (queries[0, :, None].float() @ seen.transpose(1, 2)).softmax(-1) @ seen
    return "" if torch.allclose(found[0].float(), expected[:, 0], atol=0.05) else "a trial gave wrong results"
