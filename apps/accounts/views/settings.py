"""The organization itself: settings, handing it over, deleting it; and everybody's own membership."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import services
from apps.accounts.access import SESSION_KEY, Actor, organization_page
from apps.accounts.models import TeamMembership
from apps.accounts.organization_forms import OfferForm, OrganizationForm, TypedForm, attempt, first_errors
from apps.accounts.permissions import PERMISSIONS
from apps.accounts.services.support import GRANT_DAYS
from apps.accounts.sudo import recently_authenticated, require_recent

MANAGE, TRANSFER, DELETE = "organization:manage", "ownership:transfer", "organization:delete"


@require_http_methods(["GET", "POST"])
@organization_page
def organization_settings(request: HttpRequest) -> HttpResponse:
    """Name, short name and language."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    found = request.organization  # type: ignore[attr-defined]
    now = {"name": found.name, "slug": found.slug, "language": found.language}
    form = OrganizationForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid() and attempt(form, partial(_save, actor, form)):
        messages.success(request, _("The settings have been saved."))
        return redirect("organization-settings")
    context = {"form": form, "transfer": services.pending_transfer(actor)} | _dangerous(request)
    return render(request, "accounts/organization.html", context, status=first_errors([form]))


def _save(actor: Actor, form: OrganizationForm) -> None:
    services.change_organization(actor, **form.cleaned_data)


def _dangerous(request: HttpRequest) -> dict[str, Any]:
    """Whether the acts that only owners see are offered."""
    permissions = request.actor.permissions  # type: ignore[attr-defined]
    return {
        "may_transfer": TRANSFER in permissions,
        "may_delete": DELETE in permissions,
        "may_allow_support": "security:manage" in permissions,
        "support_grant": services.support_grant(request.actor),  # type: ignore[attr-defined]
        "support_days": GRANT_DAYS,
    }


@require_http_methods(["GET", "POST"])
@recently_authenticated
@organization_page
def transfer_ownership(request: HttpRequest) -> HttpResponse:
    """Asks for the member and the organization's name, then offers it to them."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(TRANSFER)
    form = OfferForm(request.POST or None, label=_("Type the organization's name to confirm"))
    if request.method == "POST" and form.is_valid():
        member, name = form.member, form.cleaned_data["name"]
        if member and attempt(form, lambda: services.offer_ownership(actor, member.pk, name)):
            messages.success(request, _("The organization is offered to %(email)s.") % form.cleaned_data)
            return redirect("organization-settings")
    return render(request, "accounts/organization_transfer.html", {"form": form}, status=first_errors([form]))


@require_POST
@organization_page
def cancel_transfer(request: HttpRequest) -> HttpResponse:
    services.cancel_transfer(request.actor)  # type: ignore[attr-defined]
    messages.success(request, _("The offer has been taken back."))
    return redirect("organization-settings")


@require_POST
@organization_page
def answer_transfer(request: HttpRequest) -> HttpResponse:
    """The answer of the member to whom the organization is offered."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.POST.get("answer") == "accept":
        require_recent(request)
        services.accept_ownership(actor)
        messages.success(request, _("You own this organization now."))
    else:
        services.decline_ownership(actor)
        messages.success(request, _("You have declined."))
    return redirect("membership")


@require_http_methods(["GET", "POST"])
@recently_authenticated
@organization_page
def delete_organization(request: HttpRequest) -> HttpResponse:
    """Asks for the organization's name, then schedules the deletion."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(DELETE)
    form = TypedForm(request.POST or None, label=_("Type the organization's name to confirm"))
    schedule = partial(_schedule, actor, form)
    if request.method == "POST" and form.is_valid() and attempt(form, schedule):
        return redirect("organization-settings")
    return render(request, "accounts/organization_delete.html", {"form": form}, status=first_errors([form]))


def _schedule(actor: Actor, form: TypedForm) -> None:
    services.schedule_deletion(actor, form.cleaned_data["name"])


@require_POST
@organization_page
def cancel_deletion(request: HttpRequest) -> HttpResponse:
    services.cancel_deletion(request.actor)  # type: ignore[attr-defined]
    messages.success(request, _("The deletion has been called off."))
    return redirect("organization-settings")


@require_GET
@organization_page
def membership(request: HttpRequest) -> HttpResponse:
    """What I am here, what I may do, and the way out."""
    actor = request.actor  # type: ignore[attr-defined]
    own = request.membership  # type: ignore[attr-defined]
    transfer = services.pending_transfer(actor)
    context = {
        "own": own,
        "teams": TeamMembership.objects.teams_of([own]).get(own.pk, []),
        "may": [(name, text, name in actor.permissions) for name, text in PERMISSIONS.items()],
        "transfer": transfer if transfer and transfer.member_id == own.pk else None,
    }
    return render(request, "accounts/membership.html", context)


@require_http_methods(["GET", "POST"])
@organization_page
def leave_organization(request: HttpRequest) -> HttpResponse:
    """Asks for the organization's name, then ends the membership."""
    name = request.organization.name  # type: ignore[attr-defined]
    form = TypedForm(request.POST or None, label=_("Type the organization's name to confirm"), expected=name)
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: services.leave(actor)):
        request.session.pop(SESSION_KEY, None)
        messages.success(request, _("You have left %(name)s.") % {"name": name})
        return redirect("home")
    return render(request, "accounts/leave.html", {"form": form}, status=first_errors([form]))
