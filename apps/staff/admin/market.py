"""Offers that wait for approval, what was sold, and what is owed for it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.core.templatetags.ui import minor
from apps.market.models import Earning, Offer, Sale
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, sent, staff_of
from apps.staff.site import site


class NoteForm(forms.Form):
    note = forms.CharField(
        label=_("What is missing"), min_length=5, max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 3})
    )


class PayoutForm(forms.Form):
    amount_minor = forms.IntegerField(
        label=_("Amount in minor units"), min_value=1, widget=UnfoldAdminIntegerFieldWidget
    )
    reference = forms.CharField(
        label=_("The transfer's reference"), min_length=3, max_length=100, widget=UnfoldAdminTextInputWidget
    )


class OfOrganization(ReadOnlyAdmin):
    """Rows with the name of the organization whose they are."""

    list_select_related = ("organization",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: Any) -> str:
        return str(row.organization.name)

    @display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: Any) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(Offer, site=site)
class OfferAdmin(OfOrganization):
    list_display = ("title", "organization_name", "kind", "price", "state", "version", "created_at")
    list_filter = ("state", "kind")
    search_fields = ("title", "organization__name", "organization__slug")
    ordering = ("-created_at",)
    fields = (
        "title", "organization_name", "kind", "description", "sample", "licence", "licence_text", "price", "file_list",
        "state", "version", "review_note", "created_at",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("publish", "decline")

    @display(description=_("price"), ordering="price_minor")
    def price(self, row: Offer) -> str:
        return minor(row.price_minor, row.currency)

    @display(description=_("files"))
    def file_list(self, row: Offer) -> str:
        files = row.files.filter(removed_at=None).order_by("name")
        return "; ".join(f"{file.name}, {file.size:,} B, SHA-256 {file.sha256}" for file in files) or "–"

    @action(description=_("Publish"), url_path="publish", permissions=["operate"], icon="check_circle")
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Publish"),
            act=lambda: services.publish_offer(staff_of(request), row.organization_id, row.pk),
            done=_("The offer is published."),
            text=_("Every organization that has the market can find and buy it, as it stands here."),
        )

    @action(description=_("Give back"), url_path="decline", permissions=["operate"], icon="undo")
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            NoteForm(sent(request)),
            title=_("Give back"),
            act=lambda note: services.decline_offer(staff_of(request), row.organization_id, row.pk, note),
            done=_("The offer is a draft again, and its publisher reads the note."),
        )


@admin.register(Sale, site=site)
class SaleAdmin(OfOrganization):
    list_display = ("title", "organization_name", "buyer_name", "amount", "state", "created_at")
    list_filter = ("state", "kind", "currency")
    search_fields = ("title", "organization__name", "buyer_name")
    ordering = ("-created_at",)
    fields = (*list_display, "order_id", "version")
    readonly_fields = fields


@admin.register(Earning, site=site)
class EarningAdmin(OfOrganization):
    """Lines of what is owed to sellers; a payout is written down at any line of the seller and the currency."""

    list_display = ("organization_name", "kind", "amount", "reference", "created_at")
    list_filter = ("kind", "currency")
    search_fields = ("organization__name", "organization__slug", "reference")
    ordering = ("-created_at",)
    fields = (*list_display, "balance")
    readonly_fields = fields
    actions_detail = ("pay_out",)

    @display(description=_("owed to this organization in this currency"))
    def balance(self, row: Earning) -> str:
        same = Earning.objects.filter(organization_id=row.organization_id, currency=row.currency)
        return minor(same.aggregate(owed=Coalesce(Sum("amount_minor"), 0))["owed"], row.currency)

    @action(description=_("Record payout"), url_path="payout", permissions=["operate"], icon="payments")
    def pay_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            PayoutForm(sent(request)),
            title=_("Record payout"),
            act=lambda amount_minor, reference: services.record_payout(
                staff_of(request), row.organization_id, row.currency, amount_minor, reference
            ),
            done=_("The payout is written down."),
            text=gettext("Owed: %(amount)s. Transfer it first: nothing is sent from here.")
            % {"amount": self.balance(row)},
        )
