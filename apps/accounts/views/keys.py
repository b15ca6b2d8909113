"""API keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts import services
from apps.accounts.access import organization_page
from apps.accounts.forms import ApiKeyForm, RevokeForm
from apps.accounts.models import ApiKey
from apps.accounts.sudo import require_recent
from apps.core.errors import InvalidRequest, NotFound

MANAGE = "keys:manage"


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def api_keys(request: HttpRequest) -> HttpResponse:
    """The organization's keys. The secret of a new one is in the answer to its creation and nowhere else."""
    form = ApiKeyForm(request.POST or None)
    context: dict[str, Any] = {}
    if request.method == "POST":
        require_recent(request)
    if request.method == "POST" and form.is_valid():
        try:
            data = form.cleaned_data
            actor = request.actor  # type: ignore[attr-defined]
            key, secret = services.create_api_key(actor, data["name"], data["scopes"])
            context, form = {"created": key, "secret": secret}, ApiKeyForm()
        except InvalidRequest as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
    context |= {
        "form": form,
        "keys": ApiKey.objects.usable().newest_first(),
        "may_manage": MANAGE in request.actor.permissions,  # type: ignore[attr-defined]
    }
    return render(request, "accounts/api_keys.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@organization_page
def revoke_api_key(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks for the key's name, then revokes it."""
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    key = ApiKey.objects.usable().filter(pk=id).first()
    if key is None:
        raise NotFound(_("There is no active key with this id."))
    form = RevokeForm(request.POST or None, expected=key.name)
    if request.method == "POST" and form.is_valid():
        services.revoke_api_key(request.actor, id)  # type: ignore[attr-defined]
        messages.success(request, _("The key “%(name)s” has been revoked.") % {"name": key.name})
        return redirect("api-keys")
    context = {"key": key, "form": form}
    return render(request, "accounts/api_key_revoke.html", context, status=422 if form.errors else 200)
