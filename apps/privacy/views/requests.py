"""Exports and erasures of the organization, and the file itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership, User
from apps.accounts.sudo import recently_authenticated
from apps.core.datakinds import Texts
from apps.core.errors import MillraceError, NotFound
from apps.core.views import error_response
from apps.privacy import downloads, services
from apps.privacy.forms import EraseForm
from apps.privacy.models import Erasure, Export, Scope

SHOWN = 20


def with_links(exports: Any, actor: Actor) -> list[tuple[Export, str]]:
    return [(export, downloads.link_to(export, actor) if export.downloadable else "") for export in exports]


@require_GET
@never_cache
@organization_page
def requests(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(services.MANAGE)
    exports = Export.objects.exclude(scope=Scope.ACCOUNT).select_related("person", "requested_by").newest_first()
    context = {
        "exports": with_links(exports[:SHOWN], actor),
        "erasures": Erasure.objects.exclude(scope=Scope.ACCOUNT).select_related("person").newest_first()[:SHOWN],
        "members": Membership.objects.select_related("user").exclude(user=actor.user_id).order_by("user__email")[:500],
    }
    return render(request, "privacy/requests.html", context)


@require_POST
@recently_authenticated
@organization_page
def request_export(request: HttpRequest) -> HttpResponse:
    """Of the organization; of a member, with `person`; of one's own account, with `scope=account`."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    person = _uuid(request.POST.get("person", ""))
    own = request.POST.get("scope") == Scope.ACCOUNT
    scope = Scope.ACCOUNT if own else Scope.MEMBER if person else Scope.ORGANIZATION
    services.request_export(actor, scope, person)
    messages.success(request, _("The export is being written. It appears here when it is ready."))
    return redirect("my-data" if own else "privacy-requests")


def _uuid(text: str) -> UUID | None:
    """None for nothing; NotFound for what cannot be an id."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(_("There is no such person.")) from None


@require_http_methods(["GET", "POST"])
@recently_authenticated
@organization_page
def erase_member(request: HttpRequest, person: UUID) -> HttpResponse:
    """Shows what an erasure would do, and asks for the address; then it cannot be taken back."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    fates = services.preview(actor, Scope.MEMBER, person)
    subject = User.objects.get(pk=person)
    form = EraseForm(request.POST or None, expected=subject.email)
    if request.method == "POST" and form.is_valid():
        services.request_erasure(actor, Scope.MEMBER, person, Texts(form.cleaned_data["texts"]))
        messages.success(request, _("The erasure is under way."))
        return redirect("privacy-requests")
    context = {"subject": subject, "fates": fates, "form": form}
    return render(request, "privacy/erase.html", context, status=422 if form.errors else 200)


@require_GET
def download(request: HttpRequest, link: str) -> HttpResponse:
    """The file behind a signed link; who took it stands in the audit log."""
    try:
        user = request.user if isinstance(request.user, User) else None
        export = downloads.export_of(link, user.pk if user else None)
        address = downloads.file_link(export)
        name = user.email if user else _("a signed link")
        taker = Actor(export.organization_id, frozenset(), user.pk if user else None, name=name)
        services.note_download(taker, export)
        return redirect(address)
    except MillraceError as error:
        return error_response(request, error)
