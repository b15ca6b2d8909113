"""A model that cannot be served says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.gpt2 import GPT2Config
from transformers.models.llama import LlamaConfig
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen3 import Qwen3Config

from ml.engine import ModelSpec, build, load_engine, loader
from ml.engine.architecture import Architecture, context_of, describe
from ml.engine.cpu import simd
from ml.engine.cpu.linear import has_bfloat16
from ml.engine.engine import LocalEngine
from ml.engine.loader import load_model
from ml.engine.spec import Dtype
from ml.engine.weights import ModelWeights, take_apart
from ml.types import EngineError, ModelUnavailable
from tests.ml.conftest import CONFIGS, SMALL
from tests.ml.engine.driving import drive, raw

RUNS = "Llama, Mistral, Qwen2, Qwen3, Gemma, Gemma 2, Gemma 3, GPT-2"


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
    refused(folder, rf"not a causal language model.*{RUNS}")
    edit(folder / "config.json", model_type="t5")
    refused(folder, rf"encoder-decoder is not a causal language model.*{RUNS}")


OTHER_FAMILIES = ["bloom", "falcon", "gemma3", "gpt_neo", "gpt_neox", "mamba", "mixtral", "opt", "phi3", "qwen2_moe"]


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_families_that_are_not_run_are_refused_by_name(folder: Path, family: str) -> None:
    config = AutoConfig.for_model(family)
    config.save_pretrained(folder)
    refused(folder, rf"runs {RUNS}, not {family}\b.*OpenAI-compatible server")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (lambda: GPT2Config(scale_attn_by_inverse_layer_idx=True), "variant of GPT-2's attention"),
        (lambda: GPT2Config(scale_attn_weights=False), "variant of GPT-2's attention"),
        (lambda: Gemma3TextConfig(**SMALL, head_dim=8, use_bidirectional_attention=True), "bidirectional"),
        (lambda: LlamaConfig(**SMALL, hidden_act="relu"), "does not know the activation relu"),
        (lambda: Qwen3Config(**SMALL, head_dim=6), "4 heads of 6 over 2 do not fit"),
        (lambda: Qwen2Config(**SMALL, layer_types=["full_attention", "chunked_attention"]), "chunked_attention"),
    ],
)
def test_variants_that_are_not_run_are_refused(config: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelUnavailable, match=message):
        describe(config(), "tiny")


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_frequencies_that_change_with_the_length_end_the_context_before_they_do(kind: str) -> None:
    factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4} if kind == "longrope" else {"factor": 4.0}
    rope = {"rope_type": kind, "rope_theta": 1e4, "original_max_position_embeddings": 64, **factors}
    assert context_of(LlamaConfig(**SMALL, rope_parameters=rope)) == 64
    assert context_of(LlamaConfig(**SMALL)) == 256


def test_code_from_the_model_folder_is_never_run(folder: Path) -> None:
    edit(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    refused(folder, "needs code from its repository")


def test_an_id_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused("no-such-organization/no-such-model", "no-such-organization/no-such-model")


@pytest.mark.parametrize("wrong", ["positions", "window", "norm", "order"])
def test_a_decoder_that_computes_something_else_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    def spoiled(model: Any, shape: Architecture, context: int) -> ModelWeights:
        weights = take_apart(model, shape, context)
        if wrong == "positions":
            weights.angles[""] = weights.angles[""].roll(1, 0)
        elif wrong == "order":
            weights.layers.reverse()
        elif wrong == "norm":
            weights.final_norm.weight += 1.0
        return weights

    monkeypatch.setattr(build, "take_apart", spoiled)
    if wrong == "window":
        true = loader.describe
        monkeypatch.setattr(loader, "describe", lambda *given: replace(true(*given), windows=(8, 8)))
    refused(folder, "computes other results than transformers")


def test_settings_of_the_spec_and_the_model_meet(folder: Path) -> None:
    edit(folder / "generation_config.json", eos_token_id=[3, 4])
    loaded = load_model(ModelSpec(source=str(folder), max_context=10_000, dtype="bfloat16"))
    assert loaded.max_context == 256
    assert loaded.eos_ids == {1, 3, 4}
    assert loaded.model.dtype == (torch.bfloat16 if has_bfloat16() else torch.float32)
    assert load_model(ModelSpec(source=str(folder), max_context=100)).max_context == 100


def test_a_processor_without_bfloat16_computes_in_float32(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    loaded = load_model(ModelSpec(source=str(folder), dtype="int8"))
    assert (loaded.model.dtype, loaded.int8) == (torch.float32, False)
    assert "this processor does not compute in int8, so it is float32" in caplog.text


@pytest.mark.parametrize(("asked", "device"), [("float16", "cpu"), ("int8", "cuda")])
def test_a_precision_that_is_not_for_the_device_is_replaced_with_a_reason(
    asked: Dtype, device: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    spec = ModelSpec(source="somewhere", dtype=asked)
    assert loader._dtype(spec, None, torch.device(device)) == torch.bfloat16
    assert f"somewhere: {asked} is not for this device" in caplog.text


def test_models_load_from_several_threads_at_once(tiny_model: Callable[..., Path]) -> None:
    """Each has a thread of its own, and transformers changes the whole process while it loads."""
    specs = [ModelSpec(source=str(tiny_model(family)), max_running=2) for family in ("llama", "qwen2", "gpt2")] * 2
    with ThreadPoolExecutor(len(specs)) as threads:
        engines = list(threads.map(LocalEngine.load, specs))
    for engine in engines:
        assert drive(engine, [raw("r", "A product", max_tokens=2)])["r"].finish_reason == "length"
        engine.close()


def test_a_torch_without_openmp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simd, "OPENMP", ("omp_of_another_world",))
    with pytest.raises(ModelUnavailable, match="missing: omp_of_another_world"):
        simd._openmp.__wrapped__()


@pytest.mark.parametrize("family", sorted(CONFIGS))
@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_half_precision_models_pass_the_check_and_run(
    tiny_model: Callable[..., Path], family: str, dtype: Dtype
) -> None:
    engine = load_engine(ModelSpec(source=str(tiny_model(family)), dtype=dtype))
    answers = drive(engine, [raw("a", "A product", max_tokens=4), raw("b", "x" * 60, max_tokens=4)])
    assert all(answer.finish_reason == "length" for answer in answers.values())
    engine.close()


def test_impossible_limits_are_refused(folder: Path) -> None:
    for limits, message in (({"max_running": 0}, "max_running"), ({"cache_tokens": 10}, "at least 16")):
        with pytest.raises(EngineError, match=message) as caught:
            load_engine(ModelSpec(source=str(folder), **limits))
        assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("limits", [{"cache_tokens": 16}, {"max_context": 5}, {"max_context": 33}])
def test_the_check_stays_within_a_small_cache_and_context(folder: Path, limits: dict[str, int]) -> None:
    engine = load_engine(ModelSpec(source=str(folder), **limits))
    answer = drive(engine, [raw("r", "xx", max_tokens=500)])["r"]
    assert answer.last.prompt_tokens + answer.last.completion_tokens == min(limits.values())
    engine.close()


def test_an_end_beyond_the_vocabulary_does_no_harm(folder: Path) -> None:
    edit(folder / "generation_config.json", eos_token_id=[1, 9999])
    engine = load_engine(ModelSpec(source=str(folder)))
    answer = drive(engine, [raw("r", "A product", max_tokens=5, min_tokens=5)])["r"]
    assert (answer.finish_reason, len(answer.token_ids)) == ("length", 5)
    engine.close()


def test_an_api_key_is_not_printed() -> None:
    assert "sk-secret" not in repr(ModelSpec(backend="remote", api_key="sk-secret"))


def test_the_remote_engine_needs_no_torch() -> None:
    code = "import sys, ml.engine.remote; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
