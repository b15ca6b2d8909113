"""Members: the list, one member, removing one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts import services
from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership, Role, TeamMembership
from apps.accounts.organization_forms import RoleForm, TypedForm, attempt, first_errors, role_of
from apps.accounts.permissions import PERMISSIONS
from apps.accounts.sudo import require_recent
from apps.core import undo
from apps.core.keyset import page_of

MANAGE = "members:manage"
LONGEST_SEARCH = 120


@require_GET
@organization_page
def members(request: HttpRequest) -> HttpResponse:
    """A page of members, found by name or address and by role."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require("members:read")
    search = request.GET.get("search", "")[:LONGEST_SEARCH].replace("\0", "")
    role = request.GET.get("role", "")
    rows = Membership.objects.for_pages().matching(search)
    if role in Role.values:
        rows = rows.filter(role=role)
    page = page_of(rows, request.GET.get("before"))
    teams = TeamMembership.objects.teams_of(page.rows)
    context = {
        "page": page,
        "entries": [(member, teams.get(member.pk, [])) for member in page.rows],
        "search": search,
        "role": role if role in Role.values else "",
        "roles": Role.choices,
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/members.html", context)


def may_change(actor: Actor, member: Membership) -> bool:
    """Whether the actor may change this member at all; a service says so again, and why not."""
    return MANAGE in actor.permissions and member.permissions <= actor.permissions


@require_http_methods(["GET", "POST"])
@organization_page
def member(request: HttpRequest, id: UUID) -> HttpResponse:
    """One member: what they may do, and another role for them."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        actor.require(MANAGE)
        require_recent(request)
    found = services.get_member(actor, id)
    now = {"role": str(found.custom_role_id or found.role)}
    form = RoleForm(request.POST or None, actor=actor, initial=now) if may_change(actor, found) else None
    if request.method == "POST" and form and form.is_valid() and attempt(form, lambda: _change(actor, id, form)):
        undo.offer(request, _("The role has been changed."), request.path, role=now["role"])
        return redirect("member", id=id)
    context: dict[str, Any] = {
        "member": found,
        "form": form,
        "teams": TeamMembership.objects.teams_of([found]).get(found.pk, []),
        "may": [(name, text, name in found.permissions) for name, text in PERMISSIONS.items()],
        "is_self": found.user_id == actor.user_id,
    }
    return render(request, "accounts/member.html", context, status=first_errors([form] if form else []))


def _change(actor: Actor, id: UUID, form: RoleForm) -> None:
    services.change_role(actor, id, *role_of(form.cleaned_data["role"]))


@require_http_methods(["GET", "POST"])
@organization_page
def remove_member(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks for the member's address, then removes them."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    found = services.get_member(actor, id)
    form = TypedForm(request.POST or None, label=_("Type the member's address to confirm"), expected=found.user.email)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: services.remove_member(actor, id)):
        messages.success(request, _("%(email)s is no member any more.") % {"email": found.user.email})
        return redirect("members")
    return render(request, "accounts/member_remove.html", {"member": found, "form": form}, status=first_errors([form]))
