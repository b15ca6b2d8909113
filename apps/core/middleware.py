"""Request ids, addresses that nothing can be looked for by, and an honest 503 when a store does not answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from apps.core import callers
from apps.core.errors import InvalidRequest, ServiceUnavailable
from apps.core.ids import uuid7
from apps.core.views import error_response

log = logging.getLogger(__name__)
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def _start(request: HttpRequest) -> str:
    given = request.headers.get("x-request-id", "")
    id = given if _USABLE_ID.fullmatch(given) else f"req_{uuid7().hex}"
    request.request_id = id  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=id, address=callers.address_of(request.META), agent=callers.agent_of(request.META)
    )
    return id


@sync_and_async_middleware
def request_id(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Names every request, in its answer and in every log line, and lets a caller bring a name."""
    if iscoroutinefunction(get_response):
        ask = cast(Callable[[HttpRequest], Awaitable[HttpResponse]], get_response)

        async def named_async(request: HttpRequest) -> HttpResponse:
            id = _start(request)
            response = await ask(request)
            response.headers["x-request-id"] = id
            return response

        return named_async

    def named(request: HttpRequest) -> HttpResponse:
        id = _start(request)
        response: HttpResponse = get_response(request)
        response.headers["x-request-id"] = id
        return response

    return named


STORE_ERRORS = (OperationalError, InterfaceError, RedisConnectionError, RedisTimeout)


def store_unavailable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer when a store does not; also for a middleware's own questions, which no middleware catches."""
    log.error("store unavailable", exc_info=exception)
    return error_response(request, ServiceUnavailable("A data store does not answer; try again.", retry_after=5))


class StoreUnavailable:
    """Turns a lost database or Redis into a 503 in the interface's convention, instead of a 500."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        return store_unavailable(request, exception) if isinstance(exception, STORE_ERRORS) else None


class ReadableAddresses:
    """NUL in an address, which PostgreSQL neither stores nor compares, once for all views.

    In a path it stands as it was written, as bytes that are no UTF-8 do: each view then finds nothing of that name. In
    a query it is refused; there it is always written as `%00`, since the sign for percent is written as `%25`.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if "\0" in request.path_info:
            request.path_info = request.path_info.replace("\0", "%00")
            request.path = request.path.replace("\0", "%00")
        query = request.META.get("QUERY_STRING", "")
        if "%00" not in query and "\0" not in query:
            return self.get_response(request)
        # The page around the error reads who is signed in.
        return (sync_to_async(error_response) if self._is_async else error_response)(request, _nul_in(request.GET))


def _nul_in(query: QueryDict) -> InvalidRequest:
    named = [name for name, values in query.lists() if "\0" not in name and any("\0" in value for value in values)]
    return InvalidRequest(_("The address holds NUL, which no text can hold."), param=next(iter(named), None))
