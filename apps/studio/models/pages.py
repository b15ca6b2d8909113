"""Pages on the web that fill in a template's variables: fetched by a worker, kept for a day."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.jobs import Job


class PageText(Job):
    """One page as it was when it was fetched, and the work of fetching it."""

    # One organization's slow pages leave the other thread to others.
    share_sql: ClassVar[str] = "SELECT 1 AS weight, 1 AS max_running"

    url = models.CharField(max_length=2000)
    title = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)

    class Meta(Job.Meta):
        indexes = [*Job.Meta.indexes, models.Index(fields=["organization", "url", "-id"], name="pagetext_of_url")]

    def __str__(self) -> str:
        return self.url
