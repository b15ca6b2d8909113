"""Invoices and credit notes, buying credits, and what stands on invoices."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import organization_page, waiting_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import require_recent
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.catalogue import packs_on_sale
from apps.billing.models import CreditNote, Invoice, Order
from apps.billing.plan_forms import CapForm, DetailsForm
from apps.billing.services.accounts import MANAGE, READ, spending_currency
from apps.core import tenancy
from apps.core.currencies import figure
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import page_of


def payment_context() -> dict[str, bool]:
    """Whether anything can be paid for here, and whether only in play."""
    return {
        "payments": gateway.mode() is not gateway.Mode.OFF,
        "is_simulated": gateway.mode() is gateway.Mode.SIMULATOR,
    }


NO_INVOICE = gettext_noop("There is no invoice with this id.")
NO_NOTE = gettext_noop("There is no credit note with this id.")


@require_GET
@organization_page
def invoices(request: HttpRequest) -> HttpResponse:
    """Invoices, and the newest credit notes."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    page = page_of(Invoice.objects.all(), request.GET.get("before"))
    notes = CreditNote.objects.order_by("-issued_at")[:50]
    context = {"page": page, "notes": notes, "may_manage": MANAGE in actor.permissions}
    return render(request, "billing/invoices.html", context)


@require_GET
@organization_page
def invoice(request: HttpRequest, id: UUID) -> HttpResponse:
    """One invoice with its lines, as it was issued."""
    request.actor.require(READ)  # type: ignore[attr-defined]
    found = Invoice.objects.prefetch_related("credit_notes").filter(pk=id).first()
    if found is None:
        raise NotFound(NO_INVOICE)
    return render(request, "billing/invoice.html", {"invoice": found})


@require_GET
@waiting_page
def invoice_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """To the invoice's PDF, whose address Stripe gives anew for each time."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found = Invoice.objects.filter(pk=id).first()
    url = gateway.get_invoice(found.stripe_id).pdf_url if found else ""
    if not url:
        raise NotFound(NO_INVOICE)
    return redirect(url)


@require_GET
@waiting_page
def credit_note_file(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found = CreditNote.objects.filter(pk=id).first()
    url = gateway.credit_note_pdf(found.stripe_id) if found else ""
    if not url:
        raise NotFound(NO_NOTE)
    return redirect(url)


@require_http_methods(["GET", "POST"])
@waiting_page
def credits(request: HttpRequest) -> HttpResponse:
    """Packs of credit, with a plan or without one, and what has been bought."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
        try:
            return redirect(billing.checkout_url(actor, billing.buy_credits(actor, request.POST.get("pack", ""))))
        except MillraceError as error:
            messages.error(request, error.shown())
            return redirect("billing-credits")
    with tenancy.scope(actor.organization_id):
        orders = list(Order.objects.order_by("-created_at")[:20])
        fixed = spending_currency(actor.organization_id)
    packs = [pack for pack in packs_on_sale() if fixed in ("", pack.currency)]
    found = billing.credits_left(actor)
    context = {
        "packs": packs,
        "fixed": fixed,
        "orders": orders,
        "left": {currency: credit.spendable for currency, credit in found.items()},
        "lots": [(currency, lot) for currency, credit in found.items() for lot in credit.lots],
        **payment_context(),
    }
    return render(request, "billing/credits.html", context)


@require_GET
@waiting_page
def order(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where Checkout sends people back to after a purchase."""
    actor = request.actor  # type: ignore[attr-defined]
    billing.get_order(actor, id)
    found = billing.settle_order(actor.organization_id, id)
    with tenancy.reading(actor.organization_id):
        going_back = billing.is_going_back(found)
    return render(request, "billing/order.html", {"order": found, "going_back": going_back})


@require_http_methods(["GET", "POST"])
@organization_page
def cap(request: HttpRequest) -> HttpResponse:
    """How much may be charged beyond the plan in a month."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    found = billing.get_cap(actor)
    currency = billing.limits_of(actor.organization_id).terms.currency
    # A number that was meant in another currency is not offered in this one.
    kept = figure(found.cap_micros, currency) if found and found.currency == currency else ""
    form = CapForm(request.POST or None, initial={"amount": kept})
    if form.is_valid():
        amount = form.cleaned_data["amount"]
        if amount is None:
            billing.remove_cap(actor)
            messages.success(request, _("There is no spending cap any more."))
            return redirect("billing")
        if attempt(form, lambda: billing.set_cap(actor, int(amount * 1_000_000))):
            messages.success(request, _("The spending cap has been set."))
            return redirect("billing")
    context = {"form": form, "cap": found, "currency": currency}
    return render(request, "billing/cap.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@waiting_page
def details(request: HttpRequest) -> HttpResponse:
    """Name, address and tax number on invoices."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    account = billing.account_of(actor.organization_id)
    names = ("name", "email", "country", "tax_id_kind", "tax_id")
    form = DetailsForm(request.POST or None, initial={name: getattr(account, name) for name in names})
    if form.is_valid() and attempt(form, lambda: billing.change_tax_details(actor, form.details())):
        messages.success(request, _("What stands on invoices has been changed."))
        return redirect("billing-details")
    return render(request, "billing/details.html", {"form": form, "account": account}, status=first_errors([form]))
