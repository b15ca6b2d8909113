"""Housekeeping on the default queue."""

from __future__ import annotations

import logging

from workers import looks
from workers.celery import app

log = logging.getLogger(__name__)


@app.task(name="core.beat")
def beat() -> None:
    """Shows that the schedule and a worker of the default queue are alive, and looks for what waits."""
    from django.db import DatabaseError

    from apps.core import heartbeats

    heartbeats.tick()
    heartbeats.beat("default")
    try:
        looks.send()
    except DatabaseError as error:
        log.warning("not looked around: %s", error)


@app.task(name="core.forget_idempotency_keys")
def forget_idempotency_keys() -> None:
    from apps.core.idempotency import forget_expired

    forget_expired()


@app.task(name="core.clear_sessions")
def clear_sessions() -> None:
    """Removes sessions that have expired."""
    from importlib import import_module

    from django.conf import settings

    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


@app.task(name="core.rotate_keys")
def rotate_keys() -> None:
    """Brings some thousand sealed values under the current key; after a change of FIELD_KEYS it is done bit by bit."""
    from apps.core.rotation import rotate

    rotate(at_most=20_000)


@app.task(name="core.send_mail")
def send_mail() -> None:
    """Sends the mails that wait."""
    from apps.core.mail import deliver_due

    deliver_due()


@app.task(name="core.remove_stray_files")
def remove_stray_files() -> None:
    """Removes files that no row knows: what was begun and never finished, or whose row went in a lost process."""
    from apps.knowledge.services import sources
    from apps.studio.services import files

    sources.remove_strays()
    files.remove_strays()
