"""Service accounts: the list, a new one, one of them with its switch."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import services
from apps.accounts.access import Actor, organization_page
from apps.accounts.key_forms import ServiceAccountForm
from apps.accounts.models import ApiKey, ServiceAccount
from apps.accounts.organization_forms import attempt, first_errors, role_of
from apps.accounts.sudo import require_recent
from apps.core.keyset import page_of

MANAGE = "keys:manage"
KEYS_SHOWN = 50


@require_http_methods(["GET", "POST"])
@organization_page
def service_accounts(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    form = ServiceAccountForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: _create(actor, form)):
        messages.success(request, _("The service account “%(name)s” has been created.") % form.cleaned_data)
        return redirect("service-accounts")
    page = page_of(ServiceAccount.objects.select_related("custom_role"), request.GET.get("before"))
    return render(request, "accounts/service_accounts.html", {"form": form, "page": page}, status=first_errors([form]))


def _create(actor: Actor, form: ServiceAccountForm) -> None:
    data = form.cleaned_data
    services.create_service_account(actor, data["name"], *role_of(data["role"]), description=data["description"])


@require_http_methods(["GET", "POST"])
@organization_page
def service_account(request: HttpRequest, id: UUID) -> HttpResponse:
    """One of them: name and role, and its keys."""
    actor = request.actor  # type: ignore[attr-defined]
    found = services.get_service_account(actor, id)
    if request.method == "POST":
        require_recent(request)
    now = {
        "name": found.name,
        "description": found.description,
        "role": str(found.custom_role_id or found.role),
    }
    form = ServiceAccountForm(request.POST or None, actor=actor, initial=now)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: _change(actor, id, form)):
        messages.success(request, _("The service account has been changed."))
        return redirect("service-account", id=id)
    keys = ApiKey.objects.unrevoked().for_pages().filter(service_account=found)[:KEYS_SHOWN]
    context = {"account": found, "form": form, "keys": keys}
    return render(request, "accounts/service_account.html", context, status=first_errors([form]))


def _change(actor: Actor, id: UUID, form: ServiceAccountForm) -> None:
    data = form.cleaned_data
    services.change_service_account(
        actor, id, name=data["name"], description=data["description"], role=role_of(data["role"])
    )


@require_POST
@organization_page
def switch_service_account(request: HttpRequest, id: UUID) -> HttpResponse:
    """`on` says which way."""
    on = request.POST.get("on") == "1"
    services.switch_service_account(request.actor, id, on=on)  # type: ignore[attr-defined]
    messages.success(
        request, _("The service account works again.") if on else _("The service account is switched off.")
    )
    return redirect("service-account", id=id)
