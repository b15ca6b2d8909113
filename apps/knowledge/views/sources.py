"""One document with its versions, the place of a passage, and searching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import organization_page, waiting_page
from apps.core import tenancy
from apps.core.errors import InvalidRequest, MillraceError, NotFound
from apps.knowledge import files, reading
from apps.knowledge import services as knowledge
from apps.knowledge.access import READ, WRITE
from apps.knowledge.forms import FileForm, asked
from apps.knowledge.models import Chunk, Origin, Source, SourceVersion

MOST_VERSIONS, MOST_PASSAGES = 20, 100


@require_GET
@organization_page
def document(request: HttpRequest, id: UUID) -> HttpResponse:
    """A document: how it was read, its versions, and the passages that are searched."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    found = reading.source_of(id)
    versions = list(found.versions.select_related("created_by").order_by("-number")[:MOST_VERSIONS])
    current = next((version for version in versions if version.is_current), None)
    rows = Chunk.objects.filter(version=current) if current else Chunk.objects.none()
    listed = [reading.Listed(found, version) for version in versions]
    context = {
        "document": found,
        "listed": listed,
        "current": current,
        "passages": list(rows.defer("embedding", "lexemes").order_by("position")[:MOST_PASSAGES]),
        "unfinished": reading.unfinished_in(listed),
        "may_write": WRITE in actor.permissions,
        "is_page": found.origin == Origin.URL,
        "form": FileForm(),
    }
    return render(request, "knowledge/document.html", context)


@require_POST
@organization_page
def document_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Renews a document, tries a failed version again, or deletes it all."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    found = reading.source_of(id)
    newest = found.versions.latest("number")
    acts: dict[str, tuple[Callable[[], Any], str]] = {
        "renew": (lambda: knowledge.add_version(actor, id, _upload(request, found)), _("It is being read again.")),
        "retry": (lambda: knowledge.retry_version(actor, newest.pk), _("It is tried again.")),
        "delete": (lambda: _delete(request, found), _("The document has been deleted.")),
    }
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    work, done = acts[act]
    try:
        work()
    except NotFound:
        raise
    except MillraceError as error:
        messages.error(request, error.shown())
        return redirect("knowledge-document", id)
    messages.success(request, done)
    return (
        redirect("knowledge-collection", found.collection_id) if act == "delete" else redirect("knowledge-document", id)
    )


def _delete(request: HttpRequest, found: Source) -> None:
    """What cannot be taken back asks for the title."""
    if " ".join(request.POST.get("title", "").split()) != found.title:
        raise InvalidRequest("Type the document's title to delete it.", param="title")
    knowledge.delete_source(request.actor, found.pk)  # type: ignore[attr-defined]


def _upload(request: HttpRequest, found: Source) -> Any:
    return None if found.origin == Origin.URL else request.FILES.get("file")


@require_GET
@organization_page
def passage(request: HttpRequest, id: UUID) -> HttpResponse:
    """Where a citation leads: the passage as it was cited, with what stands around it."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    return render(request, "knowledge/passage.html", {"place": reading.place_of(id)})


@require_GET
@organization_page
def version_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """The file of a version, by a link that ends by itself."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    version: SourceVersion | None = SourceVersion.objects.filter(pk=id).exclude(path="").first()
    if version is None:
        raise NotFound(_("There is no file with this id."))
    return redirect(files.link(actor.organization_id, version.path, version.name))


@require_GET
@waiting_page
def search(request: HttpRequest) -> HttpResponse:
    """Passages that answer a question; the words alone are in the address, so that a search can be shared."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    query, chosen = asked(request.GET)
    passages, problem = list[knowledge.Passage](), ""
    if query:
        try:
            passages = knowledge.search(actor, query, 20, chosen or None)
        except MillraceError as error:
            problem = error.shown()
    with tenancy.scope(actor.organization_id):
        context = {
            "query": query,
            "chosen": chosen,
            "passages": passages,
            "problem": problem,
            "collections": list(reading.collections()),
        }
        return render(request, "knowledge/search.html", context)
