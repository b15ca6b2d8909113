"""The web process's part: measuring requests, `/metrics`, and the listener that begins and ends with the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _
from prometheus_client import REGISTRY

from apps.core.errors import MethodNotAllowed, MillraceError, NotAuthenticated, NotFound
from apps.core.metrics.exposition import exposition, has_token, is_neighbour
from apps.core.metrics.instruments import HTTP_REQUESTS, HTTP_SECONDS
from apps.core.metrics.server import serve
from apps.core.metrics.stores import StoreCollector
from apps.core.views import error_headers, error_response

REGISTRY.register(StoreCollector())

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CALLER_LEFT = 499


@sync_and_async_middleware
def measured(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Counts every request by route and status, and the time until its answer begins."""
    if iscoroutinefunction(get_response):
        ask = cast(Callable[[HttpRequest], Awaitable[HttpResponse]], get_response)

        async def measured_async(request: HttpRequest) -> HttpResponse:
            began = time.perf_counter()
            try:
                response = await ask(request)
            except asyncio.CancelledError:
                _count(request, CALLER_LEFT, began)
                raise
            _count(request, response.status_code, began)
            return response

        return measured_async

    def measured_sync(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response: HttpResponse = get_response(request)
        _count(request, response.status_code, began)
        return response

    return measured_sync


def _count(request: HttpRequest, status: int, began: float) -> None:
    # The route's name and never the path: paths hold ids, and strangers ask for any number of them.
    match = request.resolver_match
    route = (match.view_name if match else "") or "none"
    method = request.method if request.method in METHODS else "other"
    HTTP_REQUESTS.labels(route, method, status).inc()
    HTTP_SECONDS.labels(route).observe(time.perf_counter() - began)


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of this web process and of the stores, for whoever holds METRICS_TOKEN.

    Without a token the address does not exist, but for programs on a developer's own machine.
    """
    if settings.METRICS_TOKEN:
        if not has_token(request.headers.get("authorization", "")):
            return _refusal(NotAuthenticated("Send METRICS_TOKEN: `Authorization: Bearer TOKEN`."))
    elif not (settings.LOCAL and is_neighbour(request.META.get("REMOTE_ADDR", ""), request.headers)):
        return error_response(request, NotFound(_("There is nothing at this address.")))
    if request.method not in {"GET", "HEAD"}:
        return _refusal(MethodNotAllowed("The metrics are only read: GET.", headers={"allow": "GET, HEAD"}))
    page = exposition(request.headers.get("accept", ""))
    return HttpResponse(page.body, content_type=page.content_type, headers={"cache-control": "no-store"})


def _refusal(error: MillraceError) -> HttpResponse:
    return JsonResponse(error.body(), status=error.status, headers=error_headers(error))


def listening(lifespan: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Wraps the web process's ASGI lifespan: its own listener is there as long as the server."""

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        server = await asyncio.to_thread(serve, "web")
        try:
            await lifespan(scope, receive, send)
        finally:
            if server:
                await asyncio.to_thread(server.stop)

    return wrapped
