"""A worker's part played by hand: claim, write to the stream, settle; each step when the test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import connections

from apps.core import jobs, streams
from apps.core.connections import redis_client
from apps.core.jobs import Status
from apps.studio.models import Generation
from apps.studio.services import Outcome, finish_generation
from tests.helpers.people import Tenant
from tests.helpers.studio import reread


class HandWorker:
    """Holds one claimed generation; every word counts as one token, and the prompt as five."""

    PROMPT_TOKENS = 5

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.words: list[str] = []
        self.seq = 0
        streams.take_over(redis_client(), generation.id, generation.attempt)

    @classmethod
    def claim(cls, seconds: float = 10) -> HandWorker:
        """Takes the next waiting generation, and waits for one to come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := jobs.claim(Generation, "by-hand", 1):
                return cls(found[0])
            time.sleep(0.02)
        raise AssertionError("no generation came")

    def _append(self, entry: streams.Entry) -> None:
        self.seq += 1
        pipe = redis_client().pipeline(transaction=False)
        streams.append(pipe, self.generation.id, self.generation.attempt, self.seq, entry)
        pipe.execute()

    def write(self, *words: str) -> None:
        for word in words:
            self._append(streams.Entry("", streams.DELTA, word, (len(self.words),), len(self.words)))
            self.words.append(word)

    def start_over(self) -> None:
        self.words = []
        self._append(streams.Entry("", streams.RESET))

    def finish(
        self, status: Status = Status.SUCCEEDED, reason: str = "stop", code: str = "", message: str = ""
    ) -> None:
        outcome = Outcome(
            status=status,
            text="".join(self.words),
            finish_reason=reason,
            prompt_tokens=self.PROMPT_TOKENS,
            completion_tokens=len(self.words),
            error_code=code,
            error_message=message,
        )
        assert finish_generation(self.generation.organization_id, self.generation.id, self.generation.attempt, outcome)
        self._append(streams.Entry("", streams.END))

    def run(self, words: Sequence[str]) -> None:
        self.write(*words)
        self.finish()

    def wait_for_cancel(self, tenant: Tenant, seconds: float = 10) -> None:
        """Until somebody has asked for the end, then ends as a worker does."""
        until = time.monotonic() + seconds
        while not reread(tenant, self.generation).cancel_requested_at:
            assert time.monotonic() < until, "nobody cancelled"
            time.sleep(0.05)
        self.finish(Status.CANCELLED, "cancelled")


@contextmanager
def working(job: Callable[[], None]) -> Iterator[None]:
    """Runs `job` beside the block in a thread; an exception in it fails the test."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            job()
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive(), "the worker did not finish"
    if problems:
        raise problems[0]


def answering(*words: str) -> Callable[[], None]:
    """A job for `working`: the next generation is answered with these words."""
    return lambda: HandWorker.claim().run(words)
