"""Sponsored notices: written, changed and ended, with how often each was shown and followed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.accounts.sudo import require_recent
from apps.core.errors import MillraceError
from apps.market.models import Place, Sponsor
from apps.market.services.sponsors import Slot
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, form_page, sent, staff_of
from apps.staff.site import site

SHOWN_TO = _("Shown as an advertisement to organizations whose plan does not spare them, where the switch is on.")


class SponsorForm(forms.Form):
    place = forms.ChoiceField(label=_("Place"), choices=Place.choices, widget=UnfoldAdminSelectWidget)
    title = forms.CharField(label=_("Title"), max_length=80, widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(label=_("Text"), max_length=200, widget=UnfoldAdminTextInputWidget)
    link = forms.URLField(label=_("Link"), max_length=500, assume_scheme="https", widget=UnfoldAdminTextInputWidget)
    starts_at = forms.DateTimeField(
        label=_("From"), help_text=_("Such as 2026-12-01 09:00, UTC."), widget=UnfoldAdminTextInputWidget
    )
    ends_at = forms.DateTimeField(label=_("Until"), widget=UnfoldAdminTextInputWidget)
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=settings.LANGUAGES,
        required=False,
        help_text=_("None for all of them."),
        widget=forms.CheckboxSelectMultiple,
    )


@admin.register(Sponsor, site=site)
class SponsorAdmin(ReadOnlyAdmin):
    list_display = ("title", "place", "state", "starts_at", "ends_at", "views", "clicks")
    list_filter = ("place",)
    search_fields = ("title", "link")
    ordering = ("-ends_at",)
    fields = ("title", "text", "link", "languages", *list_display[1:])
    readonly_fields = fields
    actions_list = ("write",)
    actions_detail = ("edit", "end")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.annotate(view_sum=Coalesce(Sum("days__views"), 0), click_sum=Coalesce(Sum("days__clicks"), 0))

    @display(description=_("state"), label={"now": "success", "later": "info", "over": "warning"})
    def state(self, row: Sponsor) -> tuple[str, str]:
        now = timezone.now()
        if now < row.starts_at:
            return "later", gettext("not yet")
        return ("over", gettext("over")) if now >= row.ends_at else ("now", gettext("shown"))

    @display(description=_("views"), ordering="view_sum")
    def views(self, row: Any) -> str:
        return f"{row.view_sum:,}"

    @display(description=_("clicks"), ordering="click_sum")
    def clicks(self, row: Any) -> str:
        return f"{row.click_sum:,}"

    @action(description=_("New notice"), url_path="new", permissions=["operate"], icon="add")
    def write(self, request: HttpRequest) -> HttpResponse:
        form, back = SponsorForm(sent(request)), reverse("staff:market_sponsor_changelist")
        if request.method == "POST" and form.is_valid():
            require_recent(request)
            try:
                services.save_sponsor(staff_of(request), Slot(**form.cleaned_data))
            except MillraceError as error:
                form.add_error(None, error.shown())
            else:
                messages.success(request, _("The notice is written."))
                return redirect(back)
        return form_page(request, form, title=_("New notice"), text=SHOWN_TO, back=back)

    @action(description=_("Change"), url_path="edit", permissions=["operate"], icon="edit")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        initial = {name: getattr(row, name) for name in SponsorForm.base_fields}
        return self.carry_out(
            request,
            row,
            SponsorForm(sent(request), initial=initial),
            title=_("Change"),
            act=lambda **values: services.save_sponsor(staff_of(request), Slot(**values), row.pk),
            done=_("The notice is written."),
            text=SHOWN_TO,
        )

    @action(description=_("End now"), url_path="end", permissions=["operate"], icon="stop_circle")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("End now"),
            act=lambda: services.end_sponsor(staff_of(request), row.pk),
            done=_("The notice is not shown any more."),
        )
