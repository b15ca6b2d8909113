"""The list of documents: by folder, tag and words, and the trash."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core.errors import Conflict, InvalidRequest
from apps.core.keyset import PAGE_ROWS, KeysetPage
from apps.studio.models import Document, Generation
from apps.studio.services import documents, get_generation
from apps.studio.views.documents.acting import id_in

MOST_TAGS_SHOWN = 30
# So many documents are looked through for their tags: a hundred thousand would take longer than all else on the page.
LOOKED_THROUGH = 1_000


@require_http_methods(["GET", "POST"])
@organization_page
def document_list(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE if request.method == "POST" else documents.READ)
    if request.method == "POST":
        return _create(request, actor)
    folder, tag = id_in(request.GET.get("folder")), request.GET.get("tag", "")[:40]
    words, trash = request.GET.get("search", "").strip()[:200], "trash" in request.GET
    context: dict[str, Any] = {
        "folders": documents.folder_tree(),
        "folder": folder,
        "tag": tag,
        "tags": _tags(),
        "search": words,
        "trash": trash,
        "may_write": documents.WRITE in actor.permissions,
        # What was deleted just now can be put back with one click.
        "gone": request.session.pop("undo_document", None) if documents.WRITE in actor.permissions else None,
    }
    if words and not trash:
        context["found"] = documents.matching(words, folder, tag)
    else:
        rows = Document.objects.filter(deleted_at__isnull=False) if trash else Document.objects.present()
        context["page"] = _page(documents.listed(rows.for_lists(), folder, tag), request.GET.get("before"), trash)
    return render(request, "studio/documents/list.html", context)


def _page(rows: Any, before: str | None, trash: bool) -> KeysetPage:
    """The documents last changed, below the one that the cursor names; a cursor that is none begins at the newest."""
    time = "deleted_at" if trash else "updated_at"
    last = Document.objects.filter(pk=id_in(before)).only(time).first() if before else None
    if last is not None:
        rows = rows.filter(**{f"{time}__lte": getattr(last, time)}).exclude(
            **{time: getattr(last, time), "id__gte": last.pk}
        )
    # Of documents that are not deleted this is the index's order only where it says so.
    order = (f"-{time}", "-id") if trash else ("deleted_at", f"-{time}", "-id")
    found = list(rows.order_by(*order)[: PAGE_ROWS + 1])
    return KeysetPage(found[:PAGE_ROWS], found[PAGE_ROWS - 1].pk if len(found) > PAGE_ROWS else None)


def _tags() -> list[str]:
    """The tags in use, by name: those of the documents that were changed last."""
    tagged = Document.objects.present().exclude(tags=[]).order_by("-updated_at", "-id")
    used = {tag for tags in tagged.values_list("tags", flat=True)[:LOOKED_THROUGH] for tag in tags}
    return sorted(used)[:MOST_TAGS_SHOWN]


def _create(request: HttpRequest, actor: Actor) -> HttpResponse:
    """An empty document, or what a generation has written."""
    generation: Generation | None = None
    if from_generation := id_in(request.POST.get("generation")):
        generation = get_generation(actor, from_generation)
    title = request.POST.get("title", "").strip() or (generation.title if generation else "") or _("Untitled")
    text = generation.text if generation else ""
    made = documents.create(actor, title, text, id_in(request.POST.get("folder")), generation=generation)
    return redirect("document", made.pk)


@require_POST
@organization_page
def folder_act(request: HttpRequest, act: str) -> HttpResponse:
    """Making, renaming and removing folders."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    folder, name = id_in(request.POST.get("folder")), request.POST.get("name", "")
    try:
        if act == "new":
            folder = documents.create_folder(actor, name, folder).pk
        elif act == "rename":
            documents.rename_folder(actor, folder or UUID(int=0), name)
        else:
            documents.delete_folder(actor, folder or UUID(int=0))
            folder = None
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
    response = redirect("documents")
    if folder:
        response["location"] += f"?folder={folder}"
    return response
