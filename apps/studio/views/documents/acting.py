"""What the views of documents share: ids and JSON that browsers send, and refusals in words or as a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.core.errors import InvalidJSON, InvalidRequest, MillraceError
from apps.core.rest import HOLDS_NUL
from apps.studio import texts


def id_in(value: Any) -> UUID | None:
    """The id that a form or an address names; None for what is none."""
    try:
        return UUID(str(value or ""))
    except ValueError:
        return None


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "") == "application/json"


def body_of(request: HttpRequest) -> dict[str, Any]:
    """What a script or a form sends."""
    found: Any = request.POST.dict()
    try:
        if request.content_type == "application/json":
            found = json.loads(request.body)
        # Written back, what no database stores shows: NUL and lone surrogates.
        written = json.dumps(found, ensure_ascii=False)
        written.encode()
        if HOLDS_NUL.search(written):
            raise ValueError("a text holds NUL")
    except (ValueError, RecursionError):
        raise InvalidJSON("The request body is not valid UTF-8 JSON.") from None
    if not isinstance(found, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return found


def text_in(body: dict[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise InvalidRequest("This must be a text.", param=name)
    return value


def number_in(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**31:
        raise InvalidRequest("This must be a whole number.", param=name)
    return number


def told(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For scripts a refusal is JSON with the words to show; without scripts it is the error's page."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except MillraceError as error:
            if not wants_json(request):
                raise
            words = str(texts.ERRORS.get(error.code) or error.shown())
            return JsonResponse({"code": error.code, "message": words}, status=error.status)

    return answered
