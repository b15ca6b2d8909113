"""Licences of other organizations: what is offered, and what one holds."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page, waiting_page
from apps.accounts.sudo import require_recent
from apps.core import shown_once
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import page_of
from apps.licensing import services as licensing
from apps.licensing.forms import QuantityForm
from apps.licensing.models import SERVED, HeldLicence, State
from apps.licensing.services import MANAGE, READ
from apps.licensing.views.products import as_file

BUY = "billing:manage"


@require_GET
@organization_page
def held_licences(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    page = page_of(HeldLicence.objects.all(), request.GET.get("before"))
    context = {
        "page": page,
        "offers": licensing.offers(actor.organization_id),
        "may_manage": MANAGE in actor.permissions,
        "may_buy": BUY in actor.permissions,
    }
    return render(request, "licensing/held_licences.html", context)


@require_POST
@waiting_page
def buy_licence(request: HttpRequest, offer: UUID) -> HttpResponse:
    """Begins a purchase, and leads to where it is paid."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(BUY)
    licensing.get_offer(actor, offer)
    require_recent(request)
    form = QuantityForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say how many licences, up to 1,000."))
        return redirect("held-licences")
    try:
        order = licensing.buy(actor, offer, form.cleaned_data["quantity"])
        return redirect(licensing.start_paying(actor, order))
    except MillraceError as error:
        messages.error(request, error.shown())
        return redirect("held-licences")


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def held_licence(request: HttpRequest, id: UUID) -> HttpResponse:
    """One of them; a new key is shown once, after its making."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        actor.require(MANAGE)
        if request.POST.get("act") == "key":
            shown_once.keep(request, str(id), licensing.new_key_of_held(actor, id))
        else:
            licensing.refresh_held(actor, id)
            messages.success(request, _("A new file is signed within a moment."))
        return redirect("held-licence", id=id)
    holding = licensing.held_licence(actor, id)
    state: str = holding.licence.state  # type: ignore[attr-defined]  # annotated by the query
    context = {
        "holding": holding,
        "licence": holding.licence,
        "state": State(state),
        "is_served": state in SERVED,
        "key": shown_once.take(request, str(id)),
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "licensing/held_licence.html", context)


@require_GET
@organization_page
def held_licence_file(request: HttpRequest, id: UUID) -> HttpResponse:
    holding = licensing.held_licence(request.actor, id)  # type: ignore[attr-defined]
    if not holding.licence.file:
        raise NotFound(_("This licence has not been signed yet."))
    return as_file(holding.licence.file.encode(), f"licence-{holding.licence.pk}.lic")
