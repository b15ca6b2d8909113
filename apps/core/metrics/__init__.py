"""What Prometheus is told: instruments that any module may count with, without knowing how they are read.

Instruments live in `instruments`, figures that are read from PostgreSQL and Redis when somebody asks in `stores`, the
web's middleware and `/metrics` in `web`, and each process's own listener in `server`. Labels are few and bounded:
model, queue, route, code, outcome; never an organization, a person or an id.
"""

from apps.core.metrics.instruments import (
    ERROR_ANSWERS,
    LEASE_LOSSES,
    RETRIES,
    ROLLUP_DRIFTS,
    SETTLE_SECONDS,
    STREAM_WRITE_ERRORS,
    STREAM_WRITE_SECONDS,
    STRIPE_DRIFTS,
    STRIPE_ILLEGAL_CHANGES,
    STRIPE_MISSED,
    STRIPE_REFUSED,
    STRIPE_SECOND_SUBSCRIPTIONS,
    TokenClock,
    bounded,
    count_accepted,
    count_end,
    counting_refusals,
    observe_lag,
    open_stream,
)

__all__ = [
    "ERROR_ANSWERS",
    "LEASE_LOSSES",
    "RETRIES",
    "ROLLUP_DRIFTS",
    "SETTLE_SECONDS",
    "STREAM_WRITE_ERRORS",
    "STREAM_WRITE_SECONDS",
    "STRIPE_DRIFTS",
    "STRIPE_ILLEGAL_CHANGES",
    "STRIPE_MISSED",
    "STRIPE_REFUSED",
    "STRIPE_SECOND_SUBSCRIPTIONS",
    "TokenClock",
    "bounded",
    "count_accepted",
    "count_end",
    "counting_refusals",
    "observe_lag",
    "open_stream",
]
