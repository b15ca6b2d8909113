"""An engine that says what the test wants, and what a test of the worker looks at."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core import jobs, streams
from apps.core.streams import DELTA
from apps.studio.models import Generation
from ml.types import EngineError, EngineRequest, EngineStats, StepOutput
from tests.helpers.people import Tenant
from tests.helpers.studio import reread

WORDS = ["Tea", " is", " warm", "."]


@dataclass
class ScriptedEngine:
    """Says WORDS, one each step; while `held` it waits before the third.

    First it refuses requests with each of `refusals`, and then fails with each of `failures`.
    """

    held: threading.Event = field(default_factory=threading.Event)
    max_running: int = 4
    requests: list[EngineRequest] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    said: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def submit(self, request: EngineRequest) -> None:
        if self.refusals:
            raise EngineError("No.", self.refusals.pop(0))
        self.said[request.request_id] = len(request.progress.token_ids)
        self.requests.append(request)

    def cancel(self, request_id: str) -> None:
        self.cancelled.add(request_id)

    def step(self, timeout: float = 0.1) -> Sequence[StepOutput]:
        time.sleep(0.01)
        return [output for id in list(self.said) if (output := self._advance(id))]

    def _advance(self, id: str) -> StepOutput | None:
        said = self.said[id]
        if self.failures:
            del self.said[id]
            return StepOutput(id, finish_reason="error", error_code=self.failures.pop(0), error_message="No.")
        if id in self.cancelled:
            del self.said[id]
            return StepOutput(id, finish_reason="cancelled", prompt_tokens=10, completion_tokens=said)
        if self.held.is_set() and said == 2:
            return None
        self.said[id] = said + 1
        if said + 1 < len(WORDS):
            return StepOutput(id, WORDS[said], (said,))
        del self.said[id]
        return StepOutput(id, WORDS[said], (said,), "stop", prompt_tokens=10, completion_tokens=len(WORDS))

    def stats(self) -> EngineStats:
        return EngineStats(running=len(self.said))

    def close(self) -> None:
        pass


def wait_for(met: Callable[[], Any], seconds: float = 15) -> Any:
    until = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < until, "nothing happened in time"
        time.sleep(0.02)
    return found


def ended(tenant: Tenant, generation: Generation) -> Generation:
    found = wait_for(lambda: (row := reread(tenant, generation)).status in jobs.TERMINAL and row)
    assert isinstance(found, Generation)
    return found


def entries(redis: Any, generation: Generation) -> list[tuple[str, str]]:
    found = redis.xrange(streams.key(generation.pk))
    return [(fields[b"k"].decode(), fields.get(b"t", b"").decode()) for _, fields in found]


def texts(redis: Any, generation: Generation) -> str:
    return "".join(text for kind, text in entries(redis, generation) if kind == DELTA)
