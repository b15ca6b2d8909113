"""All collections, and one of them with its documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound
from apps.core.keyset import page_of
from apps.knowledge import reading
from apps.knowledge import services as knowledge
from apps.knowledge.access import READ, WRITE
from apps.knowledge.forms import CollectionForm, FilesForm, TextForm, UrlForm
from apps.knowledge.models import Collection, Source

PAGE_ROWS = 50


@require_http_methods(["GET", "POST"])
@organization_page
def knowledge_page(request: HttpRequest) -> HttpResponse:
    """Every collection, and a form for another."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE if request.method == "POST" else READ)
    form = CollectionForm(request.POST or None)
    made: list[Collection] = []
    if form.is_valid() and attempt(form, lambda: made.append(knowledge.create_collection(actor, **form.cleaned_data))):
        messages.success(request, _("The collection is there. Add its first documents."))
        return redirect("knowledge-collection", made[0].pk)
    found = list(reading.collections())
    used = sum(each.passages for each in found)
    context = {
        "collections": found,
        "form": form,
        "may_write": WRITE in actor.permissions,
        "used": used,
        "most": knowledge.most_passages(actor.organization_id),
    }
    return render(request, "knowledge/knowledge.html", context, status=first_errors([form]))


@require_GET
@organization_page
def collection(request: HttpRequest, id: UUID) -> HttpResponse:
    """A collection's documents, newest first, each with how far it has got."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    return _shown(request, reading.collection_of(id), {})


@require_POST
@organization_page
def collection_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Adds documents, renames the collection, or deletes it."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    found = reading.collection_of(id)
    acts: dict[str, Callable[[HttpRequest, Collection], HttpResponse]] = {
        "files": _add_files,
        "text": _add_text,
        "url": _add_url,
        "change": _change,
        "delete": _delete,
    }
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    return acts[act](request, found)


def _add_files(request: HttpRequest, found: Collection) -> HttpResponse:
    """Each file by itself: what is wrong with one keeps none of the others out."""
    form = FilesForm(request.POST, request.FILES)
    if not form.is_valid():
        return _shown(request, found, {"files_form": form})
    added = 0
    for upload in form.cleaned_data["files"]:
        try:
            knowledge.add_file(request.actor, found.pk, upload)  # type: ignore[attr-defined]
            added += 1
        except MillraceError as error:
            messages.error(request, f"{upload.name}: {error.shown()}")
    if added:
        told = ngettext("%(count)s file is being read.", "%(count)s files are being read.", added)
        messages.success(request, told % {"count": added})
    return redirect("knowledge-collection", found.pk)


def _add_text(request: HttpRequest, found: Collection) -> HttpResponse:
    form, actor = TextForm(request.POST), request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(form, lambda: knowledge.add_text(actor, found.pk, **form.cleaned_data)):
        messages.success(request, _("The text is being read."))
        return redirect("knowledge-collection", found.pk)
    return _shown(request, found, {"text_form": form})


def _add_url(request: HttpRequest, found: Collection) -> HttpResponse:
    form, actor = UrlForm(request.POST), request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(form, lambda: knowledge.add_url(actor, found.pk, **form.cleaned_data)):
        messages.success(request, _("The page is being fetched."))
        return redirect("knowledge-collection", found.pk)
    return _shown(request, found, {"url_form": form})


def _change(request: HttpRequest, found: Collection) -> HttpResponse:
    form, actor = CollectionForm(request.POST), request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(form, lambda: knowledge.change_collection(actor, found.pk, **form.cleaned_data)):
        messages.success(request, _("The collection has been changed."))
        return redirect("knowledge-collection", found.pk)
    return _shown(request, found, {"form": form})


def _delete(request: HttpRequest, found: Collection) -> HttpResponse:
    """What cannot be taken back asks for the name."""
    if request.POST.get("name", "").strip() != found.name:
        messages.error(request, _("Type the collection's name to delete it."))
        return redirect("knowledge-collection", found.pk)
    try:
        knowledge.delete_collection(request.actor, found.pk)  # type: ignore[attr-defined]
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
        return redirect("knowledge-collection", found.pk)
    messages.success(request, _("The collection and its documents have been deleted."))
    return redirect("knowledge")


def _shown(request: HttpRequest, found: Collection, forms: dict[str, Any]) -> HttpResponse:
    page = page_of(Source.objects.filter(collection=found), request.GET.get("before"), PAGE_ROWS)
    listed = reading.with_versions(page.rows)
    context = {
        "collection": found,
        "page": page,
        "listed": listed,
        "unfinished": reading.unfinished_in(listed),
        "may_write": WRITE in request.actor.permissions,  # type: ignore[attr-defined]
        "form": CollectionForm(initial={"name": found.name, "description": found.description}),
        "files_form": FilesForm(),
        "text_form": TextForm(),
        "url_form": UrlForm(),
    } | forms
    return render(request, "knowledge/collection.html", context, status=first_errors(forms.values()))
