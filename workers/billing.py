"""Telling people of their budgets, on the default queue."""

from __future__ import annotations

from workers.celery import app


@app.task(name="billing.tell_of_budgets")
def tell_of_budgets() -> None:
    """Tells of the budgets that are nearly or wholly used, once each in a month."""
    from apps.billing.services import tell_of_budgets as tell

    tell()
