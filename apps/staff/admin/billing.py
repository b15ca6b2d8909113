"""Plans, which `manage.py plan` changes, and what organizations pay: copies of what Stripe has."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from apps.billing.models import (
    Invoice,
    Meter,
    Order,
    Payment,
    Plan,
    StripeEvent,
    StripeFinding,
    StripeOperation,
    Subscription,
)
from apps.core.templatetags.ui import minor
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, ReasonForm, sent, staff_of
from apps.staff.site import site

COLOURS = {
    "active": "success", "paid": "success", "succeeded": "success", "delivered": "success", "done": "success",
    "past_due": "danger", "unpaid": "danger", "failed": "danger", "unknown": "danger", "reversed": "danger",
    "open": "warning", "waiting": "warning", "sent": "warning", "trialing": "info",
}  # fmt: skip
OF_ORGANIZATION = ("organization__name", "organization__slug")


@admin.register(Plan, site=site)
class PlanAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "code", "included", "requests_per_minute", "tokens_per_minute", "max_queued", "max_running",
        "weight", "max_passages",
    )  # fmt: skip
    ordering = ("position",)
    fields = (*list_display, "changed_by")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("allowances")

    @admin.display(description="included in a month")
    def included(self, plan: Plan) -> str:
        rows = sorted(plan.allowances.all(), key=lambda row: list(Meter).index(Meter(row.meter)))
        return ", ".join(f"{row.get_meter_display()} {row.included:,}" for row in rows)

    @display(description=_("to change it"))
    def changed_by(self, plan: Plan) -> str:
        return f"manage.py plan {plan.code}"


class MoneyAdmin(ReadOnlyAdmin):
    """Rows of organizations, the newest first, each with its organization joined."""

    list_select_related: Any = ("organization",)
    search_fields: tuple[str, ...] = OF_ORGANIZATION

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: Any) -> str:
        return str(row.organization.name)

    @display(description=_("status"), ordering="status", label=COLOURS)
    def shown_status(self, row: Any) -> str:
        return str(row.status)

    @display(description=_("state"), ordering="state", label=COLOURS)
    def shown_state(self, row: Any) -> str:
        return str(row.state)

    @display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: Any) -> str:
        return minor(row.amount_minor, row.currency)


@admin.register(Subscription, site=site)
class SubscriptionAdmin(MoneyAdmin):
    list_display = ("organization_name", "plan", "shown_price", "shown_status", "seats", "period_end", "cancel_at")
    list_filter = ("status", "plan", "price__currency", "price__interval")
    list_select_related = ("organization", "plan", "price", "next_price")
    search_fields = (*OF_ORGANIZATION, "stripe_id")
    ordering = ("-created_at", "-id")
    fields = (
        "organization_name", "plan", "shown_price", "shown_status", "seats", "stripe_id", "period_start", "period_end",
        "trial_end", "cancel_at", "past_due_since", "paused_until", "ended_at", "next_seats", "next_at", "version",
        "created_at",
    )  # fmt: skip
    readonly_fields = fields

    @display(description=_("price"))
    def shown_price(self, row: Subscription) -> str:
        price = row.price
        if price is None:
            return "–"
        return f"{minor(price.base_minor, price.currency)} + {minor(price.seat_minor, price.currency)}, {row.interval}"


@admin.register(Invoice, site=site)
class InvoiceAdmin(MoneyAdmin):
    list_display = ("organization_name", "number", "shown_status", "total", "remaining", "issued_at", "failed_at")
    list_filter = ("status", "currency")
    search_fields = (*OF_ORGANIZATION, "number", "stripe_id")
    ordering = ("-issued_at", "-id")
    fields = (
        "organization_name", "number", "stripe_id", "shown_status", "currency", "subtotal_minor", "tax_minor", "total",
        "paid_minor", "remaining", "credited_minor", "issued_at", "due_at", "paid_at", "failed_at", "period_start",
        "period_end", "page_url",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the lines: they are not even read."""
        return super().get_queryset(request).defer("lines")

    @display(description=_("total"), ordering="total_minor")
    def total(self, row: Invoice) -> str:
        return minor(row.total_minor, row.currency)

    @display(description=_("open"), ordering="remaining_minor")
    def remaining(self, row: Invoice) -> str:
        return minor(row.remaining_minor, row.currency)


@admin.register(Payment, site=site)
class PaymentAdmin(MoneyAdmin):
    list_display = ("organization_name", "amount", "shown_status", "refunded", "disputed", "failure", "created_at")
    list_filter = ("status", "currency", "dispute_status")
    search_fields = (*OF_ORGANIZATION, "stripe_id", "intent_id", "invoice__number")
    ordering = ("-created_at", "-id")
    fields = (
        "organization_name", "stripe_id", "intent_id", "invoice_id", "order_id", "amount", "shown_status", "refunded",
        "disputed", "dispute_status", "failure", "created_at",
    )  # fmt: skip
    readonly_fields = fields

    @display(description=_("refunded"), ordering="refunded_minor")
    def refunded(self, row: Payment) -> str:
        return minor(row.refunded_minor, row.currency)

    @display(description=_("disputed"), ordering="disputed_minor")
    def disputed(self, row: Payment) -> str:
        return minor(row.disputed_minor, row.currency)


@admin.register(Order, site=site)
class OrderAdmin(MoneyAdmin):
    list_display = ("organization_name", "kind", "name", "quantity", "amount", "shown_state", "created_at", "paid_at")
    list_filter = ("state", "kind", "currency")
    search_fields = (*OF_ORGANIZATION, "name", "stripe_id", "intent_id")
    ordering = ("-created_at", "-id")
    fields = (
        "organization_name", "id", "kind", "item_id", "name", "quantity", "amount", "shown_state", "stripe_id",
        "intent_id", "reversed_minor", "taken_back_minor", "created_at", "paid_at", "delivered_at",
    )  # fmt: skip
    readonly_fields = fields


@admin.register(StripeEvent, site=site)
class StripeEventAdmin(ReadOnlyAdmin):
    list_display = ("type", "event_id", "object_id", "livemode", "received_at", "handled_at", "attempts", "problem")
    list_filter = (("handled_at", admin.EmptyFieldListFilter), "livemode", "type")
    search_fields = ("event_id", "object_id", "type")
    ordering = ("-received_at", "-id")
    fields = (
        "type", "event_id", "account", "livemode", "object_kind", "object_id", "api_version", "happened_at",
        "received_at", "handled_at", "attempts", "next_at", "problem",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("retry",)

    @action(description=_("Try again now"), url_path="retry", permissions=["retry"], icon="replay")
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Try again now"),
            act=lambda: services.retry_event(staff_of(request), row.pk),
            done=_("A worker handles it within seconds."),
            text=_("An event that could not be handled is tried again by itself, up to an hour later; this is now."),
        )


@admin.register(StripeOperation, site=site)
class StripeOperationAdmin(MoneyAdmin):
    list_display = (
        "organization_name", "kind", "subject", "shown_state", "attempts", "created_at", "done_at", "problem",
    )  # fmt: skip
    list_filter = ("state", "kind")
    search_fields = (*OF_ORGANIZATION, "subject", "answer_id")
    ordering = ("-created_at", "-id")
    fields = (
        "organization_name", "id", "kind", "subject", "shown_state", "answer_id", "problem", "attempts", "created_at",
        "first_sent_at", "next_at", "done_at",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("look", "give_up")

    @action(description=_("Look for it at Stripe"), url_path="look", permissions=["retry"], icon="search")
    def look(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Look for it at Stripe"),
            act=lambda: services.look_for_operation(staff_of(request), row.organization_id, row.pk),
            done=_("It was found, and is done."),
            text=_("Only for a request of unknown outcome. It is looked for, and never sent again."),
        )

    @action(description=_("Close as not done"), url_path="close", permissions=["operate"], icon="block")
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            ReasonForm(sent(request)),
            title=_("Close as not done"),
            act=lambda reason: services.give_up_operation(staff_of(request), row.organization_id, row.pk, reason),
            done=_("It is closed as not done."),
            text=_("Look into Stripe's dashboard first: what was done there stays done."),
        )


@admin.register(StripeFinding, site=site)
class StripeFindingAdmin(MoneyAdmin):
    list_display = (
        "organization_name", "kind", "subject", "detail", "times", "found_at", "seen_at", "acknowledged_at",
    )  # fmt: skip
    list_filter = (("acknowledged_at", admin.EmptyFieldListFilter), "kind", "subject")
    search_fields = (*OF_ORGANIZATION, "detail")
    ordering = ("-seen_at", "-id")
    fields = (*list_display, "acknowledged_by")
    readonly_fields = fields
    actions_detail = ("compare", "acknowledge")

    @action(description=_("Compare again"), url_path="compare", permissions=["retry"], icon="replay")
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Compare again"),
            act=lambda: services.compare_with_stripe(staff_of(request), row.organization_id),
            done=_("The organization's copies are what Stripe has."),
            text=_("All copies of this organization are compared with Stripe and mended, as every night."),
        )

    @action(description=_("Acknowledge"), url_path="acknowledge", permissions=["operate"], icon="check")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Acknowledge"),
            act=lambda: services.acknowledge_finding(staff_of(request), row.organization_id, row.pk),
            done=_("It is seen to, and counts no more among what is open."),
            text=_("The copies have been mended already; this says that somebody knows why they differed."),
        )
