"""What waits between Stripe and us, as figures for Prometheus; apps.core.metrics asks by name (METRIC_SOURCES)."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Q
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily

from apps.billing.models import FindingKind, OperationState, StripeEvent, StripeFinding, StripeOperation

_UNDONE = Q(state__in=[OperationState.WAITING, OperationState.SENT])


def families() -> list[GaugeMetricFamily]:
    """What is told, without its values."""
    return [
        GaugeMetricFamily("millrace_stripe_inbox_waiting", "Events from Stripe that have not been handled."),
        GaugeMetricFamily("millrace_stripe_inbox_oldest_age_seconds", "Time since the oldest of them arrived."),
        GaugeMetricFamily("millrace_stripe_inbox_failing", "Of those, events that were tried and failed."),
        GaugeMetricFamily("millrace_stripe_outbox_waiting", "Requests to Stripe that have not been answered."),
        GaugeMetricFamily("millrace_stripe_outbox_oldest_age_seconds", "Time since the oldest of them was written."),
        GaugeMetricFamily("millrace_stripe_outbox_unknown", "Requests of which nobody knows what became of them."),
        GaugeMetricFamily(
            "millrace_stripe_findings", "What the nightly comparison found and staff has not seen to.", labels=["kind"]
        ),
    ]


def read() -> list[GaugeMetricFamily]:
    """The same with their values, each by its partial index; in a scope and a time that the caller has set."""
    found = families()
    for family, value in zip(found, [*_inbox(), *_outbox()], strict=False):
        family.add_metric([], value)
    rows = StripeFinding.objects.filter(acknowledged_at=None).order_by().values("kind").annotate(count=Count("pk"))
    counts = {row["kind"]: row["count"] for row in rows}
    for kind in FindingKind.values:
        found[-1].add_metric([kind], counts.get(kind, 0))
    return found


def _inbox() -> list[float]:
    rows = StripeEvent.objects.filter(handled_at=None)
    failing = Count("pk", filter=~Q(problem=""))
    return _figures(rows.aggregate(waiting=Count("pk"), oldest=Max(_age("received_at")), more=failing))


def _outbox() -> list[float]:
    waiting = StripeOperation.objects.filter(_UNDONE)
    found = waiting.aggregate(waiting=Count("pk"), oldest=Max(_age("created_at")))
    unknown = StripeOperation.objects.filter(state=OperationState.UNKNOWN).count()
    return _figures(found | {"more": unknown})


def _figures(found: dict[str, Any]) -> list[float]:
    oldest = found["oldest"].total_seconds() if found["oldest"] else 0.0
    return [found["waiting"], max(0.0, oldest), found["more"]]


def _age(column: str) -> Any:
    return ExpressionWrapper(Now() - F(column), output_field=DurationField())
