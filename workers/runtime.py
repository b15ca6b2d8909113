"""Engines of this worker: one for each model, built at first use under a lock, each listened to by its own thread."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.core import env
from apps.registry.models import Backend, ModelVersion
from apps.registry.services import local_folder
from ml.types import Engine, EngineError, EngineStats, StepOutput
from workers.metrics import ENGINES
from workers.threads import vital

if TYPE_CHECKING:
    from ml.engine import ModelSpec

log = logging.getLogger(__name__)

STEP_WAIT_SECONDS = 0.2
# A model that could not be loaded is tried again no sooner than this.
LOAD_AGAIN_SECONDS = 10.0

Sink = Callable[[Sequence[StepOutput]], None]


def model_spec(version: ModelVersion) -> ModelSpec:
    """What the engine needs to know of a registered model; the remote key is read from the environment here."""
    from ml.engine import ModelSpec

    folder = local_folder(version)
    return ModelSpec(
        backend="remote" if version.backend == Backend.REMOTE else "local",
        source=str(folder or version.source),
        revision=version.revision or None,
        max_context=version.context_length,
        max_running=env.number("ENGINE_MAX_RUNNING", 32),
        remote_url=version.remote_url,
        remote_model=version.remote_model,
        api_key=env.text(version.credential) if version.credential else "",
    )


class EngineThread:
    """One engine and the thread that loads it and hears it; `outputs` receives what each step produced."""

    def __init__(self, version: ModelVersion, outputs: Sink, wake: Callable[[], None]) -> None:
        self.version = version
        self.engine: Engine | None = None
        self.failure: EngineError | None = None
        self.failed_at = 0.0
        self._outputs, self._wake = outputs, wake
        self._stopping = threading.Event()
        # An engine ends failing requests by itself; if it fails as a whole, so does this process.
        self._thread = vital(self._run, f"engine-{version.name}")
        self._thread.start()

    @property
    def may_load_again(self) -> bool:
        return self.failure is not None and time.monotonic() - self.failed_at > LOAD_AGAIN_SECONDS

    def _run(self) -> None:
        try:
            self.engine = _load(self.version)
        except EngineError as error:
            self.failed_at = time.monotonic()
            self.failure = error
            return
        finally:
            self._wake()
        while not self._stopping.is_set():
            outputs = self.engine.step(STEP_WAIT_SECONDS)
            if outputs:
                self._outputs(outputs)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=2)
        if self.engine:
            self.engine.close()


def _load(version: ModelVersion) -> Engine:
    """A local model in a process of its own, so that its steps do not wait for this process's Python."""
    from ml.engine import load_engine
    from ml.engine.apart import ApartEngine

    began = time.monotonic()
    spec = model_spec(version)
    try:
        engine = ApartEngine.load(spec) if spec.backend == "local" else load_engine(spec)
    except EngineError:
        log.exception("model not loaded", extra={"model": version.name})
        raise
    except Exception as error:
        log.exception("model not loaded", extra={"model": version.name})
        raise EngineError(f"The model {version.name} could not be loaded.", "model_unavailable") from error
    log.info("model %s loaded in %.1f s, pid %d", version.name, time.monotonic() - began, os.getpid())
    return engine


class Engines:
    """The engine threads of this process by model version."""

    def __init__(self, outputs: Sink, wake: Callable[[], None]) -> None:
        self._outputs, self._wake = outputs, wake
        self._threads: dict[UUID, EngineThread] = {}
        self._lock = threading.Lock()
        ENGINES.watch(self.threads)

    def of(self, version: ModelVersion) -> EngineThread:
        """The thread of a model, started if need be; a failed one is replaced after a while."""
        with self._lock:
            thread = self._threads.get(version.pk)
            if thread is None or thread.may_load_again:
                thread = self._threads[version.pk] = EngineThread(version, self._outputs, self._wake)
            return thread

    def threads(self) -> list[EngineThread]:
        return list(self._threads.values())

    def described(self) -> list[dict[str, Any]]:
        """Each engine in a few words, for people who operate the installation."""
        found = []
        for thread in self.threads():
            stats = thread.engine.stats() if thread.engine else EngineStats()
            about = {"model": thread.version.name, "loaded": thread.engine is not None}
            found.append(about | {"running": stats.running, "slots": stats.max_running})
        return found

    def loaded(self, version_id: UUID) -> Engine | None:
        """The engine of a model, if it has been loaded."""
        thread = self._threads.get(version_id)
        return thread.engine if thread else None

    def capacity(self, version_id: UUID) -> int:
        """How many requests the model runs at a time."""
        engine = self.loaded(version_id)
        return engine.max_running if engine else env.number("ENGINE_MAX_RUNNING", 32)

    def stop(self) -> None:
        for thread in list(self._threads.values()):
            thread.stop()
