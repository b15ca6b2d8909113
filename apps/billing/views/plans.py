"""The subscription: how it stands, taking a plan, changing it after a look at what that costs, and ending it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page, waiting_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import require_recent
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.context import urgent
from apps.billing.models import CheckoutState, Invoice, Status, Subscription
from apps.billing.plan_forms import CancelForm, ChangeForm, PauseForm, PlanForm
from apps.billing.services.accounts import MANAGE, READ, paying_currency
from apps.billing.services.changes import period_minor
from apps.billing.services.renewals import renewal_of, will_renew
from apps.billing.standing import live_or_last, standing_of, unpaid_invoice
from apps.billing.texts import shown
from apps.core import tenancy
from apps.core.errors import MillraceError, PreviewOutdated


@require_GET
@organization_page
def overview(request: HttpRequest) -> HttpResponse:
    """Everything about money at a look: the plan, the month so far, credits, invoices, and what can be done."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    row, ended = live_or_last()
    figures = billing.figures_of(actor.organization_id)
    context = _context(actor, row, ended) | {
        "account": billing.account_of(actor.organization_id),
        "summary": billing.usage_summary(actor.organization_id, figures),
        "seats": billing.seats_with(row),
        "invoices": Invoice.objects.order_by("-issued_at")[:3],
        "credits": figures.credits,
        "cap": figures.cap,
        "forecast": billing.forecast_of(actor.organization_id, figures=figures),
        "period_minor": period_minor(row.price, row.seats) if row and row.price else None,
        "renews": row is not None and will_renew(row),
        "renewal": renewal_of(row),
        "next_minor": period_minor(row.next_price, row.next_seats or 1) if row and row.next_price else None,
    }
    return render(request, "billing/overview.html", context)


@require_http_methods(["GET", "POST"])
@waiting_page
def plan(request: HttpRequest) -> HttpResponse:
    """Taking a plan where there is none, or choosing what the one there is shall become."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row, ended = live_or_last()
        context = _context(actor, row, ended)
        fixed = paying_currency(actor.organization_id)
    if row is not None and row.stripe_id:
        return _choose_change(request, row, context)
    initial: dict[str, Any] = {
        name: request.GET[name] for name in ("plan", "interval", "currency", "seats") if name in request.GET
    }
    with tenancy.scope(actor.organization_id):
        seats = billing.seats_with(row)
    initial = {"interval": "month", "seats": max(1, seats.taken)} | initial
    form = PlanForm(request.POST or None, initial=initial, currency=fixed)
    if form.is_valid():
        require_recent(request)
        values = {name: form.cleaned_data[name] for name in ("plan", "interval", "currency", "seats")}
        found: list[str] = []
        if attempt(
            form, lambda: found.append(billing.start_checkout(actor, coupon=form.cleaned_data["code"], **values).url)
        ):
            return redirect(found[0])
    context |= {"form": form, "plans": form.paid}
    return render(request, "billing/plan.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@waiting_page
def change(request: HttpRequest) -> HttpResponse:
    """What a change costs, line by line; confirmed, it is made exactly so."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    form = ChangeForm(request.GET)
    if not form.is_valid():
        return redirect("billing-plan")
    error, preview = "", None
    if request.method == "POST":
        require_recent(request)
        try:
            billing.confirm_change(actor, request.POST.get("token", ""))
        except PreviewOutdated as outdated:
            error, preview = outdated.shown(), outdated.costs_now
        except MillraceError as refused:
            messages.error(request, refused.shown())
            return redirect("billing")
        else:
            messages.success(request, _("The change has been made."))
            return redirect("billing")
    try:
        preview = preview or billing.preview_change(actor, **form.asked())
    except MillraceError as refused:
        messages.error(request, refused.shown())
        return redirect("billing-plan")
    return render(request, "billing/change.html", {"preview": preview, "error": error}, status=409 if error else 200)


@require_POST
@waiting_page
def keep_plan(request: HttpRequest) -> HttpResponse:
    return _act(request, billing.take_back_change, _("You stay on the plan that you have."))


@require_http_methods(["GET", "POST"])
@waiting_page
def cancel(request: HttpRequest) -> HttpResponse:
    """Cancelling with a second click; beside it, what is less than that."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    form = CancelForm(request.POST or None)
    if form.is_valid():
        values = form.cleaned_data
        if attempt(
            form,
            lambda: billing.cancel_subscription(actor, at_once=bool(values["at_once"]), reason=values["reason"]),
        ):
            messages.success(request, _("The subscription is cancelled."))
            return redirect("billing")
    with tenancy.scope(actor.organization_id):
        row, ended = live_or_last()
        context = _context(actor, row, ended)
    if row is None or not row.stripe_id:
        messages.info(request, _("There is no subscription to cancel."))
        return redirect("billing")
    context |= {"form": form, "pause": PauseForm(), "may_pause": row.status == Status.ACTIVE and row.cancel_at is None}
    return render(request, "billing/cancel.html", context, status=first_errors([form]))


@require_POST
@waiting_page
def keep(request: HttpRequest) -> HttpResponse:
    return _act(request, billing.keep_subscription, _("The subscription goes on."))


@require_POST
@waiting_page
def pause(request: HttpRequest) -> HttpResponse:
    form = PauseForm(request.POST)
    months = form.cleaned_data["months"] if form.is_valid() else 0
    return _act(request, lambda actor: billing.pause_subscription(actor, months), _("The subscription is paused."))


@require_POST
@waiting_page
def resume(request: HttpRequest) -> HttpResponse:
    return _act(request, billing.resume_subscription, _("The subscription goes on."))


@require_GET
@waiting_page
def checkout(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where Checkout sends people back to: it asks Stripe at once, and does not wait for the event."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    row = billing.settle_checkout(actor.organization_id, id)
    if row.state == CheckoutState.COMPLETE:
        messages.success(request, _("Thank you. Your plan is %(plan)s.") % {"plan": shown(row.price.plan.name)})
        return redirect("billing")
    return render(request, "billing/checkout.html", {"row": row})


@require_POST
@waiting_page
def portal(request: HttpRequest) -> HttpResponse:
    """To the customer's own page at Stripe; `flow` leads straight to the payment method."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    flow = "payment_method_update" if request.POST.get("flow") == "payment_method_update" else ""
    back = request.build_absolute_uri("/settings/billing/")
    try:
        return redirect(billing.open_portal(actor, return_url=back, flow=flow))
    except MillraceError as error:
        messages.error(request, error.shown())
        return redirect("billing")


@require_GET
@organization_page
def pay(request: HttpRequest) -> HttpResponse:
    """To the page of the invoice that is open the longest."""
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    found = unpaid_invoice()
    if found is None or not found.page_url:
        messages.info(request, _("There is no unpaid invoice."))
        return redirect("billing-invoices")
    return redirect(found.page_url)


def _choose_change(request: HttpRequest, row: Subscription, context: dict[str, Any]) -> HttpResponse:
    """The form leads on, by GET, to the page that says what the change costs."""
    assert row.price is not None  # noqa: S101 - what was taken at Stripe has a price
    initial = {"plan": row.plan.code, "interval": row.price.interval, "seats": row.seats, "when": "now"}
    initial |= {name: request.GET[name] for name in ("plan", "interval", "seats") if name in request.GET}
    return render(request, "billing/plan_change.html", context | {"form": ChangeForm(initial=initial)})


def _context(actor: Any, row: Subscription | None, ended: Subscription | None) -> dict[str, Any]:
    """What all pages of the subscription show."""
    standing = standing_of(row, ended)
    return {
        "row": row,
        "standing": standing,
        "money_notice": urgent(actor, standing),
        "may_manage": MANAGE in actor.permissions,
        "payments": gateway.mode() is not gateway.Mode.OFF,
        "is_simulated": gateway.mode() is gateway.Mode.SIMULATOR,
    }


def _act(request: HttpRequest, act: Any, done: str) -> HttpResponse:
    """One click that changes the subscription, and back to how it stands."""
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    try:
        act(request.actor)  # type: ignore[attr-defined]
    except MillraceError as error:
        messages.error(request, error.shown())
    else:
        messages.success(request, done)
    return redirect("billing")
