"""The forward passes: prefill of new rows, and one decode step for all running rows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from ml.engine.cache import SlotCache
from ml.engine.loader import LoadedModel
from ml.types import ModelUnavailable

# Prompts in one prefill pass are padded to the longest; beyond this ratio, padding costs more than a second pass.
PADDING_RATIO = 1.25
PADDING_TOKENS = 16


class ModelRunner:
    """Runs one model over the rows of a cache; knows tokens and positions, nothing of requests.

    `lengths[row]` is how many positions of a row are filled, `tokens[row]` the token that comes next.
    """

    def __init__(self, loaded: LoadedModel, cache: SlotCache) -> None:
        self._loaded = loaded
        self.cache = cache
        self.lengths: list[int] = []
        self.tokens: list[int] = []
        parameters = inspect.signature(loaded.model.forward).parameters
        if "position_ids" not in parameters or "past_key_values" not in parameters:
            raise ModelUnavailable(f"{type(loaded.model).__name__} does not take a position per row")
        self._selects_logits = "logits_to_keep" in parameters
        self._limit = torch.arange(loaded.max_context + 1, device=loaded.device)

    def add_rows(self, prompts: Sequence[Sequence[int]]) -> None:
        """Append one empty row per prompt; `prefill` has to follow."""
        self.lengths.extend(len(prompt) for prompt in prompts)
        self.tokens.extend(0 for _ in prompts)

    def prefill(self, start: int, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Compute prompts into the rows from `start` on; returns logits of the next token, [rows, vocabulary], fp32."""
        device = self._loaded.device
        longest = max(map(len, prompts))
        padded = [[*prompt, *([0] * (longest - len(prompt)))] for prompt in prompts]
        last = torch.tensor([[len(prompt) - 1] for prompt in prompts], device=device)
        self.cache.begin_prefill(start, start + len(prompts))
        # Padding stands on the right, where causal attention never looks; the cache masks it later.
        arguments: dict[str, Any] = {"logits_to_keep": last} if self._selects_logits else {}
        logits = self._forward(
            torch.tensor(padded, device=device),
            torch.arange(longest, device=device).expand(len(prompts), -1),
            None,
            **arguments,
        )
        if not self._selects_logits:
            logits = logits.take_along_dim(last[..., None], dim=1)
        return logits[:, 0].float()

    def decode(self, start: int, stop: int) -> torch.Tensor:
        """Advance rows [start, stop) by their next token; returns logits like `prefill`.

        A pass that failed may be repeated: it writes the same positions again.
        """
        device = self._loaded.device
        lengths = self.lengths[start:stop]
        positions = torch.tensor(lengths, device=device)
        visible = max(lengths) + 1
        self.cache.begin_decode(start, stop, positions, visible)
        tokens = torch.tensor(self.tokens[start:stop], device=device)
        logits = self._forward(tokens[:, None], positions[:, None], self._masks(positions, visible))
        self.lengths[start:stop] = [length + 1 for length in lengths]
        return logits[:, -1].float()

    def wipe(self, row: int) -> None:
        """Zero what a failed request left, before its row is released."""
        self.cache.wipe(row)

    def release(self, row: int) -> None:
        """Give a row back: the last row moves into its place."""
        length, token = self.lengths.pop(), self.tokens.pop()
        last = len(self.lengths)
        if row != last:
            self.cache.move(last, row, length)
            self.lengths[row], self.tokens[row] = length, token

    def reset(self) -> None:
        """Forget every row; the cache's memory is kept, zeroed."""
        self.lengths, self.tokens = [], []
        for row in range(self.cache.rows):
            self.cache.wipe(row)

    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor, mask: Any, **arguments: Any) -> torch.Tensor:
        output = self._loaded.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self.cache,
            use_cache=True,
            **arguments,
        )
        logits: torch.Tensor = output.logits
        return logits

    def _masks(self, positions: torch.Tensor, visible: int) -> Any:
        """Return what each row may see, [rows, 1, 1, visible]; per kind of layer where the kinds are mixed."""
        seen = self._limit[:visible] <= positions[:, None]
        full = self._as_mask(seen)
        window = self._loaded.window
        if window is None:
            return full
        near = self._as_mask(seen & (self._limit[:visible] > positions[:, None] - window))
        return {"full_attention": full, "sliding_attention": near} if self._loaded.mixed else near

    def _as_mask(self, seen: torch.Tensor) -> torch.Tensor:
        seen = seen[:, None, None]
        model = self._loaded.model
        if model.config.get_text_config()._attn_implementation != "eager":
            return seen
        lowest = torch.finfo(model.dtype).min  # eager attention adds its mask
        return torch.zeros_like(seen, dtype=model.dtype).masked_fill(~seen, lowest)


def alike(prompts: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return slices of prompts (sorted by length) that are worth computing as one padded batch."""
    groups: list[tuple[int, int]] = []
    start = 0
    for index, prompt in enumerate(prompts):
        if len(prompt) > len(prompts[start]) * PADDING_RATIO + PADDING_TOKENS:
            groups.append((start, index))
            start = index
    return [*groups, (start, len(prompts))] if prompts else []


def verify(runner: ModelRunner, loaded: LoadedModel) -> None:
    """Raise ModelUnavailable unless batched, cached passes agree with plain ones on this model.

    Architectures differ in how they use positions, masks and caches. Two rows of different length, prefilled and
    decoded one step, against plain passes without a cache show the difference before a customer does.
    """
    rows = [[(7 * index + row) % loaded.vocabulary for index in range(3 + 2 * row)] for row in range(2)]
    runner.cache.reserve(2, 8, [])
    runner.add_rows(rows)
    found = [runner.prefill(0, rows)]
    runner.tokens[:] = [row[0] for row in rows]
    found.append(runner.decode(0, 2))
    runner.release(1)
    runner.release(0)
    extended = [[*row, row[0]] for row in rows]
    for logits, plain_rows in zip(found, (rows, extended), strict=True):
        for row, ids in zip(logits, plain_rows, strict=True):
            plain = loaded.model(input_ids=torch.tensor([ids], device=loaded.device), use_cache=False).logits[0, -1]
            if not _close(row, plain.float(), exact=loaded.model.dtype == torch.float32):
                raise ModelUnavailable(f"{type(loaded.model).__name__} gives other results in a running batch")


def _close(found: torch.Tensor, expected: torch.Tensor, exact: bool) -> bool:
    """Compare logits relative to their spread; half precision may differ more, wrong positions differ most."""
    finite = expected.isfinite() & found.isfinite()
    spread = (expected[finite] - expected[finite].mean()).abs().max().clamp(min=1e-6)
    difference = (found[finite] - expected[finite]).abs().max()
    return bool(finite.any()) and bool(difference <= (1e-2 if exact else 0.25) * spread)
