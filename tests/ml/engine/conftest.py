from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ml.engine import ModelSpec
from ml.engine.engine import LocalEngine

Generated = Callable[..., list[int]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_TORCH_THREADS", "1")
        torch.set_num_threads(1)
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
        assert engines[key].stats().cache_tokens_used == 0, "an earlier test left blocks behind"
        return engines[key]

    yield build
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="session")
def tokenizer_of(tiny_model: Callable[..., Path]) -> Callable[..., Any]:
    """Return a function that gives a tiny model's tokenizer, loaded beside the engine's."""
    tokenizers: dict[tuple[str, str], Any] = {}

    def load(family: str = "llama", kind: str = "byte") -> Any:
        if (family, kind) not in tokenizers:
            tokenizers[family, kind] = AutoTokenizer.from_pretrained(tiny_model(family, kind))
        return tokenizers[family, kind]

    return load


@pytest.fixture(scope="session")
def generated(tiny_model: Callable[..., Path], tokenizer_of: Callable[..., Any]) -> Generated:
    """Return a function that gives the answer of transformers' own generate(), without the end-of-sequence token.

    Its model is loaded from the folder a second time and shares nothing with the engine's.
    """
    models: dict[str, Any] = {}
    answers: dict[Any, list[int]] = {}

    def generate(prompt: str, tokens: int, family: str = "llama", **settings: Any) -> list[int]:
        key = (prompt, tokens, family, *sorted(settings.items()))
        if family not in models:
            models[family] = AutoModelForCausalLM.from_pretrained(tiny_model(family), dtype=torch.float32).eval()
        if key not in answers:
            ids = torch.tensor([tokenizer_of(family)(prompt)["input_ids"]])
            with torch.inference_mode():
                answer = models[family].generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, **settings
                )
            answers[key] = [token for token in answer[0, ids.shape[1] :].tolist() if token != 1]
        return answers[key]

    return generate
