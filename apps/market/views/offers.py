"""The organization's own offers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core.currencies import units_of
from apps.core.keyset import page_of
from apps.market import services as market
from apps.market.access import MANAGE, READ, require
from apps.market.forms import FileForm, OfferForm
from apps.market.models import KINDS_WITH_FILES, Offer
from apps.market.views.acting import carry_out, chosen


@require_GET
@organization_page
def offers(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    page = page_of(Offer.objects.all(), request.GET.get("before"))
    return render(request, "market/offers.html", {"page": page, "may_manage": MANAGE in actor.permissions})


@require_http_methods(["GET", "POST"])
@organization_page
def new_offer(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE)
    form = OfferForm(request.POST or None)
    made: list[Offer] = []
    if form.is_valid() and attempt(form, lambda: made.append(market.create_offer(actor, form.facts()))):
        messages.success(request, _("The offer is written. Nobody else sees it yet."))
        return redirect("market-offer", made[0].pk)
    return render(request, "market/new_offer.html", {"form": form}, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def offer(request: HttpRequest, id: UUID) -> HttpResponse:
    """One offer: its state, its files, and its words while they can be changed."""
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE if request.method == "POST" else READ)
    found = market.get_offer(actor, id)
    form = OfferForm(request.POST or None, initial=_words(found))
    if form.is_valid() and attempt(form, lambda: market.change_offer(actor, id, form.facts())):
        messages.success(request, _("The offer has been changed."))
        return redirect("market-offer", id)
    return _shown(request, found, form)


@require_POST
@organization_page
def offer_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE)
    market.get_offer(actor, id)
    form = FileForm(request.POST, request.FILES)
    if act == "add-file" and not form.is_valid():
        messages.error(request, _("Choose a file."))
        return redirect("market-offer", id)
    acts: dict[str, Any] = {
        "submit": (lambda: market.submit_offer(actor, id), _("The offer waits for approval.")),
        "withdraw": (lambda: market.withdraw_offer(actor, id), _("The offer has been withdrawn.")),
        "delete": (lambda: market.delete_offer(actor, id), _("The offer has been deleted.")),
        "add-file": (lambda: market.add_file(actor, id, form.cleaned_data["file"]), _("The file has been added.")),
        "remove-file": (lambda: market.remove_file(actor, id, _file(request)), _("The file has been removed.")),
    }
    done = carry_out(request, *chosen(acts, act))
    return redirect("market-offers") if done and act == "delete" else redirect("market-offer", id)


def _file(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("file", ""))
    except ValueError:
        return UUID(int=0)


def _words(found: Offer) -> dict[str, Any]:
    price: Decimal = units_of(found.price_minor, found.currency)
    names = ("kind", "title", "description", "sample", "licence", "licence_text", "currency")
    return {name: getattr(found, name) for name in names} | {"price": price}


def _shown(request: HttpRequest, found: Offer, form: OfferForm) -> HttpResponse:
    may_manage = MANAGE in request.actor.permissions  # type: ignore[attr-defined]
    context = {
        "offer": found,
        "form": form,
        "file_form": FileForm(),
        "files": found.files.filter(removed_at=None).order_by("name"),
        "has_files": found.kind in KINDS_WITH_FILES,
        "may_change": may_manage and found.state in Offer.CHANGEABLE,
        "may_manage": may_manage,
        "listing": found.listings.filter(is_open=True).first(),
    }
    return render(request, "market/offer.html", context, status=first_errors([form]))
