"""Models, and the names that point at them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.registry.models import ModelAlias, ModelVersion
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, sent, staff_of
from apps.staff.site import site


class VersionForm(forms.Form):
    version = forms.ModelChoiceField(
        ModelVersion.objects.filter(enabled=True).order_by("name"),
        to_field_name="name",
        label=_("Model"),
        widget=UnfoldAdminSelectWidget,
    )

    def clean_version(self) -> str:
        version: ModelVersion = self.cleaned_data["version"]
        return version.name


@admin.register(ModelVersion, site=site)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("name", "backend", "context_length", "input_price", "output_price", "currency", "enabled")
    list_filter = ("backend", "enabled")
    search_fields = ("name",)
    ordering = ("name",)
    fields = (
        "name", "backend", "source", "revision", "remote_url", "remote_model", "context_length", "max_output_tokens",
        "input_price", "output_price", "currency", "enabled", "created_at",
    )  # fmt: skip
    readonly_fields = fields


@admin.register(ModelAlias, site=site)
class ModelAliasAdmin(ReadOnlyAdmin):
    list_display = ("name", "means", "moved_at")
    ordering = ("name",)
    fields = list_display
    readonly_fields = fields
    actions_detail = ("move",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("version")

    @display(description=_("model"), ordering="version__name")
    def means(self, row: ModelAlias) -> str:
        return row.version.name

    @action(description=_("Point at another model"), url_path="move", permissions=["operate"], icon="alt_route")
    def move(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            VersionForm(sent(request)),
            title=_("Point at another model"),
            act=lambda version: services.move_alias(staff_of(request), row.name, version),
            done=_("The name means another model now."),
            text=_(
                "For every organization, from the next request on. What waits keeps the model it was accepted with."
            ),
        )
