"""The Celery application: queues and schedule. Importing it loads neither Django models nor torch."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# A visibility timeout above any task's own time, and a quick sweep of what a dead worker held.
VISIBILITY_TIMEOUT_SECONDS = 300
# What nobody took piles up no further than this. Expiry compares the clocks of two machines, which may differ by
# minutes: anything shorter would let a worker whose clock is ahead throw every timer away.
EXPIRY_SECONDS = 3600

app = Celery("millrace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[Queue("default"), Queue("generation")],
    task_default_queue="default",
    task_routes={"generation.wake": {"queue": "generation"}},
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "health_check_interval": 25,
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "global_keyprefix": "millrace:celery:",
    },
    imports=[
        "workers.accounts",
        "workers.audit",
        "workers.billing",
        "workers.core",
        "workers.generation",
        "workers.metrics",
        "workers.privacy",
    ],
    beat_schedule={
        "reap-generations": {"task": "generation.reap", "schedule": 5.0, "options": {"expires": EXPIRY_SECONDS}},
        "worker-heartbeat": {"task": "core.beat", "schedule": 5.0, "options": {"expires": EXPIRY_SECONDS}},
        "remove-organizations": {"task": "accounts.remove_organizations", "schedule": 300.0},
        "end-support": {"task": "accounts.end_support", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        "send-mail": {"task": "core.send_mail", "schedule": 10.0, "options": {"expires": EXPIRY_SECONDS}},
        "clear-sessions": {"task": "core.clear_sessions", "schedule": 3600.0},
        "tell-of-budgets": {
            "task": "billing.tell_of_budgets",
            "schedule": 30.0,
            "options": {"expires": EXPIRY_SECONDS},
        },
        "anchor-audit": {"task": "audit.anchor", "schedule": 3600.0},
        "verify-audit": {"task": "audit.verify", "schedule": crontab(hour=3, minute=20)},
        "stream-audit": {"task": "audit.stream", "schedule": 10.0, "options": {"expires": EXPIRY_SECONDS}},
        # A bell rings for each job; this one is for what a lost bell or a lost worker has left waiting.
        "look-for-privacy-jobs": {"task": "privacy.wake", "schedule": 10.0, "options": {"expires": EXPIRY_SECONDS}},
        "remove-expired-exports": {"task": "privacy.remove_expired_exports", "schedule": 3600.0},
        "apply-retention": {"task": "privacy.apply_retention", "schedule": crontab(hour=3, minute=17)},
        "rotate-keys": {"task": "core.rotate_keys", "schedule": 3600.0},
        "forget-loose-secrets": {"task": "accounts.forget_loose_secrets", "schedule": 86_400.0},
        "forget-idempotency-keys": {"task": "core.forget_idempotency_keys", "schedule": 3600.0},
    },
)


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Celery's own logging would replace Django's structured one."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
