"""The organization's templates, and the library that they may begin from."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core.keyset import page_of
from apps.studio import library
from apps.studio.models import Template, TemplateLabel, TemplateSettings
from apps.studio.services import templates
from ml.text.variables import variables_of

READ, WRITE, APPROVE, MANAGE = "templates:read", "templates:write", "templates:approve", "organization:manage"
LONGEST_SEARCH = 120


@require_GET
@organization_page
def index(request: HttpRequest) -> HttpResponse:
    """Templates that the person sees, newest first, with what stands on each."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    search = request.GET.get("search", "")[:LONGEST_SEARCH].strip()
    archived = "archived" in request.GET
    rows = templates.seen_by(actor).filter(archived_at__isnull=not archived).select_related("created_by")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(slug__icontains=search) | Q(description__icontains=search))
    page = page_of(rows, request.GET.get("before"))
    context = {
        "page": page,
        "entries": _with_labels(page.rows),
        "search": search,
        "archived": archived,
        "may_write": WRITE in actor.permissions,
        "may_manage": MANAGE in actor.permissions,
        "four_eyes": TemplateSettings.objects.filter(four_eyes=True).exists() if MANAGE in actor.permissions else False,
        "starters": [] if page.rows or search or archived else entries()[:6],
    }
    return render(request, "studio/templates/index.html", context)


def _with_labels(rows: Any) -> list[tuple[Template, list[TemplateLabel]]]:
    found: dict[Any, list[TemplateLabel]] = {}
    labels = TemplateLabel.objects.filter(template__in=[row.pk for row in rows]).select_related("version")
    for label in labels.order_by("name"):
        found.setdefault(label.template_id, []).append(label)
    return [(row, found.get(row.pk, [])) for row in rows]


def entries() -> tuple[library.Entry, ...]:
    """The library in the language of the page."""
    return library.entries(library.known(get_language() or ""))


@require_GET
@organization_page
def library_index(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    context = {"entries": entries(), "may_write": WRITE in actor.permissions}
    return render(request, "studio/templates/library.html", context)


@require_GET
@organization_page
def library_entry(request: HttpRequest, key: str) -> HttpResponse:
    """One content type as it is shipped, before it is copied."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    entry = templates.entry_of(key, library.known(get_language() or ""))
    facts = templates.facts_of_entry(entry)
    context = {
        "entry": entry,
        "facts": facts,
        "variables": variables_of(facts.variables),
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/templates/library_entry.html", context)


@require_POST
@organization_page
def use_entry(request: HttpRequest, key: str) -> HttpResponse:
    """Copies a content type and goes to where it is written with."""
    version = templates.use(request.actor, key, library.known(get_language() or ""))  # type: ignore[attr-defined]
    messages.success(request, _("“%(name)s” is now a template of your organization.") % {"name": version.template.name})
    return redirect("template", slug=version.template.slug)


@require_POST
@organization_page
def change_settings(request: HttpRequest) -> HttpResponse:
    templates.change_settings(request.actor, four_eyes="four_eyes" in request.POST)  # type: ignore[attr-defined]
    messages.success(request, _("The rule for approvals has been changed."))
    return redirect("templates")
