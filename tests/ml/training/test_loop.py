"""Training lowers the loss, and a resumed run ends where an unbroken one does."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from ml.training.config import ConfigError, ModelShape, StageConfig
from ml.training.data import Batch, FinetuneData
from ml.training.export import export_model
from ml.training.loop import build_model, train_stage

SHAPE = ModelShape(vocab_size=600, hidden_size=32, layers=2, heads=2, feed_forward=64, context=256)


class Interrupted(Exception):
    """Stands for a power cut."""


class FailingData:
    """Data that breaks off at one step."""

    def __init__(self, data: FinetuneData, last: int) -> None:
        self._data, self._last = data, last

    def batch(self, step: int) -> Batch:
        if step == self._last:
            raise Interrupted
        return self._data.batch(step)


def stage(steps: int) -> StageConfig:
    return StageConfig(steps=steps, batch=4, peak_lr=3e-3, warmup=3, log_every=1, save_every=3)


def test_training_lowers_the_loss(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = build_model(SHAPE, seed=1)

    train_stage(model, FinetuneData(tokenizer, 1, 8, 256), stage(30), tmp_path, "finetune")

    losses = [json.loads(line)["loss"] for line in (tmp_path / "finetune.jsonl").read_text().splitlines()]
    assert len(losses) == 30
    assert losses[-1] < losses[0] - 0.5


def test_a_resumed_run_equals_an_unbroken_one(tokenizer: Tokenizer, tmp_path: Path) -> None:
    data = FinetuneData(tokenizer, 1, 4, 256)
    unbroken = build_model(SHAPE, seed=1)
    train_stage(unbroken, data, stage(8), tmp_path / "unbroken", "finetune")
    with pytest.raises(Interrupted):
        train_stage(build_model(SHAPE, seed=1), FailingData(data, 5), stage(8), tmp_path / "resumed", "finetune")

    resumed = build_model(SHAPE, seed=2)
    train_stage(resumed, data, stage(8), tmp_path / "resumed", "finetune")

    for ours, theirs in zip(resumed.parameters(), unbroken.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_exported_model_loads_with_transformers_alone(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = build_model(SHAPE, seed=1).eval()
    export_model(model, tokenizer, tmp_path)

    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True, dtype=torch.float32)
    text_tokenizer = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    inputs = text_tokenizer("Meet Zivo 30 ☕", return_tensors="pt")

    assert text_tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True) == "Meet Zivo 30 ☕"
    torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, atol=0.05, rtol=0.05)
    assert loaded.generation_config.temperature == 0.8


@pytest.mark.parametrize("values", [{"steps": 0}, {"peak_lr": -1.0}, {"decay": 2.0}, {"weight_decay": -0.1}])
def test_a_senseless_stage_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        StageConfig(**({"steps": 1, "batch": 1, "peak_lr": 1.0} | values))  # type: ignore[arg-type]


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match="divide"):
        ModelShape(hidden_size=30, heads=4)


def test_the_rate_rises_holds_and_falls() -> None:
    config = StageConfig(steps=100, batch=1, peak_lr=1.0, warmup=10, decay=0.5, final_lr_share=0.1)

    assert config.learning_rate(0) == pytest.approx(0.1)
    assert config.learning_rate(30) == 1.0
    assert config.learning_rate(75) == pytest.approx(0.55)
    assert config.learning_rate(99) < 0.12
