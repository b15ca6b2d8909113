"""API keys: the list, a new one, exchanging and ending one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts import services
from apps.accounts.access import Actor, organization_page
from apps.accounts.key_forms import ApiKeyForm, RevokeForm, RotateForm
from apps.accounts.models import ApiKey
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import require_recent
from apps.core.errors import NotFound
from apps.core.keyset import page_of

MANAGE = "keys:manage"


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def api_keys(request: HttpRequest) -> HttpResponse:
    """The organization's keys. The secret of a new one is in the answer to its creation and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    form = ApiKeyForm(request.POST or None, actor=actor)
    made: list[tuple[ApiKey, str]] = []
    if request.method == "POST":
        actor.require(MANAGE)
        require_recent(request)
        if form.is_valid() and attempt(form, lambda: made.append(_create(actor, form))):
            form = ApiKeyForm(actor=actor)
    return _page(request, form, made)


def _create(actor: Actor, form: ApiKeyForm) -> tuple[ApiKey, str]:
    limits = services.KeyLimits(form.expires_at(), form.networks(), form.service_account_id())
    return services.create_api_key(actor, form.cleaned_data["name"], form.cleaned_data["scopes"], limits)


def _page(request: HttpRequest, form: ApiKeyForm, made: list[tuple[ApiKey, str]]) -> HttpResponse:
    now = timezone.now()
    page = page_of(ApiKey.objects.unrevoked().for_pages(), request.GET.get("before"))
    context: dict[str, Any] = {
        "form": form,
        "page": page,
        "entries": [(key, key.is_expired(now), sorted(set(key.scopes) - key.permissions)) for key in page.rows],
        "may_manage": MANAGE in request.actor.permissions,  # type: ignore[attr-defined]
    }
    if made:
        context["created"], context["secret"] = made[0]
    return render(request, "accounts/api_keys.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def rotate_api_key(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks how long the old key shall go on working; the new one's secret is in the answer."""
    actor = request.actor  # type: ignore[attr-defined]
    key = _usable_key(actor, id)
    form = RotateForm(request.POST or None)
    made: list[tuple[ApiKey, str]] = []
    if request.method == "POST":
        require_recent(request)
        if form.is_valid() and attempt(form, lambda: made.append(_rotate(actor, id, form))):
            return _page(request, ApiKeyForm(actor=actor), made)
    return render(request, "accounts/api_key_rotate.html", {"key": key, "form": form}, status=first_errors([form]))


def _rotate(actor: Actor, id: UUID, form: RotateForm) -> tuple[ApiKey, str]:
    return services.rotate_api_key(actor, id, form.duration())


@require_http_methods(["GET", "POST"])
@organization_page
def revoke_api_key(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks for the key's name, then revokes it."""
    key = _usable_key(request.actor, id)  # type: ignore[attr-defined]
    form = RevokeForm(request.POST or None, expected=key.name)
    if request.method == "POST" and form.is_valid():
        services.revoke_api_key(request.actor, id)  # type: ignore[attr-defined]
        messages.success(request, _("The key “%(name)s” has been revoked.") % {"name": key.name})
        return redirect("api-keys")
    context = {"key": key, "form": form}
    return render(request, "accounts/api_key_revoke.html", context, status=422 if form.errors else 200)


def _usable_key(actor: Actor, id: UUID) -> ApiKey:
    key = services.get_api_key(actor, id)
    if key.revoked_at is not None:
        raise NotFound(_("There is no active key with this id."))
    return key
