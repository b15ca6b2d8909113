"""The Celery application: queues and schedule. Importing it loads neither Django models nor torch."""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, task_prerun, worker_init, worker_ready
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# A visibility timeout above any task's own time, and a quick sweep of what a dead worker held.
VISIBILITY_TIMEOUT_SECONDS = 300
KEPT_SECONDS = 600
# What nobody took piles up no further than this. Expiry compares the clocks of two machines, which may differ by
# minutes: anything shorter would let a worker whose clock is ahead throw every timer away.
EXPIRY_SECONDS = 3600

app = Celery("millrace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[Queue("default"), Queue("generation"), Queue("signing"), Queue("embedding"), Queue("dialogue")],
    task_default_queue="default",
    task_routes={
        "generation.wake": {"queue": "generation"},
        "licensing.sign": {"queue": "signing"},
        "knowledge.wake": {"queue": "embedding"},
        "support.wake": {"queue": "dialogue"},
        "support.index": {"queue": "dialogue"},
        "support.run_stories": {"queue": "dialogue"},
        "support.train": {"queue": "dialogue"},
    },
    # Else it would end the connection of a thread with every task; see `keep_connections`.
    CELERY_DB_REUSE_MAX=sys.maxsize,
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
        "workers.agent_bots",
        "workers.audit",
        "workers.billing",
        "workers.bulk",
        "workers.core",
        "workers.desk",
        "workers.documents",
        "workers.generation",
        "workers.knowledge",
        "workers.licensing",
        "workers.mail",
        "workers.metrics",
        "workers.pages",
        "workers.privacy",
        "workers.safety",
        "workers.schedules",
        "workers.support",
        "workers.webhooks",
    ],
    beat_schedule={
        # It shows that schedule and worker are alive, and sends what has something to do: see workers/looks.py.
        "look-around": {"task": "core.beat", "schedule": 5.0, "options": {"expires": EXPIRY_SECONDS}},
        "reap-generations": {"task": "generation.reap", "schedule": 5.0, "options": {"expires": EXPIRY_SECONDS}},
        "remove-organizations": {"task": "accounts.remove_organizations", "schedule": 300.0},
        "end-support": {"task": "accounts.end_support", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        "clear-sessions": {"task": "core.clear_sessions", "schedule": 3600.0},
        "tell-of-budgets": {
            "task": "billing.tell_of_budgets",
            "schedule": 30.0,
            "options": {"expires": EXPIRY_SECONDS},
        },
        # A bell rings for each order that is paid for; this one is for what a lost bell has left.
        "deliver-orders": {
            "task": "billing.deliver_orders",
            "schedule": 30.0,
            "options": {"expires": EXPIRY_SECONDS},
        },
        "expire-credits": {"task": "billing.expire_credits", "schedule": 300.0, "options": {"expires": EXPIRY_SECONDS}},
        "close-months": {"task": "billing.close_months", "schedule": crontab(minute=50)},
        "tell-of-usage": {"task": "billing.tell_of_usage", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        # The last time in a month is what stays of it.
        "record-months": {"task": "billing.record_months", "schedule": crontab(minute=57)},
        "tell-of-subscriptions": {
            "task": "billing.tell_of_subscriptions",
            "schedule": 300.0,
            "options": {"expires": EXPIRY_SECONDS},
        },
        # A bell rings when a subscription changes; this one is for what usage and time have changed.
        "preview-renewals": {"task": "billing.preview_renewals", "schedule": 600.0},
        "reconcile-stripe": {"task": "billing.reconcile", "schedule": crontab(hour=4, minute=10)},
        "check-rollups": {"task": "billing.check_rollups", "schedule": crontab(hour=3, minute=40)},
        "anchor-audit": {"task": "audit.anchor", "schedule": 3600.0},
        "verify-audit": {"task": "audit.verify", "schedule": crontab(hour=3, minute=20)},
        # What is due is looked for with each tick; this one is for servers that tell of new mails themselves.
        "listen-to-mailboxes": {"task": "support.fetch_mail", "schedule": 15.0, "options": {"expires": EXPIRY_SECONDS}},
        "clean-up-desks": {"task": "support.clean_up", "schedule": 3600.0},
        "release-embedding-calls": {"task": "knowledge.release_calls", "schedule": 60.0},
        "look-for-signatures": {"task": "licensing.sign", "schedule": 10.0, "options": {"expires": EXPIRY_SECONDS}},
        # Queues of their own do not depend on the default worker's look around.
        "look-for-documents": {"task": "knowledge.wake", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        "look-for-stories": {"task": "support.run_stories", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        "look-for-training": {"task": "support.train", "schedule": 60.0, "options": {"expires": EXPIRY_SECONDS}},
        # A bell rings for each article; this one is for what a lost bell or a lost worker has left waiting.
        "look-for-articles": {"task": "support.index", "schedule": 30.0, "options": {"expires": EXPIRY_SECONDS}},
        "remove-expired-exports": {"task": "privacy.remove_expired_exports", "schedule": 3600.0},
        "apply-retention": {"task": "privacy.apply_retention", "schedule": crontab(hour=3, minute=17)},
        "empty-trash": {"task": "documents.empty_trash", "schedule": 3600.0},
        "remove-stray-files": {"task": "core.remove_stray_files", "schedule": 3600.0},
        "rotate-keys": {"task": "core.rotate_keys", "schedule": 3600.0},
        "forget-loose-secrets": {"task": "accounts.forget_loose_secrets", "schedule": 86_400.0},
        "forget-idempotency-keys": {"task": "core.forget_idempotency_keys", "schedule": 3600.0},
    },
)


@worker_init.connect
def keep_connections(**_: Any) -> None:
    """Each thread keeps its connection: to open one costs as much as many queries, and some task always begins.

    A pool is for web processes: threads that keep what they have taken from it would leave the others none. Tasks take
    a new one after ten minutes, by which a server that has become a standby is left behind.
    """
    from django.db import connections

    for settings in connections.settings.values():
        settings["OPTIONS"].pop("pool", None)
        settings["CONN_MAX_AGE"] = KEPT_SECONDS


@worker_ready.connect
def keep_what_is_loaded(**_: Any) -> None:
    """Tasks with their models and libraries are imported by now."""
    from apps.core.collecting import keep_what_is_here

    keep_what_is_here()


@task_prerun.connect
def drop_lost_connection(**_: Any) -> None:
    """Before each task Django asks a connection that has failed, or will be used, whether it still answers."""
    from django.db import close_old_connections

    close_old_connections()


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Celery's own logging would replace Django's structured one."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
