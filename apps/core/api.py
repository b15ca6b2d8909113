"""The base of asynchronous API views."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


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

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        self.args, self.kwargs = args, kwargs
        self.answer_headers = {"cache-control": "no-store"}
        wrapped = await sync_to_async(self.initialize_request)(request, *args, **kwargs)
        self.request = wrapped
        self.headers = self.default_response_headers
        try:
            _measure(request)
            await sync_to_async(self.initial)(wrapped, *args, **kwargs)
            name = (wrapped.method or "").lower()
            # Where there is no handler, this raises MethodNotAllowed.
            handler: Any = getattr(self, name, None) if name in self.http_method_names else None
            handler = handler or self.http_method_not_allowed
            response: Response = await handler(wrapped, *args, **kwargs)
        except Exception as error:
            response = await sync_to_async(self.handle_exception)(error)
        self.response = self.finalize_response(wrapped, response, *args, **kwargs)
        for name, value in self.answer_headers.items():
            self.response.headers.setdefault(name, value)
        return self.response

    async def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        return Response({"methods": self.allowed_methods})
