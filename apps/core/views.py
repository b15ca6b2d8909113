"""Pages without a product: errors, health, readiness."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis.exceptions
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.core import metrics
from apps.core.connections import quick_redis_client
from apps.core.errors import InvalidRequest, MillraceError, NotFound, PermissionDenied

WORKER_SILENT_SECONDS = 20
DATABASE_SILENT_SECONDS = 3

# One thread: while a silent database holds it, later questions wait behind the first and time out as well.
_database_thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")


class InternalError(MillraceError):
    code = "internal_error"


def is_api(request: HttpRequest) -> bool:
    return f"{request.path}/".startswith(("/api/", "/v1/", "/scim/"))


def error_headers(error: MillraceError) -> dict[str, str]:
    """What clients that retry by themselves read."""
    headers = {"x-should-retry": "true" if error.should_retry else "false", **error.headers}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after + 0.5)))
        headers["retry-after-ms"] = str(int(error.retry_after * 1000) + 1)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


def error_response(request: HttpRequest, error: MillraceError) -> HttpResponse:
    """The error as JSON for programs, as a page for people."""
    metrics.ERROR_ANSWERS.labels(error.code).inc()
    if is_api(request):
        return JsonResponse(error.body(), status=error.status, headers=error_headers(error))
    context = {"error": error, "status": error.status, "request_id": getattr(request, "request_id", "")}
    template = f"{error.status}.html" if error.status in {403, 404, 500, 503} else "error.html"
    if error.status in {500, 503}:
        # Without the request there are no context processors: nothing is asked of what may be broken.
        return HttpResponse(render_to_string(template, context), status=error.status)
    return render(request, template, context, status=error.status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = _("This form has expired or was sent from another site. Reload the page and try again.")
    return error_response(request, PermissionDenied(message))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, InvalidRequest(_("The request could not be read.")))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, NotFound(_("There is nothing at this address.")))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, PermissionDenied(_("You may not do this.")))


def server_error(request: HttpRequest) -> HttpResponse:
    return error_response(request, InternalError(_("Something went wrong on our side. It has been logged.")))


@require_safe
async def robots(request: HttpRequest) -> HttpResponse:
    """What search engines need not ask for: what strangers would only be sent away from, and files behind links."""
    closed = ("/accounts/", "/api/v1/", "/api/v2/", "/demo/", "/i18n/", "/media/", "/settings/", "/v1/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed)]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@require_safe
async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def _database() -> None:
    """Asks in another thread, because a server that has stopped in mid-connection may never answer."""
    question = _database_thread.submit(_ask_database)
    try:
        question.result(DATABASE_SILENT_SECONDS)
    finally:
        question.cancel()


def _ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _redis() -> None:
    quick_redis_client().ping()


def _worker(queue: str) -> Callable[[], None]:
    def check() -> None:
        # Redis forgets a silent worker by itself: the worker's clock and ours may differ.
        if quick_redis_client().get(worker_key(queue)) is None:
            raise LookupError(f"no worker of the queue {queue} has been seen for {WORKER_SILENT_SECONDS} s")

    return check


def worker_key(queue: str) -> str:
    """Where a live worker of `queue` writes the time, in Unix seconds."""
    return f"{settings.REDIS_PREFIX}:worker:{queue}"


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database, Redis and a worker of each queue answer; otherwise 503, and each says what is wrong."""
    parts: dict[str, Any] = {
        "database": _database,
        "redis": _redis,
        "worker_generation": _worker("generation"),
        "worker_default": _worker("default"),
    }
    state: dict[str, str] = {}
    for name, check in parts.items():
        try:
            check()
            state[name] = "ok"
        except (DatabaseError, redis.exceptions.RedisError, OSError) as error:
            state[name] = f"down: {type(error).__name__}"
        except LookupError as error:
            state[name] = f"down: {error}"
    ready = all(value == "ok" for value in state.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", **state}, status=200 if ready else 503)
