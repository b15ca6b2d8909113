"""Keys and values of a running batch: one row per request, each at its own position, written in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """One attention layer's keys and values, [rows, heads, positions, head size], allocated at the first write."""

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()
        self._cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys = self._allocate(key_states, self._cache.rows, self._cache.length)
        self.values = self._allocate(value_states, self._cache.rows, self._cache.length)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new states, [rows, heads, new positions, head size], and return all that may be attended to."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        cache = self._cache
        if cache.positions is None:
            self.keys[cache.start : cache.stop, :, : key_states.shape[2]] = key_states
            self.values[cache.start : cache.stop, :, : value_states.shape[2]] = value_states
            return key_states, value_states
        self.keys[cache.row_ids, :, cache.positions] = key_states[:, :, 0]
        self.values[cache.row_ids, :, cache.positions] = value_states[:, :, 0]
        window = slice(cache.start, cache.stop), slice(None), slice(cache.visible)
        return self.keys[window], self.values[window]

    def grow(self, rows: int, length: int, used: Sequence[int]) -> None:
        """Make room for `rows` x `length`, keeping the first `used[i]` positions of each row."""
        if self.is_initialized:
            # One after the other: the peak is half of one layer above what is needed in the end.
            self.keys = self._moved(self.keys, rows, length, used)
            self.values = self._moved(self.values, rows, length, used)

    def move(self, source: int, target: int, length: int) -> None:
        if self.is_initialized:
            self.keys[target, :, :length] = self.keys[source, :, :length]
            self.values[target, :, :length] = self.values[source, :, :length]

    def wipe(self, row: int) -> None:
        if self.is_initialized:
            self.keys[row].zero_()
            self.values[row].zero_()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return (query_length, 0) if self._cache.positions is None else (self._cache.visible, 0)

    def get_seq_length(self) -> int:
        return 0 if self._cache.positions is None else self._cache.visible - 1

    def get_max_length(self) -> int:
        return -1

    @staticmethod
    def _allocate(like: torch.Tensor, rows: int, length: int) -> torch.Tensor:
        # Zeros, never uninitialised memory: a masked position counts nothing, but nothing times NaN is NaN.
        return torch.zeros(rows, like.shape[1], length, like.shape[-1], dtype=like.dtype, device=like.device)

    def _moved(self, old: torch.Tensor, rows: int, length: int, used: Sequence[int]) -> torch.Tensor:
        if old.shape[0] >= rows and old.shape[2] >= length:
            return old
        new = self._allocate(old, rows, length)
        for row, count in enumerate(used):
            new[row, :, :count] = old[row, :, :count]
        return new


class SlotCache(Cache):
    """A transformers cache in which requests come and go.

    Before a forward pass `begin_prefill` or `begin_decode` says which rows it is for. Memory is a rectangle of
    `rows` x `length` positions that grows by doubling its rows, and is at most `budget` positions.
    """

    def __init__(self, max_rows: int, budget: int) -> None:
        super().__init__(layer_class_to_replicate=lambda: SlotLayer(self))
        self.max_rows = max_rows
        self.budget = budget
        self.rows = 0
        self.length = 0
        self.start = 0
        self.stop = 0
        self.visible = 0
        self.row_ids: torch.Tensor | None = None
        self.positions: torch.Tensor | None = None

    def begin_prefill(self, start: int, stop: int) -> None:
        """The next pass writes rows [start, stop) from position 0."""
        self.start, self.stop, self.positions, self.row_ids = start, stop, None, None

    def begin_decode(self, start: int, stop: int, positions: torch.Tensor, visible: int) -> None:
        """The next pass writes one position of each row in [start, stop); the first `visible` ones can be seen."""
        self.start, self.stop, self.visible = start, stop, visible
        self.positions = positions
        self.row_ids = torch.arange(start, stop, device=positions.device)

    def reserve(self, rows: int, length: int, used: Sequence[int]) -> None:
        """Make room for `rows` requests of up to `length` positions; `used` are the live rows' lengths.

        May raise torch's out-of-memory errors; the live rows are intact then and the next call tries again.
        """
        if rows <= self.rows and length <= self.length:
            return
        if rows * length > self.budget:
            raise ValueError(f"{rows} x {length} positions exceed the cache budget of {self.budget}")
        ample = min(self.max_rows, max(rows, 2 * self.rows)), max(length, self.length)
        new_rows, new_length = ample if ample[0] * ample[1] <= self.budget else (rows, length)
        self.rows = self.length = 0  # until every layer has grown, nothing is promised
        for layer in self.layers:
            layer.grow(new_rows, new_length, used)
        self.rows, self.length = new_rows, new_length

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of one row over another."""
        for layer in self.layers:
            layer.move(source, target, length)

    def wipe(self, row: int) -> None:
        """Zero a row: numbers gone wrong must not reach its next user through masked positions."""
        for layer in self.layers:
            layer.wipe(row)

    def bytes_per_token(self) -> int:
        """Return the memory of one position over all layers; 0 before the first pass."""
        live = [tensor for layer in self.layers if layer.is_initialized for tensor in (layer.keys, layer.values)]
        return sum(tensor.shape[1] * tensor.shape[3] * tensor.element_size() for tensor in live)
