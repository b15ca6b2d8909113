"""A question to the documents: it begins a conversation that answers from the collections that were chosen.

Where the model that would answer only writes what it was trained for, the passages that fit are the answer.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import first_errors
from apps.registry import services as registry
from apps.studio.chat_forms import AskForm
from apps.studio.services import conversations
from apps.studio.views.conversations import begin


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The form; what is asked goes on as a conversation, where the answer is streamed and cites its passages."""
    if request.method == "POST" and request.POST.get("text", "").strip() and request.POST.getlist("collections"):
        model = registry.default_version()
        return begin(request) if model is None or model.follows_instructions else _passages(request)
    return _page(request)


@organization_page
def _passages(request: HttpRequest) -> HttpResponse:
    """The search for the same words, in the collections that were chosen."""
    where = {"q": request.POST["text"].strip(), "collection": request.POST.getlist("collections")}
    return redirect(f"{reverse('knowledge-search')}?{urlencode(where, doseq=True)}")


@organization_page
def _page(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    may_ask = "generations:write" in actor.permissions
    actor.require("generations:write" if request.method == "POST" else "knowledge:read")
    found = conversations.collections_of(actor)
    values: dict[str, Any] = {"data": request.POST} if request.method == "POST" else {}
    form = AskForm(collections=found, chosen=request.GET.getlist("collection"), **values)
    model = registry.default_version()
    context = {"form": form, "has_collections": bool(found), "may_ask": may_ask, "model": model}
    return render(request, "studio/chat/ask.html", context, status=first_errors([form]))
