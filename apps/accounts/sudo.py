"""Dangerous acts ask for a fresh proof: the person must have signed in, or confirmed it, within the last minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired as ConfirmFirst
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.sessions import started_at
from apps.core.errors import ReauthenticationRequired
from apps.core.views import error_response, is_api


def is_recent(request: HttpRequest) -> bool:
    """Whether the session's person proved who they are within `ACCOUNT_REAUTHENTICATION_TIMEOUT` seconds."""
    user = request.user
    if not isinstance(user, User):
        return False
    confirmed = [record["at"] for record in get_authentication_records(request, user) if record.get("reauthenticated")]
    latest = max([started_at(request.session), *confirmed])
    return time.time() - latest < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def require_recent(request: HttpRequest) -> None:
    """Raises unless the proof is fresh.

    A page is then suspended, asks for password, code or passkey, and goes on with what was sent. A program, or somebody
    who has nothing to confirm with but the sign-in of another service, gets the error ReauthenticationRequired.
    """
    if is_recent(request):
        return
    if not is_api(request) and get_adapter().get_reauthentication_methods(request.user):
        raise ConfirmFirst
    raise ReauthenticationRequired(_("This needs a fresh sign-in. Sign out, sign in again, and repeat it at once."))


def recently_authenticated(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page whose every request needs a fresh proof; stands above `organization_page` or `login_required`."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            try:
                require_recent(request)
            except ReauthenticationRequired as error:
                return error_response(request, error)
        return view(request, *args, **kwargs)

    return page
