"""The training loop that both stages share: update, log, checkpoint, resume."""

import json
import os
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig, LlamaForCausalLM

from ml.training.config import ModelShape, StageConfig
from ml.training.data import Batch

_FUSED_KERNELS = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


class BatchSource(Protocol):
    """Data that is a function of the step."""

    def batch(self, step: int) -> Batch: ...


def build_model(shape: ModelShape, seed: int, bos: int = 1, end: int = 2, pad: int = 0) -> LlamaForCausalLM:
    """Make a Llama with random weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=bos,
        eos_token_id=end,
        pad_token_id=pad,
        initializer_range=0.02,
    )
    return LlamaForCausalLM(config)


def batch_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Return the mean cross-entropy in nats over the labelled tokens; the head runs on those positions only.

    Padding is on the right, where a causal model cannot see it, so that no mask is needed.
    """
    hidden = model.model(input_ids=batch.input_ids).last_hidden_state[:, :-1]
    labels = batch.labels[:, 1:]
    chosen = labels != -100
    logits = model.lm_head(hidden[chosen])
    return functional.cross_entropy(logits, labels[chosen])


def train_stage(model: LlamaForCausalLM, data: BatchSource, config: StageConfig, folder: Path, name: str) -> float:
    """Run one stage, resuming from its checkpoint in `folder` when there is one; return the last smoothed loss.

    Writes `<name>.jsonl` (one object per log line) and `<name>.pt` (weights, optimizer and step, atomically).
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    optimizer = _optimizer(model, config, fused=True)
    checkpoint = folder / f"{name}.pt"
    first = _restore(checkpoint, model, optimizer, device) if checkpoint.exists() else 0
    smoothed, tokens, started = 0.0, 0, time.monotonic()
    model.train()
    for step in range(first, config.steps):
        batch = data.batch(step)
        tokens += int(batch.attention_mask.sum())
        loss, norm = _update(model, optimizer, batch, config, step, device)
        smoothed = loss if smoothed == 0 else 0.95 * smoothed + 0.05 * loss
        if (step + 1) % config.log_every == 0 or step + 1 == config.steps:
            seconds = time.monotonic() - started
            _log(folder / f"{name}.jsonl", step=step + 1, loss=round(loss, 4), smoothed=round(smoothed, 4),
                 lr=config.learning_rate(step), grad_norm=round(norm, 3), tokens=tokens,
                 tokens_per_second=round(tokens / seconds))  # fmt: skip
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            _save(checkpoint, model, optimizer, step + 1)
    model.eval()
    return smoothed


def _update(
    model: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: StageConfig,
    step: int,
    device: torch.device,
) -> tuple[float, float]:
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate(step)
    batch = Batch(batch.input_ids.to(device), batch.attention_mask.to(device), batch.labels.to(device))
    # On a CPU, plain matrix products beat the fused attention kernel's backward pass at these lengths.
    kernels = [SDPBackend.MATH] if device.type == "cpu" else list(_FUSED_KERNELS)
    with torch.autocast(device.type, torch.bfloat16), sdpa_kernel(kernels):
        loss = batch_loss(model, batch)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.detach()), float(norm)


def _optimizer(model: nn.Module, config: StageConfig, fused: bool) -> torch.optim.AdamW:
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.peak_lr, betas=(0.9, 0.95), fused=fused)


def _restore(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    partial = path.with_suffix(".partial")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, partial)
    os.replace(partial, path)


def _log(path: Path, **values: float) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(values) + "\n")
