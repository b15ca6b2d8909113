"""Loading a model and its tokenizer, with an error that says what is wrong when that cannot be done."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from ml.engine.architecture import RUNS, Architecture, describe
from ml.engine.cpu.linear import has_bfloat16
from ml.engine.spec import ModelSpec
from ml.panics import panics_as_errors
from ml.types import EngineError, ModelUnavailable

log = logging.getLogger(__name__)

TINY_MODEL_PARAMETERS = 30_000_000
# What torch found before anybody changed it.
CORES = torch.get_num_threads()
SMALL_MODEL_PARAMETERS = 100_000_000
NEEDS_CODE = "it needs code from its repository, which is never run here"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of transformers and what the engine has to know of it; `exact` says that it computes in float32."""

    source: str
    model: Any
    tokenizer: Any
    device: torch.device
    shape: Architecture
    eos_ids: frozenset[int]
    max_context: int
    int8: bool

    @property
    def exact(self) -> bool:
        return bool(self.model.dtype == torch.float32)


def load_model(spec: ModelSpec) -> LoadedModel:
    """Load the model named by `spec`; raises ModelUnavailable, or what transformers raises (see `unavailable`)."""
    set_threads()
    disable_progress_bar()
    folder = _local_folder(spec.source)
    arguments = {
        "revision": spec.revision or "main",
        "trust_remote_code": False,
        "local_files_only": folder is not None,
    }
    name = str(folder) if folder else spec.source
    config = AutoConfig.from_pretrained(name, **arguments)
    _check_kind(config, spec.source)
    shape = describe(config, spec.source)
    tokenizer = AutoTokenizer.from_pretrained(name, **arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, info = AutoModelForCausalLM.from_pretrained(
        name,
        config=config,
        dtype=_dtype(spec, config, device),
        attn_implementation="eager",
        use_safetensors=True,
        output_loading_info=True,
        **arguments,
    )
    missing = sorted([*info["missing_keys"], *info["mismatched_keys"]], key=str)
    if missing:
        raise ModelUnavailable(f"{spec.source}: the weights do not fit the configuration, for example {missing[0]}")
    model.to(device).eval().requires_grad_(False)
    fit_threads(model)
    log.info("loaded %s as %s on %s", spec.source, model.dtype, device)
    return _describe(spec, model, tokenizer, device, shape)


def set_threads() -> None:
    """Apply MILLRACE_TORCH_THREADS, for machines where several processes share the cores."""
    threads = os.environ.get("MILLRACE_TORCH_THREADS", "")
    if threads:
        if not threads.isdecimal() or int(threads) < 1:
            raise ModelUnavailable(f"MILLRACE_TORCH_THREADS must be a number from 1 up, not {threads!r}")
        torch.set_num_threads(int(threads))


def fit_threads(model: Any) -> None:
    """Give a tiny model one thread: its matrices are too small to share.

    With two threads on two cores that also run something else, every product waits for whichever thread the system has
    put aside, and the house model wrote 16 times slower (8 instead of 128 tokens/s). A larger model loaded later in
    the same process takes all cores again.
    """
    if model.device.type == "cpu" and not os.environ.get("MILLRACE_TORCH_THREADS"):
        torch.set_num_threads(1 if model.num_parameters() < TINY_MODEL_PARAMETERS else CORES)


def _local_folder(source: str) -> Path | None:
    """Return the folder that `source` names, or None if it is a Hugging Face id; checks what a folder must have."""
    if not source:
        raise ModelUnavailable("no model is named: the source is empty")
    folder = Path(source).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1:
            raise ModelUnavailable(f"{source}: there is no such folder")
        return None
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(f"{source}: the folder has no config.json")
    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(f"{source}: the folder has no safetensors weights (other formats can run code)")
    return folder


@contextmanager
def unavailable(source: str) -> Iterator[None]:
    """Turn what transformers raises into ModelUnavailable with one line that names the cause."""
    try:
        with panics_as_errors():
            yield
    except EngineError:
        raise
    except Exception as error:
        text = str(error)
        reason = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
        if "trust_remote_code" in text:
            reason = NEEDS_CODE
        elif "safetensors" in text:
            reason = f"no usable safetensors weights ({reason})"
        raise ModelUnavailable(f"{source}: {reason}") from error


def _check_kind(config: Any, source: str) -> None:
    if getattr(config, "is_encoder_decoder", False):
        raise ModelUnavailable(f"{source}: an encoder-decoder is not a causal language model; {RUNS}")
    if type(config) not in AutoModelForCausalLM._model_mapping:
        needs_code = "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
        raise ModelUnavailable(f"{source}: {NEEDS_CODE if needs_code else f'not a causal language model; {RUNS}'}")


def _dtype(spec: ModelSpec, config: Any, device: torch.device) -> torch.dtype:
    half = device.type == "cuda" or has_bfloat16()
    if spec.dtype == "float16" and device.type == "cuda":
        return torch.float16
    if spec.dtype == "float32" or not half:
        if spec.dtype not in {"auto", "float32"}:
            log.warning("%s: this processor does not compute in %s, so it is float32", spec.source, spec.dtype)
        return torch.float32
    if (spec.dtype, device.type) in {("float16", "cpu"), ("int8", "cuda")}:
        log.warning("%s: %s is not for this device, so it is bfloat16", spec.source, spec.dtype)
    if spec.dtype != "auto" or device.type == "cuda":
        return torch.bfloat16
    with torch.device("meta"):
        skeleton = AutoModelForCausalLM.from_config(config)
    parameters = sum(parameter.numel() for parameter in skeleton.parameters())
    return torch.float32 if parameters < SMALL_MODEL_PARAMETERS else torch.bfloat16


def _describe(spec: ModelSpec, model: Any, tokenizer: Any, device: torch.device, shape: Architecture) -> LoadedModel:
    return LoadedModel(
        source=spec.source,
        model=model,
        tokenizer=tokenizer,
        device=device,
        shape=shape,
        eos_ids=_eos_ids(model, tokenizer),
        max_context=min(shape.context, spec.max_context or shape.context),
        int8=spec.dtype == "int8" and model.dtype == torch.bfloat16 and device.type == "cpu",
    )


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Return the tokens that end an answer: the generation settings' and the tokenizer's own.

    Published chat models often name the end of a turn in only one of the two.
    """
    found: set[int] = set()
    for holder in (model.generation_config, tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        found.update(ids if isinstance(ids, list | tuple) else [] if ids is None else [ids])
    return frozenset(found)
