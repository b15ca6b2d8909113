"""Choosing the next token of every row of a batch.

Order and meaning of the filters are those of transformers: repetition penalty, temperature, top-k, top-p. Rows never
influence each other, and the random number of a token depends only on the request's seed and the token's place in
the answer: a request continued elsewhere makes the same choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from ml.engine.request import RequestState

# Sorting a whole vocabulary costs more than a small model's forward pass, and the most likely few hundred tokens
# nearly always settle top-k and top-p. The width is fixed, so that a row's result cannot depend on its neighbours.
CANDIDATES = 256
_MASK = (1 << 64) - 1


def uniform(seed: int, position: int) -> float:
    """Return a number in [0, 1) for one token of one answer (SplitMix64, Steele et al. 2014, with 40 bits kept).

    40 bits keep the product with a float64 total strictly below that total.
    """
    return (_mix(_mix(seed & _MASK) + position) >> 24) / (1 << 40)


def _mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Sampler:
    """Vectorised sampling with per-row parameters; remembers which tokens penalised requests have seen.

    `ends` are the tokens that end an answer; a request that may not end yet does not get them.
    """

    def __init__(self, ends: Iterable[int] = ()) -> None:
        self._ends = sorted(ends)
        self._seen: dict[str, torch.Tensor] = {}

    def sample(self, logits: torch.Tensor, states: Sequence[RequestState]) -> list[int | None]:
        """Return one token per row of `logits` [rows, vocabulary], float32; None where they are not numbers."""
        usable = torch.isfinite(logits.amax(-1)).tolist()
        logits = self._penalise(logits, states)
        early = [row for row, state in enumerate(states) if not state.may_end]
        if early and self._ends:
            logits[torch.tensor(early)[:, None], torch.tensor(self._ends)] = float("-inf")
        drawn = [row for row, state in enumerate(states) if usable[row] and not state.greedy]
        tokens: list[int | None] = [None] * len(states)
        if len(drawn) < len(states):
            tokens = _largest(logits)
        if drawn:
            chosen = draw(logits[drawn] if len(drawn) < len(states) else logits, [states[row] for row in drawn])
            for row, token in zip(drawn, chosen, strict=True):
                tokens[row] = token
        return [token if ok else None for token, ok in zip(tokens, usable, strict=True)]

    def observe(self, state: RequestState, token_id: int) -> None:
        """Note a token that has become part of the answer."""
        if state.request_id in self._seen:
            self._seen[state.request_id][token_id] = True

    def forget(self, state: RequestState) -> None:
        self._seen.pop(state.request_id, None)

    def _penalise(self, logits: torch.Tensor, states: Sequence[RequestState]) -> torch.Tensor:
        rows = [row for row, state in enumerate(states) if state.sampling.repetition_penalty != 1.0]
        if not rows:
            return logits
        seen = torch.stack([self._seen_by(states[row], logits) for row in rows])
        penalty = _column([states[row].sampling.repetition_penalty for row in rows], logits)
        old = logits[rows]
        logits = logits.clone()
        logits[rows] = torch.where(seen, torch.where(old < 0, old * penalty, old / penalty), old)
        return logits

    def _seen_by(self, state: RequestState, logits: torch.Tensor) -> torch.Tensor:
        if state.request_id not in self._seen:
            seen = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
            seen[torch.tensor(state.tokens(), device=logits.device)] = True
            self._seen[state.request_id] = seen
        return self._seen[state.request_id]


def draw(logits: torch.Tensor, states: Sequence[RequestState]) -> list[int]:
    """Return a random token per row of finite `logits` [rows, vocabulary]."""
    logits = logits / _column([state.sampling.temperature for state in states], logits)
    uniforms = [uniform(state.seed, len(state.output_ids)) for state in states]
    plain = [row for row, state in enumerate(states) if state.sampling.top_p >= 1 and state.sampling.top_k == 0]
    filtered = [row for row in range(len(states)) if row not in set(plain)]
    tokens = [0] * len(states)
    if plain:
        chosen = _invert(logits[plain].softmax(-1), [uniforms[row] for row in plain])
        _put(tokens, plain, chosen[:, 0].tolist())
    if filtered:
        chosen_ids = _draw_filtered(
            logits[filtered], [states[row] for row in filtered], [uniforms[row] for row in filtered]
        )
        _put(tokens, filtered, chosen_ids)
    return tokens


def _draw_filtered(logits: torch.Tensor, states: Sequence[RequestState], uniforms: Sequence[float]) -> list[int]:
    width = min(CANDIDATES, logits.shape[-1])
    values, ids = _candidates(logits, width)
    weights, enough = nucleus(logits, values, states)
    tokens = ids.gather(1, _invert(weights, uniforms))[:, 0].tolist()
    wide = [row for row, ok in enumerate(enough.tolist()) if not ok]
    if wide:
        chosen = _draw_wide(logits[wide], [states[row] for row in wide], [uniforms[row] for row in wide])
        _put(tokens, wide, chosen)
    return [int(token) for token in tokens]


def _draw_wide(logits: torch.Tensor, states: Sequence[RequestState], uniforms: Sequence[float]) -> list[int]:
    """Draw from rows so flat that many tokens stay: sort values only, then keep whatever reaches the last one."""
    values = _falling(logits)
    weights, _ = nucleus(logits, values, states)
    last = values.gather(1, (weights > 0).sum(-1, keepdim=True) - 1)
    kept = torch.where(logits >= last, (logits - values[:, :1]).exp(), 0.0)
    return [int(token) for token in _invert(kept, uniforms)[:, 0].tolist()]


def _largest(logits: torch.Tensor) -> list[int | None]:
    """Return each row's most likely token, the first of equals; numpy finds it with vector instructions."""
    found = logits.numpy().argmax(-1) if logits.device.type == "cpu" else logits.argmax(-1)
    return list(found.tolist())


def _candidates(logits: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each row's `width` largest logits in falling order, of equals the first token first, and their tokens.

    On a processor numpy's partition takes a sixth of the time of torch's topk.
    """
    if logits.device.type != "cpu":
        return logits.topk(width)
    numbers = logits.numpy()
    ids = np.sort(np.argpartition(numbers, -width, axis=-1)[:, -width:], axis=-1)
    values = np.take_along_axis(numbers, ids, -1)
    order = np.argsort(-values, axis=-1, kind="stable")
    return tuple(torch.from_numpy(np.take_along_axis(each, order, -1)) for each in (values, ids))


def _falling(logits: torch.Tensor) -> torch.Tensor:
    if logits.device.type != "cpu":
        return logits.sort(dim=-1, descending=True).values
    # numpy sorts plain numbers with vector instructions, ten times as fast as torch sorts pairs.
    return torch.from_numpy(np.sort(logits.numpy(), axis=-1)).flip(-1)


def nucleus(
    logits: torch.Tensor, values: torch.Tensor, states: Sequence[RequestState]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what top-k and top-p leave of each row: unnormalised weights of the candidates, and whether they suffice.

    `values` [rows, width] are each row's largest logits in falling order. Where the second result is false, tokens
    beyond `width` belong to the choice as well. Equal to transformers' TopKLogitsWarper (ties with the k-th token
    stay) followed by TopPLogitsWarper (a token stays while less than top_p lies above it).
    """
    vocabulary, width = logits.shape[-1], values.shape[-1]
    top_p = _column([state.sampling.top_p for state in states], logits)
    asked_k = [min(state.sampling.top_k or vocabulary, vocabulary) for state in states]
    k = torch.tensor(asked_k, device=logits.device)[:, None]
    limited = k < vocabulary
    kth = values.gather(1, (k - 1).clamp(max=width - 1))
    weights = (values - values[:, :1]).exp()
    weights = torch.where(limited & (values < kth), 0.0, weights)
    everything = (logits.logsumexp(-1, keepdim=True) - values[:, :1]).exp()
    total = torch.where(limited, weights.sum(-1, keepdim=True), everything)
    mass = (weights / total).cumsum(-1)
    above = mass - weights / total
    enough = torch.where(limited, (k <= width) & (values[:, -1:] < kth), mass[:, -1:] >= top_p)
    weights = torch.where((above < top_p) | (top_p >= 1), weights, 0.0)
    return weights, enough[:, 0] | (width == vocabulary)


def _invert(weights: torch.Tensor, uniforms: Sequence[float]) -> torch.Tensor:
    """Return, as [rows, 1], where each uniform number falls in the cumulated weights."""
    cumulated = weights.double().cumsum(-1)
    points = torch.tensor(uniforms, dtype=torch.float64, device=weights.device)[:, None] * cumulated[:, -1:]
    return torch.searchsorted(cumulated, points, right=True).clamp(max=weights.shape[-1] - 1)


def _column(numbers: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None]


def _put(tokens: list[int], rows: Sequence[int], chosen: Sequence[int]) -> None:
    for row, token in zip(rows, chosen, strict=True):
        tokens[row] = int(token)
