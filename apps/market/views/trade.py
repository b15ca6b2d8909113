"""What was bought and what was sold, with the thread of a service and the files of both."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import organization_page
from apps.core.errors import NotFound
from apps.core.keyset import page_of
from apps.market import files
from apps.market import services as market
from apps.market.access import MANAGE, NOTHING_HERE, READ, require
from apps.market.forms import NoteForm
from apps.market.models import Earning, Note, OfferKind, Purchase, PurchaseState, Sale, Voice
from apps.market.services.requests import NO_PURCHASE, NO_SALE
from apps.market.views.acting import carry_out, chosen


@require_GET
@organization_page
def purchases(request: HttpRequest) -> HttpResponse:
    require(request.actor, READ)  # type: ignore[attr-defined]
    page = page_of(Purchase.objects.all(), request.GET.get("before"))
    return render(request, "market/purchases.html", {"page": page})


@require_GET
@organization_page
def purchase(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    found = _row(Purchase, id, NO_PURCHASE)
    is_ours = found.state in Purchase.OURS
    context = {
        "purchase": found,
        "files": found.files if is_ours and found.delivered_at else [],
        "may_accept": MANAGE in actor.permissions and found.state == PurchaseState.DELIVERED,
        **_thread(actor, found.pk, found.kind, is_ours),
    }
    return render(request, "market/purchase.html", context)


@require_POST
@organization_page
def purchase_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE)
    _row(Purchase, id, NO_PURCHASE)
    text, upload = _said(request)
    acts: dict[str, Any] = {
        "note": (lambda: market.write_note(actor, Voice.BUYER, id, text, upload), _("The message has been sent.")),
        "accept": (lambda: market.accept_work(actor, id), _("The work is accepted.")),
    }
    carry_out(request, *chosen(acts, act))
    return redirect("market-purchase", id)


@require_GET
@organization_page
def purchase_file(request: HttpRequest, id: UUID, number: int) -> HttpResponse:
    """Leads to a fresh link to one file of what was bought."""
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    found = _row(Purchase, id, NO_PURCHASE)
    if found.state not in Purchase.OURS or not found.delivered_at or number >= len(found.files):
        raise NotFound(NOTHING_HERE)
    file = found.files[number]
    if file.get("gone"):
        raise NotFound(NOTHING_HERE)
    return redirect(files.link(actor.organization_id, file["path"], file["name"]))


@require_GET
@organization_page
def note_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """The file of a message, in the organization's own folder; gone for a buyer whose purchase was taken back."""
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    note = _row(Note, id, NOTHING_HERE)
    taken_back = Purchase.objects.filter(pk=note.purchase_id, state=PurchaseState.TAKEN_BACK)
    if not note.file_path or (note.voice == Voice.SELLER and taken_back.exists()):
        raise NotFound(NOTHING_HERE)
    return redirect(files.link(actor.organization_id, note.file_path, note.file_name))


@require_GET
@organization_page
def sales(request: HttpRequest) -> HttpResponse:
    """What was sold, and what is owed for it."""
    require(request.actor, READ)  # type: ignore[attr-defined]
    context = {
        "page": page_of(Sale.objects.all(), request.GET.get("before")),
        "balances": market.balances(),
        "earnings": Earning.objects.select_related("sale").order_by("-id")[:50],
        "fee": settings.MARKET_FEE_PERCENT,
    }
    return render(request, "market/sales.html", context)


@require_GET
@organization_page
def sale(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, READ)
    found = _row(Sale, id, NO_SALE)
    may_manage = MANAGE in actor.permissions
    context = {
        "sale": found,
        "earnings": found.earnings.order_by("id"),
        "may_begin": may_manage and found.state == PurchaseState.ORDERED,
        "may_hand_in": may_manage and found.state in {PurchaseState.IN_WORK, PurchaseState.DELIVERED},
        **_thread(actor, found.purchase_id, found.kind, found.state in Purchase.OURS),
    }
    return render(request, "market/sale.html", context)


@require_POST
@organization_page
def sale_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    require(actor, MANAGE)
    _row(Sale, id, NO_SALE)
    text, upload = _said(request)
    acts: dict[str, Any] = {
        "note": (lambda: market.write_note(actor, Voice.SELLER, id, text, upload), _("The message has been sent.")),
        "begin": (lambda: market.begin_work(actor, id), _("The work has begun.")),
        "hand-in": (lambda: market.hand_in(actor, id, text, upload), _("The work is delivered.")),
    }
    carry_out(request, *chosen(acts, act))
    return redirect("market-sale", id)


def _row(model: Any, id: UUID, message: str) -> Any:
    found = model.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(message)
    return found


def _thread(actor: Any, purchase_id: UUID, kind: str, is_alive: bool) -> dict[str, Any]:
    if kind != OfferKind.ANNOTATION:
        return {"has_thread": False}
    may_write = is_alive and MANAGE in actor.permissions
    notes = Note.objects.filter(purchase_id=purchase_id).order_by("id")
    return {"has_thread": True, "notes": notes, "note_form": NoteForm() if may_write else None}


def _said(request: HttpRequest) -> tuple[str, Any]:
    return request.POST.get("text", ""), request.FILES.get("file")
