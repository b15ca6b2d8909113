"""Nobody goes on before they have accepted the present terms; without published versions this costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from apps.accounts.models import User
from apps.privacy import services

SESSION_KEY = "accepted"
# Signing in and out, the documents themselves, and whatever is no page of a person's.
_OPEN = tuple("/accounts/ /consent/ /privacy/ /i18n/ /static/ /api/ /v1/ /healthz /readyz /metrics".split())


class ConsentGate:
    """Sends a signed-in person to the page of consents while something is not accepted in its present version."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._ask(request)
        return self._gate(request) or self.get_response(request)

    async def _ask(self, request: HttpRequest) -> Any:
        stopped = await sync_to_async(self._gate)(request) if self._concerns(request) else None
        return stopped or await self.get_response(request)

    @staticmethod
    def _concerns(request: HttpRequest) -> bool:
        return bool(services.required()) and not request.path.startswith(_OPEN)

    def _gate(self, request: HttpRequest) -> HttpResponse | None:
        if not self._concerns(request) or not isinstance(request.user, User):
            return None
        present = " ".join(f"{document}:{version}" for document, version in services.required().items())
        # Asked of the database once in a session, and again for each new version.
        if request.session.get(SESSION_KEY) == present:
            return None
        if services.pending(request.user.pk):
            asked = {"next": request.get_full_path()} if request.method == "GET" else {}
            return redirect(f"{reverse('consent')}?{urlencode(asked)}")
        request.session[SESSION_KEY] = present
        return None
