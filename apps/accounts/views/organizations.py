"""Choosing the organization to work in, and starting another one."""

from __future__ import annotations

from functools import partial
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import services
from apps.accounts.access import SESSION_KEY, memberships_of
from apps.accounts.models import User
from apps.accounts.organization_forms import NewOrganizationForm, attempt, first_errors
from apps.core.errors import NotFound
from apps.core.views import error_response


@require_POST
@login_required
def switch_organization(request: HttpRequest) -> HttpResponse:
    """Remembers the organization in the session; one that the person is no member of is not there."""
    user = request.user
    wanted = request.POST.get("organization", "")
    memberships = memberships_of(user) if isinstance(user, User) else []
    chosen = next((m for m in memberships if str(m.organization_id) == wanted), None)
    if chosen is None:
        return error_response(request, NotFound(_("There is no such organization.")))
    request.session[SESSION_KEY] = str(chosen.organization_id)
    messages.success(request, _("You are now in %(name)s.") % {"name": chosen.organization.name})
    return redirect("dashboard")


@require_http_methods(["GET", "POST"])
@login_required
def new_organization(request: HttpRequest) -> HttpResponse:
    """Starts an organization of one's own, for whoever has left theirs or wants another."""
    form = NewOrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and attempt(form, partial(_start, request, form)):
        return redirect("dashboard")
    return render(request, "accounts/organization_new.html", {"form": form}, status=first_errors([form]))


def _start(request: HttpRequest, form: NewOrganizationForm) -> None:
    organization = services.start_organization(cast(User, request.user), form.cleaned_data["name"])
    request.session[SESSION_KEY] = str(organization.pk)
