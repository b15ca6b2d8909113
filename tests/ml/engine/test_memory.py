"""The cache's size comes from what is free, inside a container as well."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.engine import ModelSpec, load_engine, memory
from ml.engine.architecture import describe
from ml.engine.build import build
from ml.engine.cpu.backend import CpuBackend
from ml.engine.decoder import Decoder
from ml.engine.engine import LocalEngine
from ml.engine.loader import load_model
from ml.engine.spec import Dtype
from ml.engine.weights import take_apart
from ml.types import ContextLengthExceeded
from tests.ml.conftest import CONFIGS
from tests.ml.engine.building import needs_bfloat16, reference
from tests.ml.engine.driving import drive, raw


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("1000000", "430000", 600000), ("1000", "34000", 0), ("max", "4000", float("inf"))],
)
def test_a_containers_limit_counts(tmp_path: Path, limit: str, used: str, free: float) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 30000\nactive_file 7\n")
    assert memory.container_bytes(tmp_path) == free


def test_memory_that_holds_files_counts_as_free(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable: 6000 kB\nHugePages_Total: 0\n")
    assert memory.machine_bytes(tmp_path / "meminfo") == 6000 * 1024
    assert memory.machine_bytes(tmp_path / "no Linux") > 0


def test_outside_a_container_there_is_no_limit(tmp_path: Path) -> None:
    assert memory.container_bytes(tmp_path) == float("inf")
    assert memory.cache_bytes(torch.device("cpu")) > 0


def test_the_cache_takes_what_is_free_but_no_more_than_a_full_batch_can_use(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ModelSpec(source=str(tiny_model("llama")), max_running=4)
    # 2 layers x keys and values x 2 heads x 8 numbers of 4 bytes = 256 bytes for one position
    for free, tokens in ((256 * 512, 512), (10**12, 4 * 256)):
        monkeypatch.setattr("ml.engine.build.cache_bytes", lambda device, free=free: free)
        engine = load_engine(spec)
        assert engine.stats().cache_tokens_total == tokens
        engine.close()


@pytest.mark.parametrize(
    ("dtype", "bytes_per_number"), [("float32", 4), pytest.param("bfloat16", 2, marks=needs_bfloat16)]
)
def test_the_cache_is_as_large_as_the_budget_and_never_grows(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, dtype: Dtype, bytes_per_number: int
) -> None:
    block = 16 * 2 * 2 * 2 * 8 * bytes_per_number
    monkeypatch.setattr("ml.engine.build.cache_bytes", lambda device: 20 * block + block // 2)
    engine = LocalEngine.load(ModelSpec(source=str(tiny_model("llama")), max_running=8, dtype=dtype))
    backend = engine._runner._decoder.backend
    caches = (backend.keys, backend.values)  # type: ignore[attr-defined]
    places = [cache.data_ptr() for cache in caches]
    assert sum(cache.nbytes for cache in caches) == 21 * block, "20 blocks, and the one that is nobody's"
    assert engine.stats().cache_tokens_total == 20 * 16
    seen = []
    requests = [raw(f"r{index}", "x" * 70, max_tokens=80) for index in range(8)]
    drive(engine, requests, until=lambda _: bool(seen.append(engine.stats().cache_tokens_used)))
    assert max(seen) <= 20 * 16
    assert [cache.data_ptr() for cache in (backend.keys, backend.values)] == places  # type: ignore[attr-defined]
    engine.close()


def test_a_budget_below_a_block_still_serves_one_short_request(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.engine.build.cache_bytes", lambda device: 0)
    engine = LocalEngine.load(ModelSpec(source=str(tiny_model("llama"))))
    answer = drive(engine, [raw("r", "xxx", max_tokens=100)])["r"]
    assert answer.last.prompt_tokens + answer.last.completion_tokens == 16
    with pytest.raises(ContextLengthExceeded, match="must fit in 16"):
        engine.submit(raw("long", "x" * 20))
    engine.close()


def test_the_weights_are_not_kept_twice(tiny_model: Callable[..., Path]) -> None:
    """Layer by layer the model of transformers gives up what the decoder has taken."""
    loaded = load_model(ModelSpec(source=str(tiny_model("llama"))))
    build(ModelSpec(max_running=2), loaded, 64)
    left = [name for name, _ in loaded.model.named_parameters() if name.endswith("proj.weight")]
    assert left == []


def test_a_head_of_its_own_is_not_kept_twice() -> None:
    model = reference(CONFIGS["qwen2"]())
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    shape = describe(model.config, "tiny")
    with torch.inference_mode():
        weights = take_apart(model, shape, shape.context)
        head = weakref.ref(weights.head[0])
        tables = np.zeros((2, 4), np.int32)
        decoder = Decoder(shape, weights, CpuBackend(shape, weights, 5, tables, 8, False))
    del model
    gc.collect()
    assert head() is None, "the head as it was loaded is still there"
    assert decoder.shape is shape
