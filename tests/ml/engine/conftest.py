from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.engine import ModelSpec
from ml.engine.engine import LocalEngine


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_TORCH_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def engine_for(tiny_model: Callable[..., Path]) -> Iterator[Callable[..., LocalEngine]]:
    """Return a function that gives an idle engine; the same arguments give the same engine."""
    engines: dict[Any, LocalEngine] = {}

    def build(family: str = "llama", tokenizer: str = "byte", **limits: Any) -> LocalEngine:
        key = (family, tokenizer, *sorted(limits.items()))
        if key not in engines:
            spec = ModelSpec(source=str(tiny_model(family, tokenizer)), **{"max_running": 4, **limits})
            engines[key] = LocalEngine.load(spec)
        assert engines[key].stats().running == 0, "an earlier test left requests behind"
        return engines[key]

    yield build
    for engine in engines.values():
        engine.close()
