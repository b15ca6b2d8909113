"""What the organization demands of sessions, and the owners' codes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.assurance import proofs_of, vouched
from apps.accounts.models import Membership, Role, SecurityPolicy, User
from apps.accounts.services import security
from apps.accounts.services.security import MANAGE, Demands
from apps.core.errors import InvalidRequest
from apps.sso.forms import PolicyForm
from apps.sso.models import Domain
from apps.sso.views.console import actor_for, at_the_form


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def policy(request: HttpRequest) -> HttpResponse:
    """The demands; codes of owners are in the answer to the demand that needs them, and nowhere else."""
    actor = actor_for(request, MANAGE)
    found = security.get_policy(actor)
    form = PolicyForm(request.POST or None, initial=_shown(found))
    codes: list[str] = []
    if request.method == "POST" and form.is_valid():
        try:
            codes = security.set_policy(actor, Demands(**form.cleaned_data), vouched=_came_by_sso(request, found))
            messages.success(request, _("Saved."))
            if not codes:
                return redirect("security-policy")
            found = security.get_policy(actor)
        except InvalidRequest as error:
            at_the_form(form, error)
    return render(
        request, "sso/policy.html", _context(actor, request, found, form, codes), status=422 if form.errors else 200
    )


def _shown(found: SecurityPolicy) -> dict[str, Any]:
    return {
        "sso_required": found.sso_required_from is not None,
        "mfa_required": found.mfa_required_from is not None,
        "grace_days": 0,
        "sso_session_hours": found.sso_session_hours,
        "keys_need_sso_days": found.keys_need_sso_days,
    }


def _came_by_sso(request: HttpRequest, found: SecurityPolicy) -> bool:
    user = request.user
    if not isinstance(user, User):
        return False
    return vouched(found, proofs_of(request, user, found.organization_id).mark, timezone.now())


def _context(
    actor: Actor, request: HttpRequest, found: SecurityPolicy, form: PolicyForm, codes: list[str]
) -> dict[str, Any]:
    return {
        "form": form,
        "policy": found,
        "codes": codes,
        "codes_left": security.owner_codes_left(actor),
        "came_by_sso": _came_by_sso(request, found),
        "outside": _members_outside(),
        "is_owner": request.membership.role == Role.OWNER,  # type: ignore[attr-defined]
    }


def _members_outside() -> int:
    """How many members' addresses lie in no verified domain, whom single sign-on would lock out."""
    names = list(Domain.objects.verified().values_list("name", flat=True))
    rows = Membership.objects.all()
    for name in names:
        rows = rows.exclude(user__email__iendswith=f"@{name}")
    return int(rows.count())


@require_POST
@never_cache
@organization_page
def renew_codes(request: HttpRequest) -> HttpResponse:
    """New owners' codes, in this answer only."""
    actor = actor_for(request, MANAGE)
    codes = security.renew_owner_codes(actor)
    found = security.get_policy(actor)
    form = PolicyForm(initial=_shown(found))
    return render(request, "sso/policy.html", _context(actor, request, found, form, codes))
