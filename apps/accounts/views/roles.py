"""Roles: what each may do, and the organization's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import services
from apps.accounts.access import Actor, organization_page
from apps.accounts.models import CustomRole, Membership
from apps.accounts.organization_forms import CustomRoleForm, attempt, first_errors
from apps.accounts.permissions import PERMISSIONS, ROLE_PERMISSIONS, Role
from apps.accounts.sudo import require_recent

MANAGE = "roles:manage"


@require_GET
@organization_page
def roles(request: HttpRequest) -> HttpResponse:
    """A table of all roles and permissions: who can do what."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require("members:read")
    own = list(CustomRole.objects.order_by("name"))
    columns: list[tuple[Any, frozenset[str]]] = [
        (role.label, ROLE_PERMISSIONS[role]) for role in Role if role is not Role.CUSTOM
    ]
    columns += [(role.name, role.granted) for role in own]
    context = {
        "custom_roles": own,
        "names": [name for name, _granted in columns],
        "matrix": [
            (name, text, [(label, name in granted) for label, granted in columns]) for name, text in PERMISSIONS.items()
        ],
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/roles.html", context)


@require_http_methods(["GET", "POST"])
@organization_page
def new_role(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    form = CustomRoleForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: _create(actor, form)):
        messages.success(request, _("The role “%(name)s” has been created.") % form.cleaned_data)
        return redirect("roles")
    return render(request, "accounts/role.html", {"form": form}, status=first_errors([form]))


def _create(actor: Actor, form: CustomRoleForm) -> None:
    services.create_role(actor, **form.cleaned_data)


@require_http_methods(["GET", "POST"])
@organization_page
def role(request: HttpRequest, id: UUID) -> HttpResponse:
    """One custom role: its name and permissions, and who has it."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    found = services.get_role(actor, id)
    now = {"name": found.name, "description": found.description, "permissions": sorted(found.granted)}
    form = CustomRoleForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: _change(actor, id, form)):
        messages.success(request, _("The role has been changed. It acts on the next request of everybody who has it."))
        return redirect("roles")
    holders = Membership.objects.for_pages().filter(custom_role=found)[:20]
    context = {"role": found, "form": form, "holders": holders}
    return render(request, "accounts/role.html", context, status=first_errors([form]))


def _change(actor: Actor, id: UUID, form: CustomRoleForm) -> None:
    services.change_role_permissions(actor, id, **form.cleaned_data)


@require_POST
@organization_page
def delete_role(request: HttpRequest, id: UUID) -> HttpResponse:
    request.actor.require(MANAGE)  # type: ignore[attr-defined]
    require_recent(request)
    services.delete_role(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The role has been deleted."))
    return redirect("roles")
