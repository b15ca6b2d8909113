"""A model that cannot be served says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
)

from ml.engine import ModelSpec, load_engine
from ml.engine.loader import load_model
from ml.types import EngineError, ModelUnavailable

TINY = {"vocab_size": 480, "hidden_size": 32, "bos_token_id": 0, "eos_token_id": 1}


@pytest.fixture
def folder(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refused(source: Path | str, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=message) as caught:
        load_engine(ModelSpec(source=str(source)))
    assert caught.value.code == "model_unavailable"


def test_nothing_there(tmp_path: Path) -> None:
    refused("", "no model is named")
    refused(tmp_path / "gone", "no such folder")
    refused(tmp_path, "no config.json")


def test_only_safetensors_are_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    refused(folder, "no safetensors")


def test_weights_must_fit_the_configuration(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused(folder, r"weights do not fit.*up_proj")


def test_damaged_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    refused(folder, "model")


def test_other_kinds_of_model(folder: Path) -> None:
    edit(folder / "config.json", model_type="vit")
    refused(folder, "not a causal language model")
    edit(folder / "config.json", model_type="t5")
    refused(folder, "not a causal language model")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda: GPTNeoForCausalLM(GPTNeoConfig(attention_types=[[["global", "local"], 1]], num_layers=2, **TINY)),
            "local",
        ),
        (lambda: BloomForCausalLM(BloomConfig(n_layer=1, **TINY)), "does not take a position per row"),
        (lambda: MambaForCausalLM(MambaConfig(num_hidden_layers=1, **TINY)), "linear_attention"),
    ],
)
def test_attention_that_cannot_be_batched_row_by_row(
    folder: Path, model: Callable[[], PreTrainedModel], message: str
) -> None:
    (folder / "model.safetensors").unlink()
    model().save_pretrained(folder)
    refused(folder, message)


def test_code_from_the_model_folder_is_never_run(folder: Path) -> None:
    edit(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    refused(folder, "needs code from its repository")


def test_an_id_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused("no-such-organization/no-such-model", "no-such-organization/no-such-model")


def test_an_architecture_that_answers_differently_in_a_batch_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.engine.runner import ModelRunner

    true_decode = ModelRunner.decode

    def shifted(self: ModelRunner, start: int, stop: int) -> torch.Tensor:
        self.lengths[start:stop] = [max(0, length - 2) for length in self.lengths[start:stop]]
        return true_decode(self, start, stop)

    monkeypatch.setattr(ModelRunner, "decode", shifted)
    refused(folder, "gives other results in a running batch")


def test_settings_of_the_spec_and_the_model_meet(folder: Path) -> None:
    edit(folder / "generation_config.json", eos_token_id=[3, 4])
    loaded = load_model(ModelSpec(source=str(folder), max_context=10_000, dtype="bfloat16"))
    assert loaded.max_context == 256
    assert loaded.eos_ids == {1, 3, 4}
    assert loaded.model.dtype == torch.bfloat16
    assert load_model(ModelSpec(source=str(folder), max_context=100)).max_context == 100


def test_half_precision_models_pass_the_check_and_run(folder: Path) -> None:
    engine = load_engine(ModelSpec(source=str(folder), dtype="bfloat16"))
    assert engine.stats().cache_tokens_total > 0
    engine.close()


def test_impossible_limits_are_refused(folder: Path) -> None:
    for limits in ({"max_running": 0}, {"cache_tokens": 10}):
        with pytest.raises(EngineError):
            load_engine(ModelSpec(source=str(folder), **limits))


def test_an_api_key_is_not_printed() -> None:
    assert "sk-secret" not in repr(ModelSpec(backend="remote", api_key="sk-secret"))


def test_the_remote_engine_needs_no_torch() -> None:
    code = "import sys, ml.engine.remote; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
