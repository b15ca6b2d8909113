"""Reading texts of many callers as one batch: whatever waits when the model is free goes together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from ml.dialogue.types import Reading
from ml.types import ModelUnavailable

MOST = 32
# Who was answered together asks again together. So long is waited for the next of them, which is nothing beside the
# time that a batch takes, and saves reading the first of them by themselves.
TOGETHER_SECONDS = 0.001


class Reader(Protocol):
    """What reads texts, several at once."""

    def read(self, texts: Sequence[str]) -> Sequence[Reading]: ...


class IntentServer:
    """Threads that share the model. A batch is what came while the last one was read, and what comes with it.

    As many `threads` as cores, each of which multiplies alone (`torch.set_num_threads(1)`), read more than one whose
    products are parted among the cores: while it takes texts apart and gives answers out, the others would wait.
    A batch that fails is read again one by one, so that a text that cannot be read fails alone.
    """

    def __init__(self, model: Reader, most: int = MOST, threads: int = 1) -> None:
        self._model, self._most = model, most
        self._waiting: queue.SimpleQueue[tuple[str, Future[Reading]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"intents-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, text: str) -> Future[Reading]:
        """What the text means, later; a cancelled question is not read. Raises ModelUnavailable when closed."""
        future: Future[Reading] = Future()
        with self._lock:
            if self._closed:
                raise ModelUnavailable("the server of intents is closed")
            self._waiting.put((text, future))
        return future

    async def read(self, text: str) -> Reading:
        """The same, awaited."""
        return await asyncio.wrap_future(self.ask(text))

    def close(self) -> None:
        """Reads what waits already, and ends."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            while len(batch) < self._most and not last:
                try:
                    following = self._waiting.get(timeout=TOGETHER_SECONDS)
                except queue.Empty:
                    break
                last = following is None
                batch += [following] if following is not None else []
            self._answer([each for each in batch if each[1].set_running_or_notify_cancel()])
            if last:
                return

    def _answer(self, batch: Sequence[tuple[str, Future[Reading]]]) -> None:
        if not batch:
            return
        try:
            readings = self._model.read([text for text, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            else:
                for each in batch:
                    self._answer([each])
            return
        for (_, future), reading in zip(batch, readings, strict=True):
            future.set_result(reading)
