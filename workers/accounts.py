"""Mail and removals of organizations, and housekeeping for accounts, on the default queue."""

from __future__ import annotations

from workers.celery import app


@app.task(name="accounts.remove_organizations")
def remove_organizations() -> None:
    """Removes the organizations whose waiting period is over."""
    from apps.accounts.services import remove_due
    from apps.privacy.services import note_removal

    remove_due(note_removal)


@app.task(name="accounts.end_support")
def end_support() -> None:
    """Writes the end of support sessions whose time is over."""
    from apps.accounts.services import end_overdue_impersonations

    end_overdue_impersonations()


@app.task(name="accounts.forget_loose_secrets")
def forget_loose_secrets() -> None:
    """Removes the secrets of second factors that their owners have removed."""
    from apps.accounts.services import forget_loose_secrets as forget

    forget()
