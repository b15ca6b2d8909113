"""The page on which an e-mail inbox is given its servers, and which tells how they do."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import Actor, waiting_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core import roundtrips, tenancy
from apps.core.api import parse_id
from apps.core.errors import MillraceError, NotFound
from apps.support.access import MANAGE
from apps.support.forms_mail import MailForm
from apps.support.mail.providers import OWN, PROVIDERS
from apps.support.services import inboxes
from apps.support.services.mail import accounts, consent

KEY = "support_mail_consents"
SIGN_INS = (*PROVIDERS, OWN)


@require_http_methods(["GET", "POST"])
@never_cache
@waiting_page
def inbox_mail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Set, tried out, taken away; and mails that were set aside, which are taken again."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    inboxes.get(actor, id)
    if "again" in request.POST:
        accounts.look_again(actor, id, parse_id(request.POST["again"], accounts.NO_MAIL))
        flashes.success(request, _("The mail is taken with the next look at the mailbox."))
        return redirect("desk-inbox-mail", id)
    if "remove" in request.POST:
        accounts.remove(actor, id)
        flashes.success(request, _("The inbox has no mail servers any more."))
        return redirect("desk-inbox", id)
    provider = request.POST.get("sign_in", "")
    if provider in SIGN_INS:
        form = MailForm.filled(request.POST, provider)
        return _leave(request, actor, id, provider, form)
    form = MailForm(request.POST or None, initial=_initial(request, actor, id))
    tried = False
    if form.is_valid():
        values = form.values()
        if "try" in request.POST:
            tried = attempt(form, lambda: accounts.try_out(actor, id, values))
        elif attempt(form, lambda: accounts.set_up(actor, id, values)):
            flashes.success(request, _("The mail servers have been set."))
            return redirect("desk-inbox-mail", id)
    return _page(request, actor, id, form, tried=tried)


def _page(request: HttpRequest, actor: Actor, id: UUID, form: MailForm, *, tried: bool = False) -> HttpResponse:
    with tenancy.scope(actor.organization_id):
        row = accounts.find(id)
        context = {
            "inbox": inboxes.get(actor, id), "form": form, "account": row, "tried": tried,
            "aside": accounts.set_aside(actor, id) if row else [], "redirect_uri": consent.redirect_uri(),
        }  # fmt: skip
        return render(request, "support/mail.html", context, status=first_errors([form]))


def _initial(request: HttpRequest, actor: Actor, id: UUID) -> dict[str, Any]:
    """What is stored, and over it what this person typed before a sign-in that came to nothing."""
    with tenancy.scope(actor.organization_id):
        row = accounts.find(id)
    stored = {name: getattr(row, name) for name in accounts.PLAIN} if row else {}
    try:
        typed = consent.draft_of(actor, id, UUID(request.GET.get("draft", "")))
    except ValueError:
        typed = None
    return stored | (typed or {})


# ---------------------------------------------------------------- signing in at the provider
def _leave(request: HttpRequest, actor: Actor, id: UUID, provider: str, form: MailForm) -> HttpResponse:
    """By a page of ours: a form's own redirect may not lead to another site (CSP)."""
    begun: list[str] = []

    def begin() -> None:
        place = form.cleaned_data["oauth_authorize_url"]
        url, state, facts = consent.begin(actor, id, provider, place, form.values())
        roundtrips.remember(request.session, KEY, state, facts)
        begun.append(url)

    if not form.is_valid() or not attempt(form, begin):
        return _page(request, actor, id, form)
    return render(request, "support/mail_leave.html", {"url": begun[0], "host": urlsplit(begun[0]).hostname})


@require_GET
@never_cache
@waiting_page
def mail_consented(request: HttpRequest) -> HttpResponse:
    """Back from the provider, at the one address that all of them are told; ends on the page of the inbox."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    state = request.GET.get("state", "")
    id = _inbox_of(actor, state)
    if id is None:
        # The sign-in is still good for whoever comes back to the organization that it was begun in.
        flashes.error(request, _(consent.NOT_BEGUN))
        return redirect("desk-inboxes")
    facts = roundtrips.take(request.session, KEY, state)
    try:
        consent.finish(actor, id, facts, request.GET.dict())
    except MillraceError as error:
        flashes.error(request, error.shown())
        page = reverse("desk-inbox-mail", args=[id])
        return redirect(f"{page}?{urlencode({'draft': facts['draft']})}" if facts else page)
    flashes.success(request, _("The mailbox's user has consented, and the mail servers have been set."))
    return redirect("desk-inbox-mail", id)


def _inbox_of(actor: Actor, state: str) -> UUID | None:
    """The inbox that a `state` says it is for, if it is one of the organization's own."""
    id = consent.inbox_of(state)
    try:
        return inboxes.get(actor, id).pk if id else None
    except NotFound:
        return None
