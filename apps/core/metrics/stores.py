"""Figures that PostgreSQL and Redis know and no process counts: the queues, and which workers are alive.

Only web processes report them, each the same, so queries over several take the `max`, never the `sum`.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import celery
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q, Value
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from apps.core.connections import quick_redis_client
from apps.core.jobs import Job, Status
from apps.core.tenancy import Across, TenantModel, across_tenants
from apps.core.views import worker_key

log = logging.getLogger(__name__)

# Several who scrape, or one who hurries, cost one look.
FRESH_SECONDS = 5.0
STATEMENT_TIMEOUT = "4s"
BROKER_QUEUES = ("default", "generation", "signing")


@dataclass(frozen=True, slots=True)
class Work:
    """The unfinished jobs of one table and model."""

    queue: str
    model: str
    waiting: int = 0
    oldest_seconds: float = 0.0
    organizations: int = 0
    running: int = 0
    lapsed: int = 0


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=labels)


class StoreCollector(Collector):
    """Asks PostgreSQL and Redis when the metrics are read; a store that does not answer costs its own figures only."""

    def __init__(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._families: list[GaugeMetricFamily] = []
        self._read_at = float("-inf")

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [
            _up(),
            *_work_families(),
            *_redis_families(),
            *(each for source in _sources() for each in source.families()),
        ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._read_at > self._fresh_seconds:
                self._families = _read()
                self._read_at = time.monotonic()
            yield from self._families


def _up() -> GaugeMetricFamily:
    return _gauge("millrace_store_up", "1 if the store answered this reading.", "store")


def _read() -> list[GaugeMetricFamily]:
    families, up = [], _up()
    for store, read in (("database", _from_database), ("redis", _from_redis)):
        try:
            families += read()
            up.add_metric([store], 1)
        except (DatabaseError, RedisError, OSError) as error:
            log.warning("no metrics from %s: %s", store, error)
            up.add_metric([store], 0)
    return [up, *families]


# ---------------------------------------------------------------- PostgreSQL


def _work_families() -> list[GaugeMetricFamily]:
    by = ("queue", "model")
    return [
        _gauge("millrace_queue_depth", "Jobs that wait.", *by),
        _gauge("millrace_queue_oldest_age_seconds", "Time since the oldest waiting job was accepted.", *by),
        _gauge("millrace_queue_organizations", "How many organizations have a job waiting.", *by),
        _gauge("millrace_queue_running", "Jobs that a worker holds.", *by),
        _gauge("millrace_queue_lapsed_leases", "Held jobs whose lease has lapsed and nobody has reaped.", *by),
    ]


def _from_database() -> list[GaugeMetricFamily]:
    families = _work_families()
    for model in apps.get_models():
        if issubclass(model, Job):
            for work in _count_work(model):
                values = (work.waiting, work.oldest_seconds, work.organizations, work.running, work.lapsed)
                for family, value in zip(families, values, strict=True):
                    family.add_metric([work.queue, work.model], value)
    with across_tenants(Across.COUNT_WORK), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        for source in _sources():
            families += source.read()
    return families


def _sources() -> list[Any]:
    """Modules of the product with figures of their own: `families()` names them, `read()` asks across organizations."""
    return [importlib.import_module(name) for name in settings.METRIC_SOURCES]


def _count_work(table: type[Job]) -> list[Work]:
    """Counts by model of what waits and runs, in one look over the partial indexes of unfinished jobs."""
    names = _model_names(table)
    queued, running = Q(status=Status.QUEUED), Q(status=Status.RUNNING)
    age: Any = ExpressionWrapper(Now() - F("created_at"), output_field=DurationField())
    of_model: Any = F("model__name") if names else Value("")
    with across_tenants(Across.COUNT_WORK), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        rows = (
            table.objects.unfinished()
            .values(of=of_model)
            .annotate(
                waiting=Count("id", filter=queued),
                oldest=Max(age, filter=queued),
                organizations=Count("organization_id", filter=queued, distinct=True),
                running=Count("id", filter=running),
                lapsed=Count("id", filter=running & Q(lease_until__lt=Now())),
            )
            .order_by()
        )
        found = {row["of"]: row for row in rows}
    # Zeros are said too: a series that vanishes when its queue is empty draws no line and fires no alert.
    return [_work(table._meta.model_name or "", name, found.get(name)) for name in names or [""]]


def _model_names(table: type[Job]) -> list[str]:
    """The names of the models that jobs of this table may be for; empty where jobs name none, or a customer's own."""
    try:
        fields: Any = table._meta
        related = fields.get_field("model").related_model
    except FieldDoesNotExist:
        return []
    if issubclass(related, TenantModel):
        return []
    return list(related._default_manager.order_by("name").values_list("name", flat=True))


def _work(queue: str, model: str, row: dict[str, Any] | None) -> Work:
    if row is None:
        return Work(queue, model)
    oldest = row["oldest"].total_seconds() if row["oldest"] else 0.0
    return Work(queue, model, row["waiting"], max(oldest, 0.0), row["organizations"], row["running"], row["lapsed"])


# ---------------------------------------------------------------- Redis


def _redis_families() -> list[GaugeMetricFamily]:
    return [
        _gauge("millrace_broker_messages", "Messages in a Celery queue: doorbells and housekeeping.", "queue"),
        _gauge("millrace_worker_seen_timestamp_seconds", "When a worker of the queue last showed itself.", "queue"),
    ]


def _from_redis() -> list[GaugeMetricFamily]:
    families = _redis_families()
    messages, seen = families
    prefix = celery.current_app.conf.broker_transport_options.get("global_keyprefix", "")
    pipe = quick_redis_client().pipeline(transaction=False)
    for queue in BROKER_QUEUES:
        pipe.llen(f"{prefix}{queue}")
        pipe.get(worker_key(queue))
    answers = pipe.execute()
    for index, queue in enumerate(BROKER_QUEUES):
        messages.add_metric([queue], answers[2 * index])
        # 0 for a worker that was never seen, or so long ago that its key is gone: the alert's arithmetic holds.
        seen.add_metric([queue], float(answers[2 * index + 1] or 0))
    return families
