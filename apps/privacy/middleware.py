"""Nobody goes on before they have accepted the present terms; without published versions this costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from apps.accounts.models import User
from apps.core.errors import ConsentRequired
from apps.core.middleware import STORE_ERRORS, store_unavailable
from apps.core.views import error_response, is_api
from apps.privacy import services

SESSION_KEY = "accepted"
# Signing in and out, the documents themselves, one's own data, and whatever is no page of a person's.
_OPEN = tuple(
    "/accounts/ /sso/ /consent/ /privacy/ /settings/my-data/ /settings/privacy/export/ "
    "/media/ /i18n/ /static/ /api/docs /api/schema /healthz /readyz /metrics".split()
)


class ConsentGate:
    """Stops a signed-in person while something is not accepted in its present version: pages lead to where it is asked.

    Programs with a key act for an organization, not for a person, and are not asked.
    """

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
        if not services.required() or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return False
        return not request.path.startswith(_OPEN) and not (is_api(request) and "authorization" in request.headers)

    def _gate(self, request: HttpRequest) -> HttpResponse | None:
        if not self._concerns(request):
            return None
        try:
            return self._stopped(request)
        except ConsentRequired as error:
            return error_response(request, error)
        except STORE_ERRORS as error:
            return store_unavailable(request, error)

    def _stopped(self, request: HttpRequest) -> HttpResponse | None:
        if not isinstance(request.user, User):
            return None
        present = " ".join(f"{document}:{version}" for document, version in services.required().items())
        # Asked of the database once in a session, and again for each new version.
        if request.session.get(SESSION_KEY) == present:
            return None
        if is_api(request):
            services.require_accepted(request.user.pk)
        elif services.pending(request.user.pk):
            asked = {"next": request.get_full_path()} if request.method == "GET" else {}
            return redirect(f"{reverse('consent')}?{urlencode(asked)}")
        request.session[SESSION_KEY] = present
        return None
