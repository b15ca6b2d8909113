"""transformers' own ways: `generate()` for one prompt or a static batch, and its continuous batching."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

from bench.speed.work import Job, Trace, in_turn

PAGE = 256
# Most prompt and answer tokens in one pass of transformers' continuous batching. On a CPU its own 8,192 make it a
# third slower than this (every pass attends over all requests behind one mask); on a GPU they are left as they are.
CPU_BATCH_TOKENS = 256


def load_model(folder: str, dtype: torch.dtype, device: str, tokenizer: Any) -> Any:
    """Load a model as transformers has it, set to plain greedy decoding whatever the folder recommends.

    The tokens that end a text are those of the model and of the tokenizer together, as for Millrace's engine.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=Path(folder).is_dir())
    own = model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=tokenizer.pad_token_id or 0
    )
    return model.to(device).eval().requires_grad_(False)


class Clock:
    """A streamer that notes when `generate()` has chosen the next token of every row."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self.times.append(time.perf_counter())
        self._prompt_seen = True

    def end(self) -> None:
        """The end brings no token."""


class StaticWay:
    """Batches of `generate()`: a batch begins with what waits, and ends with its longest answer."""

    name = "static batches"

    def __init__(self, model: Any) -> None:
        self._model = model
        self._pad_id = model.generation_config.pad_token_id

    def run(self, jobs: Sequence[Job], clients: int) -> list[Trace]:
        traces: list[Trace] = []
        for batch in in_turn(jobs, clients):
            traces += self._generate(batch)
        return traces

    def close(self) -> None:
        """Nothing runs between calls."""

    def _generate(self, jobs: Sequence[Job]) -> list[Trace]:
        submitted, clock = time.perf_counter(), Clock()
        longest = max(len(job.prompt_ids) for job in jobs)
        padding = [longest - len(job.prompt_ids) for job in jobs]
        rows = [[self._pad_id] * pad + list(job.prompt_ids) for job, pad in zip(jobs, padding, strict=True)]
        seen = [[0] * pad + [1] * (longest - pad) for pad in padding]
        most = max(job.output_tokens for job in jobs)
        device = self._model.device
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(seen, device=device),
                max_new_tokens=most,
                min_new_tokens=most,
                streamer=clock,
            )
        written = output[:, longest:].tolist()
        cut = [(job, tokens[: job.output_tokens]) for job, tokens in zip(jobs, written, strict=True)]
        return [Trace(job, submitted, clock.times[: len(tokens)], tokens) for job, tokens in cut]


class OneAtATimeWay(StaticWay):
    """`generate()` for one prompt after the other; the other clients wait for their turn."""

    name = "one at a time"

    def run(self, jobs: Sequence[Job], clients: int) -> list[Trace]:
        return super().run(jobs, 1)


class ContinuousWay:
    """transformers' continuous batching, with its own scheduler, paged cache and, on a GPU, CUDA graphs."""

    name = "transformers continuous"

    def __init__(self, model: Any, clients: int, longest: int, graphs: bool | None = None) -> None:
        """Load it for `clients` requests of `longest` tokens; `graphs` None leaves CUDA graphs to its own choice."""
        self._model = model
        on_gpu = model.device.type == "cuda"
        settings = ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=clients * (longest // PAGE + 2),
            max_batch_tokens=None if on_gpu else max(CPU_BATCH_TOKENS, clients),
            max_requests_per_batch=clients,
            use_cuda_graph=graphs,
        )
        generation = GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0)
        self._manager = model.init_continuous_batching(generation, settings)
        self._manager.warmup()
        self._manager.start()
        self._count = 0

    @property
    def settings(self) -> dict[str, Any]:
        """What it chose for itself, for the record."""
        chosen = self._manager.continuous_batching_config
        names = (
            "page_size",
            "num_blocks",
            "max_batch_tokens",
            "use_cuda_graph",
            "use_async_batching",
            "scheduler_type",
        )
        return {"attention": self._model.config._attn_implementation, **{name: getattr(chosen, name) for name in names}}

    def run(self, jobs: Sequence[Job], clients: int) -> list[Trace]:
        left, running, order = deque(jobs), dict[str, Trace](), list[Trace]()

        def submit() -> None:
            trace = Trace(left.popleft(), time.perf_counter())
            order.append(trace)
            self._count += 1
            name = f"job-{self._count}"
            running[name] = trace
            self._manager.add_request(
                list(trace.job.prompt_ids), name, trace.job.output_tokens, record_timestamps=True, eos_token_id=-1
            )

        for _ in range(min(clients, len(left))):
            submit()
        while running:
            result = self._result()
            trace = running.pop(result.request_id)
            trace.times, trace.token_ids = list(result.timestamps), list(result.generated_tokens)
            if left:
                submit()
        return order

    def close(self) -> None:
        self._manager.stop(block=True)
        self._manager.destroy()

    def _result(self) -> Any:
        """Wait for the next finished request."""
        while True:
            result = self._manager.get_result(timeout=5)
            if result is None and not self._manager.is_running():
                raise RuntimeError(f"{self.name} has died: {self._manager.background_thread_status.fatal_error}")
            if result is not None and result.error is not None:
                raise RuntimeError(f"{self.name}: {result.error}")
            if result is not None and result.is_finished():
                return result
