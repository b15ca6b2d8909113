"""Teams: the list, and one team with its members."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import services
from apps.accounts.access import organization_page
from apps.accounts.models import Membership, Team, TeamMembership
from apps.accounts.organization_forms import TeamForm, attempt, first_errors
from apps.core import undo
from apps.core.errors import NotFound
from apps.core.keyset import page_of

MANAGE = "members:manage"


@require_http_methods(["GET", "POST"])
@organization_page
def teams(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require("members:read")
    form = TeamForm(request.POST or None)
    if request.method == "POST":
        actor.require(MANAGE)
        if form.is_valid() and attempt(form, lambda: services.create_team(actor, **form.cleaned_data)):
            messages.success(request, _("The team “%(name)s” has been created.") % form.cleaned_data)
            return redirect("teams")
    page = page_of(Team.objects.all(), request.GET.get("before"))
    counts = TeamMembership.objects.filter(team__in=[team.pk for team in page.rows])
    sizes = dict(counts.order_by().values("team").annotate(n=Count("id")).values_list("team", "n"))
    context = {
        "form": form,
        "page": page,
        "entries": [(team, sizes.get(team.pk, 0)) for team in page.rows],
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/teams.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def team(request: HttpRequest, id: UUID) -> HttpResponse:
    """One team: its members, and its name."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        actor.require(MANAGE)
    found = services.get_team(actor, id)
    form = TeamForm(request.POST or None, initial={"name": found.name, "description": found.description})
    if form.is_valid() and attempt(form, lambda: services.change_team(actor, id, **form.cleaned_data)):
        messages.success(request, _("The team has been changed."))
        return redirect("team", id=id)
    rows = TeamMembership.objects.filter(team=found).select_related("membership__user", "membership__custom_role")
    context = {
        "team": found,
        "form": form,
        "page": page_of(rows, request.GET.get("before")),
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/team.html", context, status=first_errors([form]))


@require_POST
@organization_page
def change_team_members(request: HttpRequest, id: UUID) -> HttpResponse:
    """Adds the member with an address, or takes one out by id."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if "remove" in request.POST:
        gone = _member_id(pk=_uuid(request.POST["remove"]))
        services.remove_from_team(actor, id, gone)
        email = Membership.objects.select_related("user").get(pk=gone).user.email
        undo.offer(request, _("%(email)s has left the team.") % {"email": email}, request.path, email=email)
    else:
        services.add_to_team(actor, id, _member_id(user__email=request.POST.get("email", "").strip().lower()))
    return redirect("team", id=id)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(_("There is no such member.")) from None


def _member_id(**by: object) -> UUID:
    text = by.get("user__email")
    if isinstance(text, str) and "\0" in text:
        raise NotFound(_("There is no such member."))
    id: UUID | None = Membership.objects.filter(**by).values_list("pk", flat=True).first()
    if id is None:
        raise NotFound(_("There is no such member."))
    return id


@require_POST
@organization_page
def delete_team(request: HttpRequest, id: UUID) -> HttpResponse:
    services.delete_team(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The team has been deleted. Its members are still members of the organization."))
    return redirect("teams")
