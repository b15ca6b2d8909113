"""Django's middleware without a change of threads.

In an asynchronous process Django runs each of its own middleware classes in a thread, once before the view and once
after it: twenty changes of threads a request, several milliseconds in all. None of them waits for anything but the two
that store a session or messages, and those still go to a thread. Were another to ask the database after all, Django
would raise SynchronousOnlyOperation.
"""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware

if TYPE_CHECKING:
    from django.utils.deprecation import MiddlewareMixin as Middleware
else:
    Middleware = object


class Inline(Middleware):
    """The asynchronous half of MiddlewareMixin, without threads where `stores` says that nothing is stored."""

    def stores(self, request: HttpRequest) -> bool:
        """Whether what comes after the view may wait for the database."""
        return False

    async def __acall__(self, request: HttpRequest) -> Any:
        before = getattr(self, "process_request", None)
        after = getattr(self, "process_response", None)
        response: Any = before(request) if before else None
        response = response or await self.get_response(request)  # type: ignore[misc]  # a coroutine here
        if after and self.stores(request):
            response = await sync_to_async(after, thread_sensitive=True)(request, response)
        elif after:
            response = after(request, response)
        return response


class Security(Inline, SecurityMiddleware):
    pass


class ContentSecurityPolicy(Inline, CSPMiddleware):
    pass


class Session(Inline, SessionMiddleware):
    def stores(self, request: HttpRequest) -> bool:
        return bool(request.session.modified or settings.SESSION_SAVE_EVERY_REQUEST)


class Locale(Inline, LocaleMiddleware):
    pass


class Common(Inline, CommonMiddleware):
    pass


class Csrf(Inline, CsrfViewMiddleware):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self._checked  # type: ignore[method-assign, assignment]

    async def _checked(self, request: HttpRequest, callback: Any, args: Any, kwargs: Any) -> Any:
        """The check before the view; a form's body has been received by now, and is read from memory or a file."""
        answer: Any = super().process_view(request, callback, args, kwargs)
        return await answer if isawaitable(answer) else answer

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        """The page of the refusal asks the database who is signed in, so it is drawn in a thread."""
        draw = partial(super()._reject, request, reason)  # type: ignore[misc]
        return sync_to_async(draw, thread_sensitive=True)() if self.async_mode else draw()


class Authentication(Inline, AuthenticationMiddleware):
    pass


class Messages(Inline, MessageMiddleware):
    def stores(self, request: HttpRequest) -> bool:
        messages = getattr(request, "_messages", None)
        return messages is not None and bool(messages.used or messages.added_new)


class XFrameOptions(Inline, XFrameOptionsMiddleware):
    pass
