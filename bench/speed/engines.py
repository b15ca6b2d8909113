"""Millrace's engine as one of the ways, through the Engine protocol alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

from bench.speed.work import Job, Trace
from ml.engine import ModelSpec, load_engine
from ml.types import Engine, EngineRequest, EngineStats, SamplingParams

# What the caller wants to do between two steps, given all traces so far; returns jobs to hand over now.
Visitor = Callable[[Sequence[Trace]], Sequence[Job]]


class EngineWay:
    """One loaded engine, stepped by the calling thread."""

    def __init__(self, name: str, spec: ModelSpec) -> None:
        self.name = name
        self.engine: Engine = load_engine(spec)
        self._count = 0

    def run(self, jobs: Sequence[Job], clients: int, visit: Visitor | None = None) -> list[Trace]:
        """See Way; jobs that `visit` hands over are beside those of the clients."""
        left, traces, order = deque(jobs), dict[str, Trace](), list[Trace]()

        def submit(job: Job) -> None:
            trace = Trace(job, time.perf_counter())
            order.append(trace)
            traces[self._submit(job)] = trace

        for _ in range(min(clients, len(left))):
            submit(left.popleft())
        while traces:
            for _ in range(min(self._step(traces), len(left))):
                submit(left.popleft())
            for job in visit(order) if visit else ():
                submit(job)
        return order

    def stats(self) -> EngineStats:
        return self.engine.stats()

    def close(self) -> None:
        self.engine.close()

    def _submit(self, job: Job) -> str:
        self._count += 1
        sampling = SamplingParams(max_tokens=job.output_tokens, min_tokens=job.output_tokens, temperature=0)
        request = EngineRequest(request_id=str(self._count), sampling=sampling, prompt=job.text)
        self.engine.submit(request)
        return request.request_id

    def _step(self, traces: dict[str, Trace]) -> int:
        """Take one step; returns how many requests ended."""
        outputs = self.engine.step()
        now = time.perf_counter()
        ended = 0
        for output in outputs:
            trace = traces[output.request_id]
            trace.times += [now] * len(output.token_ids)
            trace.token_ids += output.token_ids
            if output.finish_reason:
                if output.finish_reason != "length":
                    wrote = f"{len(trace.token_ids)} of {trace.job.output_tokens} tokens"
                    raise RuntimeError(f"{self.name}: {output.finish_reason} after {wrote} {output.error_message}")
                del traces[output.request_id]
                ended += 1
        return ended


def engine_spec(source: str, dtype: str, max_running: int, cache_tokens: int | None) -> ModelSpec:
    """Return a spec; whether the engine can do `dtype` is for the engine to say."""
    return ModelSpec(source=source, max_running=max_running, cache_tokens=cache_tokens, dtype=cast(Any, dtype))
