"""Messages that wait for their receivers, as figures for Prometheus (METRIC_SOURCES)."""

from __future__ import annotations

from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily

from apps.webhooks.models import Delivery, DeliveryState, Endpoint, InboundCall, Stopped
from apps.webhooks.models.inbound import CallState


def families() -> list[GaugeMetricFamily]:
    """What is told, without its values."""
    return [
        GaugeMetricFamily("millrace_webhooks_waiting", "Messages that have not been delivered, with those to come."),
        GaugeMetricFamily("millrace_webhooks_due", "Of those, messages that could be sent now."),
        GaugeMetricFamily("millrace_webhooks_due_oldest_age_seconds", "Since when the longest due message is due."),
        GaugeMetricFamily("millrace_webhooks_running", "Messages that a worker is sending."),
        GaugeMetricFamily("millrace_webhooks_failing_endpoints", "Endpoints that fail and are still tried."),
        GaugeMetricFamily("millrace_webhooks_stopped_endpoints", "Endpoints that are sent nothing.", labels=["reason"]),
        GaugeMetricFamily("millrace_inbound_calls_waiting", "Calls that have come in and are not carried out."),
    ]


def read() -> list[GaugeMetricFamily]:
    """The same with their values; in a scope and a time that the caller has set.

    What is due at an endpoint that is stopped waits for people and not for a worker.
    """
    found = families()
    due = Q(next_at__lte=Now(), endpoint__stopped=Stopped.NO)
    age = ExpressionWrapper(Now() - F("next_at"), output_field=DurationField())
    waits, runs = Q(state=DeliveryState.WAITING), Q(state=DeliveryState.RUNNING)
    row = Delivery.objects.filter(waits | runs).aggregate(
        all=Count("pk", filter=waits),
        due=Count("pk", filter=waits & due),
        oldest=Max(age, filter=waits & due),
        running=Count("pk", filter=runs),
    )
    oldest = row["oldest"].total_seconds() if row["oldest"] else 0.0
    reasons = Endpoint.objects.order_by().values("stopped").annotate(all=Count("pk"), failing=Count("failing_since"))
    by_reason = {each["stopped"]: each for each in reasons}
    failing = by_reason[Stopped.NO]["failing"] if Stopped.NO in by_reason else 0
    values = [row["all"], row["due"], max(0.0, oldest), row["running"], failing]
    for family, value in zip(found, values, strict=False):
        family.add_metric([], value)
    for reason in filter(None, Stopped.values):
        found[-2].add_metric([reason], by_reason[reason]["all"] if reason in by_reason else 0)
    found[-1].add_metric([], InboundCall.objects.filter(state=CallState.WAITING).count())
    return found
