"""What workers and the schedule tell Prometheus: their engines, their tasks, and where to read it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from celery.signals import (
    after_task_publish,
    beat_init,
    task_failure,
    task_postrun,
    task_prerun,
    task_retry,
    worker_ready,
)
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.core.metrics import LEASE_LOSSES, RETRIES
from ml.types import EngineStats

if TYPE_CHECKING:
    from workers.runtime import EngineThread

# Field of EngineStats: (name, kind, meaning). The engine counts for itself; it is asked when somebody reads.
ENGINE_FIGURES: dict[str, tuple[str, type[GaugeMetricFamily] | type[CounterMetricFamily], str]] = {
    "running": ("millrace_engine_running", GaugeMetricFamily, "Requests in the batch now."),
    "waiting": ("millrace_engine_waiting", GaugeMetricFamily, "Requests that the engine has not admitted yet."),
    "max_running": ("millrace_engine_slots", GaugeMetricFamily, "Requests that the batch has room for."),
    "cache_tokens_used": ("millrace_engine_cache_used_tokens", GaugeMetricFamily, "Cache positions in use."),
    "cache_tokens_total": ("millrace_engine_cache_size_tokens", GaugeMetricFamily, "Cache positions that there are."),
    "steps": ("millrace_engine_steps", CounterMetricFamily, "Passes through the model."),
    "generated_tokens": ("millrace_engine_generated_tokens", CounterMetricFamily, "Tokens written."),
    "prefill_tokens": ("millrace_engine_prefill_tokens", CounterMetricFamily, "Prompt tokens computed."),
    "reused_tokens": ("millrace_engine_reused_tokens", CounterMetricFamily, "Prompt tokens taken from a prefix."),
    "preemptions": ("millrace_engine_preemptions", CounterMetricFamily, "Requests whose cache was taken for others."),
}


class EngineCollector(Collector):
    """Reads the counters of this process's engines when the metrics are read; a step costs nothing for it."""

    def __init__(self) -> None:
        self._threads: Callable[[], Iterable[EngineThread]] = tuple

    def watch(self, threads: Callable[[], Iterable[EngineThread]]) -> None:
        """From now on the engines of these threads are shown."""
        self._threads = threads

    def describe(self) -> Iterable[Any]:
        return [_loaded(), *_families().values()]

    def collect(self) -> Iterable[Any]:
        loaded, families = _loaded(), _families()
        for thread in self._threads():
            labels = [thread.version.name]
            # Also while it is being loaded, so that a worker without its model is seen as such.
            loaded.add_metric(labels, 1 if thread.engine else 0)
            stats = thread.engine.stats() if thread.engine else EngineStats()
            for field, family in families.items():
                family.add_metric(labels, getattr(stats, field))
        return [loaded, *families.values()]


def _loaded() -> GaugeMetricFamily:
    return GaugeMetricFamily("millrace_engine_loaded", "1 when the model is loaded and steps.", labels=["model"])


def _families() -> dict[str, Any]:
    return {field: kind(name, text, labels=["model"]) for field, (name, kind, text) in ENGINE_FIGURES.items()}


ENGINES = EngineCollector()
REGISTRY.register(ENGINES)

# A counter that appears with its first event has no increase that an alert could see.
for _seen_by in ("reaper", "worker"):
    LEASE_LOSSES.labels("generation", _seen_by)
for _reason in ("lease_lapsed", "handed_back", "failed"):
    RETRIES.labels("generation", _reason)

# ---------------------------------------------------------------- tasks
TASKS = Counter("millrace_tasks", "Celery tasks that ended here.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    "millrace_task_duration_seconds",
    "How long a Celery task took.",
    ["task"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60),
)
TASKS_SENT = Counter("millrace_tasks_sent", "Celery tasks that this process sent: the schedule's ticks.", ["task"])
_began: dict[str, float] = {}


@task_prerun.connect
def _task_begins(task_id: str, **_: Any) -> None:
    _began[task_id] = time.monotonic()


@task_postrun.connect
def _task_ends(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    began = _began.pop(task_id, None)
    if began is not None:
        TASK_SECONDS.labels(task.name).observe(time.monotonic() - began)
    if state == "SUCCESS":
        TASKS.labels(task.name, "succeeded").inc()


@task_failure.connect
def _task_fails(sender: Any, **_: Any) -> None:
    TASKS.labels(sender.name, "failed").inc()


@task_retry.connect
def _task_is_retried(sender: Any, **_: Any) -> None:
    TASKS.labels(sender.name, "retried").inc()


@after_task_publish.connect
def _task_is_sent(sender: str | None = None, **_: Any) -> None:
    if sender:
        TASKS_SENT.labels(sender).inc()


# ---------------------------------------------------------------- where to read it
@worker_ready.connect
def _serve_with_worker(sender: Any, **_: Any) -> None:
    from apps.core.metrics.server import serve

    queues = sender.app.amqp.queues.consume_from
    named = {"generation": "generation", "signing": "signer", "embedding": "embedding", "dialogue": "dialogue"}
    serve(next((name for queue, name in named.items() if queue in queues), "default"))


@beat_init.connect
def _serve_with_schedule(**_: Any) -> None:
    from apps.core.metrics.server import serve

    serve("schedule")
