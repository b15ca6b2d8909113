"""The base of asynchronous API views, and what their handlers share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import queries
from apps.core.errors import NotFound, ServiceUnavailable

Handler = Callable[..., Response]

# So many requests of an event loop are worked on at a time. Those who wait hold neither a thread nor a database
# connection, of which there are few; and they do not take turns at the interpreter with those who are ahead of them.
AT_ONCE = 6
# With a database away each of those ahead waits for it as long as DATABASE_PATIENCE_SECONDS.
TURN_SECONDS = 10.0

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class Turn:
    """A request's place among those that are worked on; `leave` it before waiting for anything but the database."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._turns = _turns.setdefault(loop, asyncio.Semaphore(AT_ONCE))
        self._held = False

    async def take(self) -> None:
        """Waits for a place; raises ServiceUnavailable when none gets free."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise ServiceUnavailable("Too much is being asked at once; try again.", retry_after=1) from None
        self._held = True

    def leave(self) -> None:
        if self._held:
            self._turns.release()
        self._held = False


def _measure(request: HttpRequest) -> None:
    """Gives a chunked request its length: DRF takes one without Content-Length for empty."""
    if request.META.get("CONTENT_LENGTH") or request.method not in {"POST", "PUT", "PATCH"}:
        return
    # One byte more than is allowed is enough to see that there is too much.
    body = request.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    request._body = body
    request.META["CONTENT_LENGTH"] = str(len(body))


class AsyncAPIView(APIView):
    """An APIView whose handlers are coroutines, so that a waiting client holds no thread.

    Whatever a handler puts into `answer_headers` goes with the answer, also when it is an error.
    """

    answer_headers: dict[str, str]
    turn: Turn

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        self.args, self.kwargs = args, kwargs
        self.answer_headers = {"cache-control": "no-store"}
        wrapped = self.initialize_request(request, *args, **kwargs)
        self.request = wrapped
        self.headers = self.default_response_headers
        self.turn = Turn()
        try:
            response = await self._answered(wrapped, *args, **kwargs)
        except Exception as error:
            response = await sync_to_async(self.handle_exception)(error)
        finally:
            self.turn.leave()
        self.response = self.finalize_response(wrapped, response, *args, **kwargs)
        for name, value in self.answer_headers.items():
            self.response.headers.setdefault(name, value)
        return self.response

    async def _answered(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        _measure(request._request)
        await self.turn.take()
        name = (request.method or "").lower()
        # Where there is no handler, this raises MethodNotAllowed.
        handler: Any = getattr(self, name, None) if name in self.http_method_names else None
        handler = handler or self.http_method_not_allowed
        if written := getattr(handler, "in_thread", None):
            return await sync_to_async(self._in_one_go)(written, request, *args, **kwargs)
        await sync_to_async(self._begin)(request, *args, **kwargs)
        response: Response = await handler(request, *args, **kwargs)
        return response

    def _begin(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.initial(request, *args, **kwargs)
        queries.check(self, request)

    def _in_one_go(self, handler: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Both together, since every change of threads is a wait for the interpreter where many requests are served."""
        self._begin(request, *args, **kwargs)
        return handler(self, request, *args, **kwargs)

    async def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        return Response({"methods": self.allowed_methods})


def in_thread(handler: Handler) -> Callable[..., Awaitable[Response]]:
    """A handler that asks the database and nothing slower, written without `await`, run in a thread."""

    @wraps(handler)
    async def answer(*args: Any, **kwargs: Any) -> Response:
        return await sync_to_async(handler)(*args, **kwargs)

    answer.in_thread = handler  # type: ignore[attr-defined]
    return answer


def parse_id(value: str, message: str) -> UUID:
    """The id in a path; what cannot be an id is answered like one that does not exist."""
    try:
        return UUID(value)
    except ValueError:
        raise NotFound(message) from None
