"""The page on which an e-mail inbox is given its servers, and which tells how they do."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core import tenancy
from apps.core.api import parse_id
from apps.support.access import MANAGE
from apps.support.forms_mail import MailForm
from apps.support.services import inboxes
from apps.support.services.mail import accounts


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def inbox_mail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Set, tried out, taken away; and mails that were set aside, which are taken again."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    inbox = inboxes.get(actor, id)
    if "again" in request.POST:
        accounts.look_again(actor, id, parse_id(request.POST["again"], accounts.NO_MAIL))
        flashes.success(request, _("The mail is taken with the next look at the mailbox."))
        return redirect("desk-inbox-mail", id)
    if "remove" in request.POST:
        accounts.remove(actor, id)
        flashes.success(request, _("The inbox has no mail servers any more."))
        return redirect("desk-inbox", id)
    with tenancy.scope(actor.organization_id):
        row = accounts.find(id)
    initial = {name: getattr(row, name) for name in accounts.PLAIN} if row else None
    form = MailForm(request.POST or None, initial=initial)
    tried = False
    if form.is_valid():
        values = form.values()
        if "try" in request.POST:
            tried = attempt(form, lambda: accounts.try_out(actor, id, values))
        elif attempt(form, lambda: accounts.set_up(actor, id, values)):
            flashes.success(request, _("The mail servers have been set."))
            return redirect("desk-inbox-mail", id)
    context = {
        "inbox": inbox, "form": form, "account": row, "tried": tried,
        "aside": accounts.set_aside(actor, id) if row else [],
    }  # fmt: skip
    return render(request, "support/mail.html", context, status=first_errors([form]))
