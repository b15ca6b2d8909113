"""Generations: how they went. What a customer asked for and was given is the customer's, and is not shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.staff.admin.base import ReadOnlyAdmin
from apps.staff.site import site
from apps.studio.models import Generation

COLOURS = {"succeeded": "success", "failed": "danger", "running": "info", "queued": "warning"}
TEXTS = ("messages", "prompt", "brief", "text", "stop")


@admin.register(Generation, site=site)
class GenerationAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "organization_name", "state", "error_code", "model_name", "tokens", "attempt", "created_at",
        "finished_at",
    )  # fmt: skip
    list_filter = ("status", "error_code", "kind")
    search_fields = ("id", "request_id", "organization__name", "organization__slug")
    ordering = ("-created_at", "-id")
    fields = (
        "id", "organization_name", "kind", "model_name", "state", "finish_reason", "error_code", "error_message",
        "attempt", "crashes", "worker", "prompt_tokens", "completion_tokens", "held_tokens", "max_tokens",
        "request_id", "created_at", "claimed_at", "finished_at", "deadline_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the texts: they are not even read."""
        return super().get_queryset(request).select_related("organization").defer(*TEXTS)

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: Generation) -> str:
        return row.organization.name

    @display(description=_("state"), ordering="status", label=COLOURS)
    def state(self, row: Generation) -> str:
        return str(row.status)

    @display(description=_("tokens"))
    def tokens(self, row: Generation) -> str:
        return f"{row.prompt_tokens + row.completion_tokens:,}"
