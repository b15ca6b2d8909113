"""The local engine: schedule, run, postprocess."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from ml.engine.build import build
from ml.engine.detokenizer import Detokenizer, TextStream
from ml.engine.faults import NOT_A_NUMBER, Failure, PassResult, device_lost, failure_of, run_or_split
from ml.engine.loader import LoadedModel, load_model, unavailable
from ml.engine.pace import Pace
from ml.engine.prompt import PromptEncoder
from ml.engine.request import RequestState, check_request, continues
from ml.engine.runner import completes
from ml.engine.sampler import Sampler
from ml.engine.scheduler import Limits, Scheduler, Turn
from ml.engine.spec import ModelSpec
from ml.types import ContextLengthExceeded, EngineError, EngineRequest, EngineStats, FinishReason, Progress, StepOutput

log = logging.getLogger(__name__)

# Prompt tokens computed in one pass when nothing else runs: enough to keep the device busy.
CPU_PROMPT_TOKENS = 512
GPU_PROMPT_TOKENS = 8192
# Of the prompt by which the pace is set at the start.
REHEARSED_TOKENS = 256
# transformers changes the whole process while it reads a model (the default dtype and device, how weights begin), so a
# second one read meanwhile lacks weights or has them in the other's precision.
ONE_LOADS = threading.Lock()


class LocalEngine:
    """Continuous batching of one transformers model; see the Engine protocol in ml/types.py.

    `submit`, `cancel` and `stats` may be called from any thread, `step` by one. Counts: `completion_tokens` are the
    generated tokens without the end-of-sequence token, which is neither text nor part of `token_ids`.
    """

    def __init__(self, spec: ModelSpec, loaded: LoadedModel) -> None:
        self._eos_ids, self._vocabulary = loaded.eos_ids, loaded.shape.vocabulary
        self._encoder = PromptEncoder(loaded.tokenizer)
        self._detokenizer = Detokenizer(loaded.tokenizer)
        self._sampler = Sampler(token for token in loaded.eos_ids if token < self._vocabulary)
        prompt_tokens = GPU_PROMPT_TOKENS if loaded.device.type == "cuda" else CPU_PROMPT_TOKENS
        with torch.inference_mode():
            self._runner, pool, self._context = build(spec, loaded, prompt_tokens)
            self._pace = Pace(prompt_tokens)
            for seen in self._runner.rehearse(spec.max_running, min(REHEARSED_TOKENS, self._context)):
                self._pace.observe(*seen)
        self._scheduler = Scheduler(Limits(spec.max_running, prompt_tokens), pool)
        self.max_running = spec.max_running
        self._steps = self._generated = self._prefilled = 0
        self._changed = threading.Condition()
        self._inbox: list[RequestState] = []
        self._ready: list[StepOutput] = []
        self._cancelled: set[str] = set()
        self._known: set[str] = set()
        self._closed = False

    @classmethod
    def load(cls, spec: ModelSpec) -> LocalEngine:
        """Load the model and check that it runs correctly in a batch; raises ModelUnavailable."""
        with unavailable(spec.source), ONE_LOADS:
            return cls(spec, load_model(spec))

    # ------------------------------------------------------------------ from any thread

    def submit(self, request: EngineRequest) -> None:
        """Queue a request; raises EngineError if it cannot be served.

        Its code is `invalid_request` or `context_length_exceeded` where the request is at fault; otherwise it is that
        of a failed pass.
        """
        check_request(request)
        prompt_ids = self._encode(request)
        if max(prompt_ids) >= self._vocabulary:  # on a GPU, reading beyond the embeddings would end the process
            raise EngineError("the prompt has tokens that the model does not know", "invalid_request")
        room = self._context - len(prompt_ids)
        if room < 1:
            raise ContextLengthExceeded(
                f"the prompt has {len(prompt_ids)} tokens, and prompt plus answer must fit in {self._context}"
            )
        state = self._new_state(request, prompt_ids, room)
        finish = state.resume()
        with self._changed:
            if self._closed:
                raise EngineError("the engine is closed", "engine_closed")
            if request.request_id in self._known:
                raise EngineError(f"request {request.request_id} is already being served", "invalid_request")
            if finish:
                self._ready.append(state.take_output(finish))
            else:
                self._known.add(request.request_id)
                self._inbox.append(state)
            self._changed.notify()

    def _encode(self, request: EngineRequest) -> tuple[int, ...]:
        try:
            return tuple(self._encoder.encode(request))
        except EngineError:
            raise
        except Exception as error:
            log.exception("encoding the prompt of request %s failed", request.request_id)
            failure = failure_of(error)
            raise EngineError(failure.message, failure.code) from error

    def cancel(self, request_id: str) -> None:
        """End a request at the next step; unknown ids are ignored, for they may have ended just now."""
        with self._changed:
            if request_id in self._known:
                self._cancelled.add(request_id)
                self._changed.notify()

    def stats(self) -> EngineStats:
        scheduler, pool = self._scheduler, self._scheduler.pool
        with self._changed:
            waiting = len(self._inbox) + len(scheduler.waiting)
        return EngineStats(
            running=len(scheduler.running),
            waiting=waiting,
            max_running=self.max_running,
            cache_tokens_used=(pool.total - pool.free) * pool.size,
            cache_tokens_total=pool.total * pool.size,
            steps=self._steps,
            generated_tokens=self._generated,
            prefill_tokens=self._prefilled,
            reused_tokens=scheduler.reused,
            preemptions=scheduler.preempted,
        )

    def close(self) -> None:
        """Refuse new requests and end `step`'s waiting; what is unfinished is dropped, so drain first."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # ------------------------------------------------------------------ from the stepping thread

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        """Advance every writing request by one token and prompts by a part, and return what is new.

        Raises only if the device is lost: an engine that answers everything with an error would empty the queue.
        """
        outputs, cancelled = self._collect(timeout)
        if self._closed:
            return outputs
        with torch.inference_mode():
            try:
                self._release_ended(cancelled, outputs)
                self._pass(outputs)
            except Exception as error:  # not one request's fault; without this, clients would wait for ever
                if device_lost(error):
                    raise
                log.exception("a step failed")
                outputs += self._abandon(failure_of(error))
        return outputs

    def _release_ended(self, cancelled: set[str], outputs: list[StepOutput]) -> None:
        """End what was cancelled or is past its deadline."""
        ended = self._scheduler.take_ended(cancelled, time.monotonic())
        outputs.extend(self._end(state, reason) for state, reason in ended)

    def _abandon(self, failure: Failure) -> list[StepOutput]:
        """End everything that runs and forget what it has computed; what waits is not touched."""
        states = list(self._scheduler.running)
        for state in states:
            self._scheduler.remove(state, void=True)
        return [self._end(state, failure) for state in states]

    def _collect(self, timeout: float) -> tuple[list[StepOutput], set[str]]:
        """Take what other threads have left; with nothing else to do, wait for it."""
        with self._changed:
            busy = self._scheduler.running or self._scheduler.waiting
            if not (busy or self._inbox or self._ready or self._closed):
                self._changed.wait(timeout)
            for state in self._inbox:
                self._scheduler.add(state)
            outputs, cancelled = self._ready, self._cancelled
            self._inbox, self._ready, self._cancelled = [], [], set()
        return outputs, cancelled

    def _pass(self, outputs: list[StepOutput]) -> None:
        """Compute one pass and give each request whose tokens are all computed its next one."""
        writing = sum(state.missing == 1 for state in self._scheduler.running)
        coming = min(self.max_running, len(self._scheduler.running) + len(self._scheduler.waiting)) - writing
        prompt_tokens = self._pace.prompt_tokens(writing, coming, self._scheduler.first_prompt())
        turns = self._scheduler.next_pass(prompt_tokens)
        if not turns:
            return
        began = time.perf_counter()

        def compute(start: int, stop: int) -> torch.Tensor:
            return self._runner.compute(turns[start:stop])

        results = run_or_split(compute, 0, len(turns))
        self._postprocess(turns, results, outputs)
        writing = sum(turn.count == 1 for turn in turns)
        prompts = sum(turn.count for turn in turns) - writing
        self._pace.observe(writing, prompts, time.perf_counter() - began)
        self._steps += 1
        self._prefilled += prompts

    def _postprocess(self, turns: Sequence[Turn], results: list[PassResult], outputs: list[StepOutput]) -> None:
        """Turn logits into tokens, text and `outputs`, one by one, for what is taken out of a request must go out."""
        for start, stop, result in results:
            part = turns[start:stop]
            if isinstance(result, Exception):
                outputs.extend(self._leave(turn.state, failure_of(result)) for turn in part)
                continue
            complete = [turn.state for turn in part if completes(turn)]
            self._scheduler.computed(part)
            for state, token in zip(complete, self._choose(result, complete), strict=True):
                outcome = token if isinstance(token, Failure) else self._accept(state, token)
                outputs.append(self._leave(state, outcome) if outcome else state.take_output())

    def _leave(self, state: RequestState, reason: FinishReason | Failure) -> StepOutput:
        """End a running request; what a failed one has in the cache may be nonsense, and is not shared."""
        self._scheduler.remove(state, void=isinstance(reason, Failure))
        return self._end(state, reason)

    def _choose(self, logits: torch.Tensor, states: list[RequestState]) -> list[int | Failure]:
        """Sample one token per row; a row that cannot be sampled fails alone."""
        try:
            return [NOT_A_NUMBER if token is None else token for token in self._sampler.sample(logits, states)]
        except Exception as error:
            if device_lost(error):  # what a kernel did wrong shows here, where its results are read
                raise
            log.exception("sampling %d rows failed", len(states))
            if len(states) == 1:
                return [failure_of(error)]
        pairs = zip(logits.split(1), states, strict=True)
        return [self._choose(row, [state])[0] for row, state in pairs]

    def _accept(self, state: RequestState, token: int) -> FinishReason | Failure | None:
        if token in self._eos_ids:
            return "stop"
        self._generated += 1
        try:
            self._sampler.observe(state, token)
            return state.accept(token)
        except Exception as error:  # for example a tokenizer that fails on one of its own tokens
            log.exception("decoding a token of request %s failed", state.request_id)
            return failure_of(error)

    def _end(self, state: RequestState, reason: FinishReason | Failure) -> StepOutput:
        self._sampler.forget(state)
        with self._changed:
            self._known.discard(state.request_id)
            self._cancelled.discard(state.request_id)
        if isinstance(reason, Failure):
            return state.take_output("error", reason.code, reason.message)
        try:
            return state.take_output(reason)
        except Exception as error:  # text that was held back cannot be decoded; the end has to come out all the same
            log.exception("ending request %s failed", state.request_id)
            failure = failure_of(error)
            return state.take_output("error", failure.code, failure.message)

    # ------------------------------------------------------------------ at the start

    def _new_state(self, request: EngineRequest, prompt_ids: tuple[int, ...], room: int) -> RequestState:
        """Build a request's state; progress that this model cannot have made is void, and the answer starts over."""

        def text() -> TextStream:
            context = prompt_ids if request.prompt is not None else ()
            sampling = request.sampling
            return TextStream(self._detokenizer.pieces(context), sampling.stop, sampling.min_tokens)

        restarted = not continues(request.progress, text(), self._vocabulary)
        if restarted:
            request = replace(request, progress=Progress())
        max_tokens = min(request.sampling.max_tokens, room)
        return RequestState(request, prompt_ids, max_tokens, text(), restarted=restarted)
