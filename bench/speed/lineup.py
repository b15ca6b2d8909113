"""The ways that are compared, all of them loaded with the same weights."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from bench.speed.engines import EngineWay, engine_spec
from bench.speed.generate import ContinuousWay, OneAtATimeWay, StaticWay, load_model
from bench.speed.machine import device
from bench.speed.work import Prompts, Way
from ml.types import EngineError

ONE, STATIC, CONTINUOUS, GRAPHS, ENGINE, INT8 = "one", "static", "continuous", "graphs", "engine", "int8"
NAMES = {
    ONE: "`generate()`, one at a time",
    STATIC: "`generate()`, static batches",
    CONTINUOUS: "transformers' continuous batching",
    GRAPHS: "transformers' continuous batching with CUDA graphs",
    ENGINE: "Millrace's engine",
    INT8: "Millrace's engine, int8 weights",
}


@dataclass
class Lineup:
    """What takes part; `skipped` says why the others do not. `model` is transformers', for the bounds."""

    source: str
    dtype: str
    model: Any
    tokenizer: Any
    ways: dict[str, Way] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    warm_ups: Iterator[int] = field(default_factory=itertools.count)

    def prompts(self, round_number: int) -> Prompts:
        """Return the source of one round's prompts."""
        return Prompts(self.tokenizer, seed=1000 + round_number)

    def in_order(self, round_number: int, names: Sequence[str] = tuple(NAMES)) -> list[tuple[str, Way]]:
        """Return the named ways that take part, beginning with another one in every round."""
        present = [(name, self.ways[name]) for name in names if name in self.ways]
        start = round_number % max(1, len(present))
        return present[start:] + present[:start]

    @property
    def context(self) -> int:
        """Return how many tokens of prompt and answer the model takes."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2048)

    @property
    def engine(self) -> EngineWay | None:
        way = self.ways.get(ENGINE)
        return way if isinstance(way, EngineWay) else None


@contextmanager
def lineup(source: str, dtype: str, names: Sequence[str], clients: int, longest: int) -> Iterator[Lineup]:
    """Load the named ways for up to `clients` requests of up to `longest` tokens; closes them at the end."""
    disable_progress_bar()
    set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = load_model(source, getattr(torch, dtype), device(), tokenizer)
    found = Lineup(source, dtype, model, tokenizer)
    cache = clients * round_up(longest)

    def continuous(name: str) -> Way:
        # A model of its own: it changes how the model attends.
        own = load_model(source, getattr(torch, dtype), device(), tokenizer)
        way = ContinuousWay(own, clients, longest, graphs=name == GRAPHS or None)
        found.notes[name] = way.settings
        return way

    makers: dict[str, Callable[[], Way]] = {
        ONE: lambda: OneAtATimeWay(model),
        STATIC: lambda: StaticWay(model),
        CONTINUOUS: lambda: continuous(CONTINUOUS),
        GRAPHS: lambda: continuous(GRAPHS),
        ENGINE: lambda: EngineWay(NAMES[ENGINE], engine_spec(source, dtype, clients, cache)),
        INT8: lambda: EngineWay(NAMES[INT8], engine_spec(source, "int8", clients, cache)),
    }
    try:
        for name in names:
            try:
                found.ways[name] = makers[name]()
            except EngineError as error:  # an engine may refuse int8, and says why
                if name != INT8:
                    raise
                found.skipped[NAMES[name]] = str(error).removeprefix(f"{source}: ")
        yield found
    finally:
        for way in found.ways.values():
            way.close()
        found.ways.clear()
        found.model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def round_up(tokens: int, block: int = 256) -> int:
    return -(-tokens // block) * block
