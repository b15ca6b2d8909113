"""The audit trail's timers, on the default queue."""

from __future__ import annotations

from workers.celery import app


@app.task(name="audit.anchor")
def anchor() -> None:
    """Every hour: signs where each chain stands, inside and outside the database."""
    from apps.accounts.audit.anchors import anchor_everything

    anchor_everything()


@app.task(name="audit.verify")
def verify() -> None:
    """Every night: looks through every chain, then removes what is older than its organization keeps it."""
    from apps.accounts.audit.retention import prune_everything
    from apps.accounts.audit.verification import verify_everything

    verify_everything()
    prune_everything()


@app.task(name="audit.stream")
def stream() -> None:
    """Every ten seconds: sends new entries to where their organizations want them."""
    from apps.accounts.audit.streaming import send_everything

    send_everything()
