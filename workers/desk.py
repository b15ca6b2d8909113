"""What time alone brings about at support desks, on the default queue."""

from __future__ import annotations

from workers.celery import app


@app.task(name="support.sweep")
def sweep() -> None:
    """Wakes snoozed conversations, takes over what removed bots had, notes missed promises, gives out what waits."""
    from apps.support.services import housekeeping

    housekeeping.sweep()


@app.task(name="support.scan_files")
def scan_files() -> None:
    """Has the virus scanner look at files that wait for it, where one is set."""
    from apps.support.services import scanning

    scanning.scan_waiting()


@app.task(name="support.settle")
def settle() -> None:
    """Counts what the bot has resolved, and takes over what models have written for agents."""
    from apps.support.services import drafts, resolutions

    resolutions.settle_due()
    drafts.take_over_ended()


@app.task(name="support.clean_up")
def clean_up() -> None:
    """Removes originals and files whose time is over, and resolves what nobody has written in for long."""
    from apps.studio.services.endings import empty_desk_texts
    from apps.support.services import housekeeping

    housekeeping.clean_up()
    empty_desk_texts()
