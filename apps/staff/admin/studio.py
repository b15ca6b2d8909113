"""Generations: how they went. What a customer asked for and was given is the customer's, and is not shown."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.core.errors import MillraceError
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, sent, staff_of
from apps.staff.site import site
from apps.studio.models import Generation

COLOURS = {"succeeded": "success", "failed": "danger", "running": "info", "queued": "warning"}
# A page of the list.
MOST_AT_ONCE = 50
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

    actions = ("repeat_selected",)
    actions_detail = ("repeat",)

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: Generation) -> str:
        return row.organization.name

    @display(description=_("state"), ordering="status", label=COLOURS)
    def state(self, row: Generation) -> str:
        return str(row.status)

    @display(description=_("tokens"))
    def tokens(self, row: Generation) -> str:
        return f"{row.prompt_tokens + row.completion_tokens:,}"

    @action(description=_("Do again"), url_path="repeat", permissions=["retry"], icon="replay")
    def repeat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Do again"),
            act=lambda: services.repeat_generation(staff_of(request), row.organization_id, row.pk),
            done=_("It is done again, as a new generation."),
            text=_("Only what failed and was not charged. The new one is held and charged like any other, once."),
        )

    @admin.action(description=_("Do the selected ones again"), permissions=["retry"])
    def repeat_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Each by itself: what may not be done again is counted, and does not stop the others."""
        done, refused = 0, Counter[str]()
        for organization_id, id in queryset.values_list("organization_id", "pk")[:MOST_AT_ONCE]:
            try:
                services.repeat_generation(staff_of(request), organization_id, id)
                done += 1
            except MillraceError as error:
                refused[error.shown()] += 1
        messages.success(request, _("Done again: %(count)s") % {"count": done})
        for why, count in refused.items():
            messages.warning(request, f"{count} × {why}")
