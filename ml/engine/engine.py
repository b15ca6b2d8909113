"""The local engine: schedule, run, postprocess."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from ml.engine.cache import SlotCache
from ml.engine.detokenizer import Detokenizer, TextStream
from ml.engine.faults import NOT_A_NUMBER, Failure, PassResult, failure_of, run_or_split
from ml.engine.loader import LoadedModel, load_model, unavailable
from ml.engine.memory import cache_bytes
from ml.engine.prompt import PromptEncoder
from ml.engine.request import RequestState, check_request, continues
from ml.engine.runner import ModelRunner, alike, verify
from ml.engine.sampler import Sampler
from ml.engine.scheduler import BLOCK, Limits, Scheduler, round_up
from ml.engine.spec import ModelSpec
from ml.types import ContextLengthExceeded, EngineError, EngineRequest, EngineStats, FinishReason, Progress, StepOutput

log = logging.getLogger(__name__)

# Prompt tokens computed in one step: enough to keep the device busy, few enough not to stop running streams long.
CPU_PREFILL_TOKENS = 512
GPU_PREFILL_TOKENS = 8192


class LocalEngine:
    """Continuous batching of one transformers model; see the Engine protocol in ml/types.py.

    `submit`, `cancel` and `stats` may be called from any thread, `step` by one. Counts: `completion_tokens` are the
    generated tokens without the end-of-sequence token, which is neither text nor part of `token_ids`.
    """

    def __init__(self, spec: ModelSpec, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._encoder = PromptEncoder(loaded.tokenizer)
        self._detokenizer = Detokenizer(loaded.tokenizer)
        self._sampler = Sampler()
        cache = SlotCache(max(spec.max_running, 2), 2 * BLOCK)
        self._runner = ModelRunner(loaded, cache)
        with torch.inference_mode():
            verify(self._runner, loaded)
        cache.max_rows = self.max_running = spec.max_running
        cache.budget = spec.cache_tokens or self._affordable_tokens(cache)
        prefill_tokens = GPU_PREFILL_TOKENS if loaded.device.type == "cuda" else CPU_PREFILL_TOKENS
        self._scheduler = Scheduler(Limits(spec.max_running, cache.budget, prefill_tokens))
        self._context = min(loaded.max_context, cache.budget // BLOCK * BLOCK)
        if self._context < 2:
            raise EngineError(f"cache_tokens must be at least {BLOCK}", "invalid_request")
        log.info("context %d, batch %d, cache %d tokens", self._context, self.max_running, cache.budget)
        self._changed = threading.Condition()
        self._inbox: list[RequestState] = []
        self._ready: list[StepOutput] = []
        self._cancelled: set[str] = set()
        self._known: set[str] = set()
        self._closed = False

    @classmethod
    def load(cls, spec: ModelSpec) -> LocalEngine:
        """Load the model and check that it runs correctly in a batch; raises ModelUnavailable."""
        with unavailable(spec.source):
            return cls(spec, load_model(spec))

    # ------------------------------------------------------------------ from any thread

    def submit(self, request: EngineRequest) -> None:
        """Queue a request; raises EngineError (`invalid_request`, `context_length_exceeded`) if it cannot be served."""
        check_request(request)
        prompt_ids = tuple(self._encoder.encode(request))
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

    def cancel(self, request_id: str) -> None:
        """End a request at the next step; unknown ids are ignored, for they may have ended just now."""
        with self._changed:
            if request_id in self._known:
                self._cancelled.add(request_id)
                self._changed.notify()

    def stats(self) -> EngineStats:
        with self._changed:
            waiting = len(self._inbox) + len(self._scheduler.waiting)
        return EngineStats(
            running=len(self._scheduler.running),
            waiting=waiting,
            cache_tokens_used=sum(list(self._runner.lengths)),
            cache_tokens_total=self._scheduler.limits.cache_tokens,
        )

    def close(self) -> None:
        """Refuse new requests and end `step`'s waiting; what is unfinished is dropped, so drain first."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # ------------------------------------------------------------------ from the stepping thread

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        """Advance every running request by one token, admit what fits, and return what is new."""
        outputs, cancelled = self._collect(timeout)
        if self._closed:
            return outputs
        with torch.inference_mode():
            try:
                outputs += self._release_ended(cancelled)
                outputs += self._advance()
                outputs += self._admit()
            except Exception as error:  # not one request's fault; without this, clients would wait for ever
                log.exception("a step failed")
                outputs += self._abandon(failure_of(error))
        return outputs

    def _release_ended(self, cancelled: set[str]) -> list[StepOutput]:
        """End what was cancelled or is past its deadline."""
        outputs = []
        for state, reason, row in self._scheduler.take_ended(cancelled, time.monotonic()):
            if row is not None:
                self._runner.release(row)
            outputs.append(self._end(state, reason))
        return outputs

    def _abandon(self, failure: Failure) -> list[StepOutput]:
        """End everything that runs and start again with an empty batch; what waits is not touched."""
        states, self._scheduler.running = self._scheduler.running, []
        self._runner.reset()
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

    def _admit(self) -> list[StepOutput]:
        """Prefill what fits now and give each new request its first token."""
        admitted = self._scheduler.admit()
        if not admitted:
            return []
        scheduler, runner = self._scheduler, self._runner
        first = len(runner.lengths)
        prompts = [state.prefill_ids() for state in admitted]
        used = list(runner.lengths)
        runner.add_rows(prompts)
        try:
            runner.cache.reserve(len(scheduler.running), scheduler.longest_reservation(), used)
        except Exception as error:
            log.exception("no room for %d requests", len(admitted))
            for state in reversed(admitted):  # the last rows, never written: nothing moves
                scheduler.remove(state)
                runner.release(len(runner.lengths) - 1)
            return [self._end(state, failure_of(error)) for state in admitted]

        def prefill(start: int, stop: int) -> torch.Tensor:
            return runner.prefill(start, prompts[start - first : stop - first])

        results: list[PassResult] = []
        for start, stop in alike(prompts):
            results += run_or_split(prefill, first + start, first + stop)
        return self._postprocess(results)

    def _advance(self) -> list[StepOutput]:
        """Decode one token for every running request."""
        running = len(self._scheduler.running)
        return self._postprocess(run_or_split(self._runner.decode, 0, running)) if running else []

    def _postprocess(self, results: list[PassResult]) -> list[StepOutput]:
        """Turn the logits of rows into tokens, text and outputs; free the rows of what has ended."""
        outputs: list[StepOutput] = []
        ended: list[tuple[RequestState, FinishReason | Failure]] = []
        for start, stop, result in results:
            states = self._scheduler.running[start:stop]
            chosen = self._choose(result, states) if isinstance(result, torch.Tensor) else [failure_of(result)]
            for row, state, token in zip(range(start, stop), states, chosen, strict=True):
                outcome = token if isinstance(token, Failure) else self._accept(state, row, token)
                if outcome:
                    ended.append((state, outcome))
                else:
                    outputs.append(state.take_output())
        return outputs + self._finish(ended)

    def _choose(self, logits: torch.Tensor, states: list[RequestState]) -> list[int | Failure]:
        """Sample one token per row; a row that cannot be sampled fails alone."""
        try:
            return [NOT_A_NUMBER if token is None else token for token in self._sampler.sample(logits, states)]
        except Exception as error:
            log.exception("sampling %d rows failed", len(states))
            if len(states) == 1:
                return [failure_of(error)]
        pairs = zip(logits.split(1), states, strict=True)
        return [self._choose(row, [state])[0] for row, state in pairs]

    def _accept(self, state: RequestState, row: int, token: int) -> FinishReason | Failure | None:
        if token in self._loaded.eos_ids:
            return "stop"
        self._runner.tokens[row] = token
        try:
            self._sampler.observe(state, token)
            return state.accept(token)
        except Exception as error:  # for example a tokenizer that fails on one of its own tokens
            log.exception("decoding a token of request %s failed", state.request_id)
            return failure_of(error)

    def _finish(self, ended: list[tuple[RequestState, FinishReason | Failure]]) -> list[StepOutput]:
        """End requests and give their rows back."""
        failed = {id(state) for state, reason in ended if isinstance(reason, Failure)}
        for row, state in enumerate(self._scheduler.running):
            if id(state) in failed:
                self._runner.wipe(row)
        for state, _ in ended:
            row_freed = self._scheduler.remove(state)
            if row_freed is not None:
                self._runner.release(row_freed)
        return [self._end(state, reason) for state, reason in ended]

    def _end(self, state: RequestState, reason: FinishReason | Failure) -> StepOutput:
        self._sampler.forget(state)
        with self._changed:
            self._known.discard(state.request_id)
            self._cancelled.discard(state.request_id)
        if isinstance(reason, Failure):
            return state.take_output("error", reason.code, reason.message)
        return state.take_output(reason)

    # ------------------------------------------------------------------ at the start

    def _new_state(self, request: EngineRequest, prompt_ids: tuple[int, ...], room: int) -> RequestState:
        """Build a request's state; progress that this model cannot have made is void, and the answer starts over."""

        def text() -> TextStream:
            context = prompt_ids if request.prompt is not None else ()
            return TextStream(self._detokenizer.pieces(context), request.sampling.stop)

        restarted = not continues(request.progress, text(), self._loaded.vocabulary)
        if restarted:
            request = replace(request, progress=Progress())
        max_tokens = min(request.sampling.max_tokens, room)
        return RequestState(request, prompt_ids, max_tokens, text(), restarted=restarted)

    def _affordable_tokens(self, cache: SlotCache) -> int:
        """Return how many cache positions a share of the free memory holds, at most what a full batch can use."""
        most = self.max_running * round_up(self._loaded.max_context)
        return max(BLOCK, min(most, cache_bytes(self._loaded.device) // max(1, cache.bytes_per_token())))
