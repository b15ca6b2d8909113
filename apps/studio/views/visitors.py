"""The landing page and its live demo. Strangers come here: nothing of an organization is shown but their own text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor
from apps.billing.models import FREE_PLAN, Meter, PlanAllowance
from apps.core import callers, sse, streams
from apps.core.errors import MillraceError
from apps.core.shutdown import Leaving
from apps.core.views import error_response
from apps.studio import texts, visitors
from apps.studio.streaming import follow

# What a visitor's page shows of a text that has ended; the rest is the organization's business.
SHOWN = ("id", "status", "text", "usage", "error", "finish_reason", "created_at", "started_at", "finished_at")


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    base_url = settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")
    free = PlanAllowance.objects.filter(plan__code=FREE_PLAN, meter=Meter.TOKENS_OUT).first()
    demo = visitors.is_open()
    context = {
        "base_url": base_url,
        "free_allowance": free,
        "demo": visitors.VisitorForm() if demo else None,
        "texts": texts.script_texts() if demo else None,
    }
    return render(request, "core/home.html", context)


@require_POST
def write(request: HttpRequest) -> HttpResponse:
    """A visitor's text: where to follow it, or why there is none, as JSON."""
    form = visitors.VisitorForm(request.POST)
    try:
        visitors.visitor()
        if not form.is_valid():
            return JsonResponse({"errors": form.errors, "message": ""}, status=422)
        generation = visitors.request_text(callers.address_of(request.META), form.spec())
    except MillraceError as error:
        message = str(texts.error_text(error.code, error.shown()))
        return JsonResponse({"errors": {}, "message": message}, status=error.status)
    address = reverse("demo-stream", args=[visitors.token_for(generation)])
    return JsonResponse({"events": address}, status=202)


@require_GET
async def stream(request: HttpRequest, token: str) -> HttpResponseBase:
    """The text while it is written, as server-sent events."""
    after = request.headers.get("last-event-id", "")
    try:
        streams.parse_position(after)
        id, actor = visitors.id_of(token), await sync_to_async(visitors.visitor)()
    except MillraceError as error:
        # The page around the error reads who is signed in.
        return await sync_to_async(error_response)(request, error)
    return sse.EventStream(_events(actor, id, after))


async def _events(actor: Actor, id: UUID, after: str) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(follow(actor, id, after)) as frames:
            async for frame in frames:
                yield _event(frame)
    except Leaving:
        return
    except Exception as error:
        yield sse.event(sse.failure(error).body(), name="error")


def _event(frame: dict[str, Any]) -> bytes:
    fields = dict(frame)
    name, position = fields.pop("type"), fields.pop("id", "")
    if name == "heartbeat":
        return sse.HEARTBEAT
    if name == "done":
        fields = {key: fields["generation"][key] for key in SHOWN}
    return sse.event(fields, name=name, id=position)
