"""Pages of contacts: all of them, one with its history, two that are one, and erasing one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import TypedForm, attempt, first_errors
from apps.accounts.sudo import recently_authenticated
from apps.core.errors import MillraceError
from apps.core.keyset import page_of
from apps.support.access import MANAGE, READ, WRITE
from apps.support.forms import ContactForm
from apps.support.models import Contact, Conversation
from apps.support.services import contact_notes, contacts, joining

ROWS, HISTORY, MATCHES = 50, 100, 20
FIELDS = ("name", "email", "phone", "identifier", "language")
NAMES = {
    "name": gettext_lazy("Name"),
    "email": gettext_lazy("E-mail address"),
    "phone": gettext_lazy("Telephone"),
    "identifier": gettext_lazy("Your own id"),
    "language": gettext_lazy("Language"),
}


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def contacts_page(request: HttpRequest) -> HttpResponse:
    """All contacts, newest first, with a search and a form for another."""
    actor = _actor(request)
    actor.require(READ if request.method == "GET" else WRITE)
    form = ContactForm(request.POST or None)
    made: list[Contact] = []
    if form.is_valid() and attempt(form, lambda: made.append(contacts.create(actor, form.cleaned_data))):
        flashes.success(request, _("The contact has been added."))
        return redirect("desk-contact", made[0].pk)
    search = _words(request)
    page = page_of(contacts.listing(actor, search), request.GET.get("before"), ROWS)
    talked = Conversation.objects.filter(contact__in=[row.pk for row in page.rows], merged_into=None)
    counts = dict(talked.order_by().values_list("contact").annotate(n=Count("id")))
    context = {
        "rows": [(row, counts.get(row.pk, 0)) for row in page.rows],
        "page": page,
        "search": search,
        "form": form,
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "support/contacts.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def contact_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """A contact's profile and history."""
    actor = _actor(request)
    actor.require(READ if request.method == "GET" else WRITE)
    row = contacts.get(actor, id)
    if "blocked" in request.POST:
        contacts.set_blocked(actor, id, request.POST["blocked"] == "1")
        return redirect("desk-contact", id)
    if "note" in request.POST:
        return _noted(request, actor, row)
    if row.pk != id and request.method == "GET":
        return redirect("desk-contact", row.pk)
    form = ContactForm(request.POST or None, initial={name: getattr(row, name) for name in FIELDS})
    if form.is_valid() and attempt(form, lambda: contacts.change(actor, id, form.cleaned_data)):
        flashes.success(request, _("The contact has been changed."))
        return redirect("desk-contact", id)
    mine = Conversation.objects.filter(contact=row, merged_into=None).select_related("inbox").order_by("-active_at")
    context = {
        "contact": row,
        "form": form,
        "history": list(mine[:HISTORY]),
        "more": mine.count() > HISTORY,
        "notes": contact_notes.listed(actor, row.pk),
        "absorbed": list(Contact.objects.filter(merged_into=row).order_by("-id")[:MATCHES]),
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
        "may_see_privacy": "privacy:manage" in actor.permissions,
    }
    return render(request, "support/contact.html", context, status=first_errors([form]))


def _noted(request: HttpRequest, actor: Actor, row: Contact) -> HttpResponse:
    """Something written down about a contact, or deleted by its id."""
    try:
        if gone := _id(request.POST["note"]):
            contact_notes.delete(actor, row.pk, gone)
        else:
            contact_notes.add(actor, row.pk, request.POST.get("content", ""))
    except MillraceError as error:
        if error.status in (403, 404):
            raise
        flashes.error(request, error.shown())
    return redirect("desk-contact", row.pk)


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def contact_merge(request: HttpRequest, id: UUID) -> HttpResponse:
    """Looking for the contact that this one is as well, what would go where, and merging."""
    actor = _actor(request)
    actor.require(WRITE)
    row = contacts.get(actor, id)
    given = request.POST.get("into", "") or request.GET.get("into", "")
    context = {"contact": row, "search": _words(request), "names": NAMES}
    try:
        into = _id(given)
        if request.method == "POST" and into:
            merged = contacts.merge(actor, id, into)
            flashes.success(request, _("The contacts are one now."))
            return redirect("desk-contact", merged.pk)
        context["preview"] = joining.preview(actor, id, into) if into else None
    except MillraceError as error:
        return render(request, "support/contact_merge.html", context | {"problem": error.shown()}, status=error.status)
    if context["preview"] is None:
        context["found"] = _likely(actor, row, _words(request))
    return render(request, "support/contact_merge.html", context)


def _likely(actor: Actor, row: Contact, search: str) -> list[Contact]:
    """Whom a search finds; without one, those who share an address, a number or a name."""
    others = contacts.listing(actor, search).exclude(pk=row.pk)
    if not search:
        same = Q(pk=None)
        for name in ("name", "email", "phone"):
            if value := getattr(row, name):
                same |= Q(**{f"{name}__iexact": value})
        others = others.filter(same)
    return list(others[:MATCHES])


@require_http_methods(["GET", "POST"])
@never_cache
@recently_authenticated
@organization_page
def contact_erase(request: HttpRequest, id: UUID) -> HttpResponse:
    """What erasing a contact removes, and doing it once its number of conversations is known and its name typed."""
    actor = _actor(request)
    actor.require(MANAGE)
    row = contacts.get(actor, id)
    form = TypedForm(request.POST or None, label=_("Type %(name)s to confirm") % {"name": row}, expected=str(row))
    if form.is_valid():
        count = contacts.erase(actor, id)
        told = ngettext(
            "The contact is erased, with %(n)d conversation.", "The contact is erased, with %(n)d conversations.", count
        )
        flashes.success(request, told % {"n": count})
        return redirect("desk-contacts")
    mine = Contact.objects.filter(Q(pk=row.pk) | Q(merged_into=row)).values("pk")
    context = {
        "contact": row,
        "form": form,
        "count": Conversation.objects.filter(contact__in=mine).count(),
        "may_see_privacy": "privacy:manage" in actor.permissions,
    }
    return render(request, "support/contact_erase.html", context, status=first_errors([form]))


def _words(request: HttpRequest) -> str:
    return request.GET.get("search", "").replace("\0", "")[:200].strip()


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
