"""Who comes through the door of the staff console, and from where.

Elsewhere than at `STAFF_ADDRESSES` the console is not there: its addresses are unknown to the process, so that they
answer like any page that does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, cast

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import callers

PREFIX = "/staff"
WITHOUT_STAFF = "config.urls_without_staff"


def is_staff_address(request: HttpRequest) -> bool:
    """Whether the caller's address is one of those from which staff works."""
    address = callers.address_of(request.META)
    return bool(address) and any(ip_address(address) in network for network in settings.STAFF_ADDRESSES)


@sync_and_async_middleware
def hidden_elsewhere(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Takes the console out of the addresses of a request that comes from elsewhere; stands before CommonMiddleware."""
    if iscoroutinefunction(get_response):
        ask = cast(Callable[[HttpRequest], Awaitable[HttpResponse]], get_response)

        async def hiding_async(request: HttpRequest) -> HttpResponse:
            _hide(request)
            return await ask(request)

        return hiding_async

    def hiding(request: HttpRequest) -> HttpResponse:
        _hide(request)
        response: HttpResponse = get_response(request)
        return response

    return hiding


def _hide(request: HttpRequest) -> None:
    if request.path_info.startswith(PREFIX) and not is_staff_address(request):
        request.urlconf = WITHOUT_STAFF


def is_staff(request: HttpRequest) -> bool:
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_staff


def has_second_factor(request: HttpRequest) -> bool:
    """Whether this very session was opened, or confirmed, with a second factor."""
    user = request.user
    records = get_authentication_records(request, user) if isinstance(user, User) else []
    return any(record.get("method") == "mfa" for record in records)


def is_open(request: HttpRequest) -> bool:
    return is_staff(request) and is_staff_address(request) and has_second_factor(request)


def stop(request: HttpRequest) -> HttpResponse | None:
    """What whoever may not come in is answered; None for those who may.

    Strangers go to the product's own sign-in with its limits, customers find nothing, and staff without a second factor
    in this session are led to set one up, or to show it.
    """
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), reverse("account_login"))
    if not is_staff(request) or not is_staff_address(request):
        raise Http404
    if has_second_factor(request):
        return None
    if is_mfa_enabled(request.user):
        return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': request.get_full_path()})}")
    messages.warning(request, _("Staff need a second factor. Set one up, and come back."))
    return redirect("mfa_index")
