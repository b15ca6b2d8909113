"""What other organizations offer: the catalogue, one offer, buying it; and where a sponsored notice leads."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import organization_page, waiting_page
from apps.accounts.organization_forms import first_errors
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.core.keyset import page_of
from apps.market import services as market
from apps.market.access import MANAGE, NOTHING_HERE, READ, require
from apps.market.border import published
from apps.market.forms import BuyForm
from apps.market.models import Listing, OfferKind, Purchase
from apps.market.search import matching
from apps.market.services.buying import find_listing
from apps.market.sponsors import follow


@require_GET
@organization_page
def catalogue(request: HttpRequest) -> HttpResponse:
    """Open listings of other organizations, newest first."""
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    search, kind = request.GET.get("search", "").strip()[:120], request.GET.get("kind", "")
    kind = kind if kind in OfferKind.values else ""
    page = published(
        lambda rows: page_of(matching(rows, actor.organization_id, search, kind), request.GET.get("before"))
    )
    context = {"page": page, "search": search, "kind": kind, "kinds": OfferKind.choices}
    return render(request, "market/catalogue.html", context)


@require_GET
@organization_page
def listing(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    found = find_listing(actor, id)
    return _shown(request, found, BuyForm(initial={"licence_sha256": found.licence_sha256}))


@require_POST
@waiting_page
def buy(request: HttpRequest, id: UUID) -> HttpResponse:
    """Accepts the licence, and leads to where the order is paid."""
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE)
    form = BuyForm(request.POST)
    if not form.is_valid():
        with tenancy.scope(actor.organization_id):
            return _shown(request, find_listing(actor, id), form)
    _purchase, order = market.buy(actor, id, form.cleaned_data["licence_sha256"])
    return redirect(market.start_paying(actor, order))


def _shown(request: HttpRequest, found: Listing, form: BuyForm) -> HttpResponse:
    mine = Purchase.objects.filter(offer_id=found.offer_id, state__in=Purchase.OURS).order_by("-id").first()
    context = {
        "listing": found,
        "form": form,
        "mine": mine,
        "may_buy": MANAGE in request.actor.permissions,  # type: ignore[attr-defined]
    }
    return render(request, "market/listing.html", context, status=first_errors([form]))


@require_GET
@organization_page
def sponsored(request: HttpRequest, id: UUID) -> HttpResponse:
    """Leads to the notice's own address and to no other; neither side learns who it was."""
    found = follow(request.organization.pk, id)  # type: ignore[attr-defined]
    if found is None:
        raise NotFound(NOTHING_HERE)
    response = redirect(found.link)
    response["referrer-policy"] = "no-referrer"
    response["cache-control"] = "no-store"
    return response
