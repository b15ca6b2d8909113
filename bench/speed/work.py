"""The work that every way is given, and what is noted of each answer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# Beyond this many tries a prompt may be a token or two longer or shorter than asked for.
TRIES = 8


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt, as text for an engine and as tokens for transformers, and how many tokens to write."""

    text: str
    prompt_ids: tuple[int, ...]
    output_tokens: int


@dataclass(slots=True)
class Trace:
    """When one job was handed over and when each of its tokens came, in seconds of `time.perf_counter()`."""

    job: Job
    submitted: float
    times: list[float] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)

    @property
    def first(self) -> float:
        return self.times[0]

    @property
    def last(self) -> float:
        return self.times[-1]


class Way(Protocol):
    """One way of answering jobs.

    `run` behaves like `clients` clients, each of which hands over its next job the moment its last has ended.
    """

    name: str

    def run(self, jobs: Sequence[Job], clients: int) -> list[Trace]: ...

    def close(self) -> None: ...


class Prompts:
    """Makes prompts of an exact length in tokens, never the same twice: no way can profit from an earlier round."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self._tokenizer = tokenizer
        self._random = random.Random(seed)
        self._words = _words(tokenizer)

    def job(self, prompt_tokens: int, output_tokens: int, prefix: str = "") -> Job:
        """Return a job whose prompt begins with `prefix`."""
        chosen = [self._random.choice(self._words) for _ in range(prompt_tokens)]
        for _ in range(TRIES):
            text = prefix + str(self._tokenizer.decode(chosen))
            ids = tuple(self._tokenizer(text)["input_ids"])
            missing = prompt_tokens - len(ids)
            if not missing:
                break
            kept = chosen[:missing] if missing < 0 else chosen
            chosen = kept + [self._random.choice(self._words) for _ in range(missing)]
        return Job(text, ids, output_tokens)

    def jobs(self, count: int, prompt_tokens: int, output_tokens: int) -> list[Job]:
        return [self.job(prompt_tokens, output_tokens) for _ in range(count)]

    def mixed(self, count: int, prompt: tuple[int, int], output: tuple[int, int]) -> list[Job]:
        """Return jobs with lengths drawn evenly from the two ranges; the lengths are the same in every round."""
        lengths = random.Random(count)
        return [self.job(lengths.randint(*prompt), lengths.randint(*output)) for _ in range(count)]


def _words(tokenizer: Any) -> list[int]:
    """Return tokens that begin a word and so encode back to themselves wherever they stand."""
    special = set(tokenizer.all_special_ids)
    starts = ("Ġ", "▁")
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    words = [
        index
        for index, name in enumerate(names)
        if index not in special and name and name.startswith(starts) and len(name) > 2 and name[1:].isalpha()
    ]
    return words or [index for index in range(len(tokenizer)) if index not in special]


def in_turn(jobs: Sequence[Job], clients: int) -> Iterator[Sequence[Job]]:
    """Yield the jobs in groups of at most `clients`."""
    for start in range(0, len(jobs), clients):
        yield jobs[start : start + clients]
