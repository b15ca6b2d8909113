"""One document: its page, saving it, its preview, and what is done with it as a whole."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core import markdown
from apps.core.errors import Conflict, DocumentConflict, InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.registry import services as registry
from apps.studio import documents_texts, texts
from apps.studio.models import Document, Suggestion, SuggestionAction
from apps.studio.services import documents
from apps.studio.services.documents.checks import MOST_CHARS
from apps.studio.views.documents.acting import body_of, id_in, number_in, text_in, told, wants_json
from ml.text.edits import Clash


@require_GET
@organization_page
def document(request: HttpRequest, id: UUID) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.READ)
    return _shown(request, actor, documents.find(id))


def _shown(request: HttpRequest, actor: Actor, found: Document, status: int = 200, **extra: Any) -> HttpResponse:
    may_write = documents.WRITE in actor.permissions
    context = {
        "document": found,
        "may_write": may_write,
        "margin": margin_of(actor, found),
        "folders": documents.folder_tree() if may_write else [],
        "models": [name for name, _version in registry.available()] if may_write else [],
        "actions": SuggestionAction.choices,
        "languages": documents_texts.LANGUAGES,
        "shares": documents.open_shares(found) if may_write else [],
        "new_link": request.session.pop(f"share:{found.pk}", "") if may_write else "",
        "formats": documents_texts.FORMATS,
        "preview": "" if may_write else markdown.render(found.text),
        "texts": texts.script_texts() | documents_texts.script_texts(),
        "most": MOST_CHARS,
    }
    return render(request, "studio/documents/document.html", context | extra, status=status)


def margin_of(actor: Actor, found: Document) -> dict[str, Any]:
    """What stands beside the text: suggestions that wait, and threads of comments."""
    return {
        "suggestions": [SuggestionShown(each) for each in documents.open_suggestions_of(found)],
        "threads": documents.threads(found),
    }


class SuggestionShown:
    """A suggestion as the margin shows it."""

    def __init__(self, row: Suggestion) -> None:
        self.row, self.generation = row, row.generation
        self.busy = self.generation.status in {Status.QUEUED, Status.RUNNING}
        self.ready = self.generation.status == Status.SUCCEEDED and bool(self.generation.text.strip())
        self.error = texts.error_text(self.generation.error_code, self.generation.error_message)
        # A text that ends where it was cut off is no whole answer, and says so.
        self.cut = self.generation.finish_reason == "length"
        self.words = documents.replacement(row) if self.ready else self.generation.text


@require_POST
@organization_page
@told
def save(request: HttpRequest, id: UUID) -> HttpResponse:
    """The editor's text, merged with what others have written meanwhile; 409 with both where that cannot be."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    body = body_of(request)
    title = text_in(body, "title") if body.get("title") is not None else None
    text = text_in(body, "text")
    try:
        saved = documents.save(actor, id, number_in(body, "base"), text, title)
    except DocumentConflict as conflict:
        present = documents.get(actor, id)
        if not wants_json(request):
            shown = {"conflict": conflict.shown(), "own_text": text, "theirs": present.text}
            return _shown(request, actor, present, status=409, **shown)
        return JsonResponse(conflict_body(conflict, present), status=409)
    if not wants_json(request):
        messages.success(request, _("The document has been saved."))
        return redirect("document", id)
    now = saved.document
    answer: dict[str, Any] = {"revision": now.revision, "base": saved.base, "title": now.title}
    return JsonResponse(answer | ({"text": now.text} if saved.merged or now.text != text else {}))


def conflict_body(conflict: DocumentConflict, present: Document) -> dict[str, Any]:
    """Both texts, in parts: what is the same, and where a choice is needed."""
    merge: Any = conflict.merge
    parts = [
        {"mine": part.mine, "theirs": part.theirs} if isinstance(part, Clash) else {"text": part.text}
        for part in merge.parts
    ]
    return {
        "code": conflict.code,
        "message": conflict.shown(),
        "revision": present.revision,
        "title": present.title,
        "text": present.text,
        "parts": parts,
    }


@require_POST
@organization_page
@told
def preview(request: HttpRequest) -> HttpResponse:
    """The HTML of a text that need not be saved."""
    request.actor.require(documents.READ)  # type: ignore[attr-defined]
    text = text_in(body_of(request), "text")
    return JsonResponse({"html": markdown.render(text[:MOST_CHARS])})


@require_POST
@organization_page
@told
def act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """What is done with a document as a whole."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(documents.WRITE)
    acts = {"move": _move, "tags": _tag, "duplicate": _duplicate, "delete": _delete, "undelete": _undelete}
    acts |= {"share": _share, "revoke": _revoke}
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    documents.get(actor, id, trashed=act == "undelete")
    try:
        return acts[act](request, actor, id)
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
        return redirect("document", id)


def _move(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    documents.move(actor, id, id_in(request.POST.get("folder")))
    messages.success(request, _("The document has been moved."))
    return redirect("document", id)


def _tag(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    documents.set_tags(actor, id, request.POST.get("tags", "").replace("，", ",").split(","))
    messages.success(request, _("The tags have been changed."))
    return redirect("document", id)


def _duplicate(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    return redirect("document", documents.duplicate(actor, id).pk)


def _delete(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    deleted = documents.delete(actor, id)
    request.session["undo_document"] = {"id": str(id), "title": deleted.title}
    return redirect("documents")


def _undelete(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    documents.undelete(actor, id)
    messages.success(request, _("The document is back."))
    return redirect("document", id)


def _share(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    days = number_in(request.POST.dict(), "days")
    _made, secret = documents.share(actor, id, days, request.POST.get("password", ""))
    # Shown once, on the page that follows; no table holds it.
    request.session[f"share:{id}"] = secret
    return redirect("document", id)


def _revoke(request: HttpRequest, actor: Actor, id: UUID) -> HttpResponse:
    documents.revoke(actor, id, id_in(request.POST.get("share")) or UUID(int=0))
    messages.success(request, _("The link has been revoked."))
    return redirect("document", id)
