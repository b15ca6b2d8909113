"""The cache's size comes from what is free, inside a container as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ml.engine import ModelSpec, load_engine, memory


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("1000000", "400000", 600000), ("1000", "4000", 0), ("max", "4000", float("inf"))],
)
def test_a_containers_limit_counts(tmp_path: Path, limit: str, used: str, free: float) -> None:
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    assert memory.container_bytes(tmp_path) == free


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
