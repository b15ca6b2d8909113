"""Housekeeping of documents, on the default queue."""

from __future__ import annotations

from workers.celery import app


@app.task(name="documents.empty_trash")
def empty_trash() -> None:
    """Every hour: removes what has been in the trash for thirty days, and the steps between versions after one."""
    from apps.studio.services import documents

    documents.empty_trash()
