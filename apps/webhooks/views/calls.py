"""The door for calls in: nothing proves a call but its signature over the raw bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core.errors import MillraceError, PayloadTooLarge
from apps.core.views import error_headers
from apps.webhooks.services import calls

LARGEST_BYTES = 262_144


@csrf_exempt
@require_POST
@never_cache
def take_call(request: HttpRequest, id: UUID) -> HttpResponse:
    """Stores a genuine call and answers at once; a worker does what it asks for. A repeated one is answered alike."""
    try:
        body = request.read(LARGEST_BYTES + 1)
        if len(body) > LARGEST_BYTES:
            raise PayloadTooLarge("A call has at most %(most)s bytes.", values={"most": LARGEST_BYTES})
        headers = {name.lower(): value for name, value in request.headers.items()}
        taken = calls.take_call(id, headers, body)
    except MillraceError as error:
        return JsonResponse(error.body(), status=error.status, headers=error_headers(error))
    if taken.challenge:
        return JsonResponse({"challenge": taken.challenge})
    answer: dict[str, Any] = {"id": str(taken.call.pk) if taken.call else None, "received": True, "new": taken.is_new}
    return JsonResponse(answer, status=202 if taken.is_new else 200)
