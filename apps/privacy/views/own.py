"""One's own data: a copy of it, what one agreed to, and erasing the account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import User
from apps.accounts.sudo import recently_authenticated
from apps.core.datakinds import Texts
from apps.core.errors import Conflict
from apps.privacy import services
from apps.privacy.forms import EraseForm
from apps.privacy.models import Consent, Export, Scope
from apps.privacy.views.requests import with_links


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def my_data(request: HttpRequest) -> HttpResponse:
    """Exports of one's account and one's consents; POST changes the optional one."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    person = cast(User, request.user).pk
    if request.method == "POST":
        services.choose_mail(person, request.POST.get("mail") == "yes", actor)
        messages.success(request, _("Saved."))
        return redirect("my-data")
    exports = Export.objects.filter(scope=Scope.ACCOUNT, requested_by=person).newest_first()[:5]
    context = {
        "exports": with_links(exports, actor),
        "consents": Consent.objects.filter(person=person).order_by("-id")[:50],
        "wants_mail": services.wants_mail(person),
    }
    return render(request, "privacy/my_data.html", context)


@require_http_methods(["GET", "POST"])
@recently_authenticated
@organization_page
def my_erasure(request: HttpRequest) -> HttpResponse:
    """Shows what erasing one's account does, and asks for the address; then the person is signed out."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    try:
        fates = services.preview(actor, Scope.ACCOUNT, None)
    except Conflict as error:
        return render(request, "privacy/erase.html", {"own": True, "refused": error.shown()}, status=409)
    form = EraseForm(request.POST or None, expected=actor.name)
    if request.method == "POST" and form.is_valid():
        services.request_erasure(actor, Scope.ACCOUNT, None, Texts(form.cleaned_data["texts"]))
        logout(request)
        messages.success(request, _("Your account is being erased. Good-bye, and thank you."))
        return redirect("home")
    context = {"own": True, "subject": request.user, "fates": fates, "form": form}
    return render(request, "privacy/erase.html", context, status=422 if form.errors else 200)
