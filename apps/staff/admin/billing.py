"""Plans; `manage.py plan` changes them."""

from __future__ import annotations

from django.contrib import admin

from apps.billing.models import Plan
from apps.staff.admin.base import ReadOnlyAdmin
from apps.staff.site import site


@admin.register(Plan, site=site)
class PlanAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "code", "monthly_tokens", "requests_per_minute", "tokens_per_minute", "max_queued", "max_running",
        "weight",
    )  # fmt: skip
    ordering = ("monthly_tokens",)
    fields = list_display
    readonly_fields = fields
