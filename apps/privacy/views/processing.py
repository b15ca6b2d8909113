"""What is stored, where and for how long: for the organization with its own terms, and for everybody, to print."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import organization_page
from apps.accounts.sudo import recently_authenticated
from apps.core.datakinds import kind, kinds, recipients
from apps.core.errors import InvalidRequest, NotFound
from apps.privacy import services
from apps.privacy.forms import TermForm


def _common() -> dict[str, Any]:
    return {
        "kinds": kinds(),
        "recipients": recipients(),
        "mail_server": settings.EMAIL_URL_HOST,
        "operator": settings.OPERATOR_NAME,
        "contact": settings.OPERATOR_CONTACT,
    }


@require_GET
def notice(request: HttpRequest) -> HttpResponse:
    """The public page; it names no customer."""
    return render(request, "privacy/notice.html", _common())


@require_GET
@organization_page
def processing(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require("privacy:read")
    terms = services.terms(actor.organization_id)
    context = _common() | {
        "chosen": terms,
        "forms": [(term, _form_of(term)) for term in terms],
        "may_manage": services.MANAGE in actor.permissions,
    }
    return render(request, "privacy/processing.html", context)


def _form_of(term: services.Term) -> TermForm:
    return TermForm(initial={"kind": term.kind.name, "days": term.days}, shown=term.kind)


@require_POST
@recently_authenticated
@organization_page
def set_term(request: HttpRequest) -> HttpResponse:
    """Shows what a term would remove (`preview`), or chooses it."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(services.MANAGE)
    shown = kind(request.POST.get("kind", ""))
    if shown is None:
        raise NotFound(_("There is no such kind of data."))
    form = TermForm(request.POST, shown=shown)
    if not form.is_valid():
        raise InvalidRequest(" ".join(map(str, form.errors.get("days", []))) or _("Choose a number of days."))
    days = form.cleaned_data["days"]
    if "preview" in request.POST:
        count = services.preview_term(actor, shown.name, days)
        said = ngettext("%(n)d row would be removed tonight.", "%(n)d rows would be removed tonight.", count)
        messages.info(request, said % {"n": count})
    else:
        services.set_term(actor, shown.name, days)
        messages.success(request, _("Saved. It is carried out every night."))
    return redirect("privacy")
