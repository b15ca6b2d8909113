"""A model's other words for a part of a document: asked for, then accepted or rejected; the rest stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing.entitlements import Limits
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, TextGone, Unprocessable
from apps.core.jobs import Status
from apps.studio.models import Document, Origin, Suggestion, SuggestionAction
from apps.studio.requests import GenerationSpec
from apps.studio.services.admission import Prepared, prepare
from apps.studio.services.admission import accept as accept_generation
from apps.studio.services.documents import anchoring
from apps.studio.services.documents.presence import hint
from apps.studio.services.documents.reading import READ, WRITE, find, get, locked
from apps.studio.services.documents.writing import write
from ml.text.edits import found_again
from ml.text.revising import LANGUAGES, LONGEST_PART, instructions, most_tokens
from ml.types import Message

NO_SUGGESTION = gettext_noop("There is no open suggestion with this id.")
GONE = gettext_noop("The words that this suggestion would replace are no longer in the document.")
MOST_OPEN = 50


@dataclass(frozen=True, slots=True)
class Selection:
    """Characters of a revision of a document, and the words that stand there."""

    revision: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall become of them; `language` for translations, `max_tokens` None for as many as fit the words."""

    action: str
    language: str = ""
    model: str = "default"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A suggestion that may be asked for; nothing is written or locked yet."""

    document_id: UUID
    selection: Selection
    wish: Wish
    prepared: Prepared


def suggest(actor: Actor, id: UUID, selection: Selection, wish: Wish) -> Suggestion:
    """Asks a model; raises TextGone where the selected words are no longer there."""
    return accept_suggestion(actor, prepare_suggestion(actor, id, selection, wish))


def prepare_suggestion(actor: Actor, id: UUID, selection: Selection, wish: Wish, limits: Limits | None = None) -> Asked:
    """Everything that needs no lock; what the safety rules refuse is refused, and noted, here."""
    actor.require(WRITE)
    _check(wish, selection)
    with tenancy.scope(actor.organization_id):
        document = find(id)
        start, end = _anchored(document, selection)
    return Asked(id, selection, wish, prepare(actor, _spec(document, start, end, wish), limits))


def accept_suggestion(actor: Actor, asked: Asked) -> Suggestion:
    """The suggestion with its generation, where the words still stand in the document, which may have changed."""
    selection, wish = asked.selection, asked.wish
    with tenancy.scope(actor.organization_id):
        document = locked(asked.document_id)
        start, end = _anchored(document, selection)
        generation = accept_generation(asked.prepared)
        suggestion: Suggestion = Suggestion.objects.create(
            organization_id=actor.organization_id,
            document=document,
            revision=document.revision,
            start=start,
            end=end,
            quote=selection.quote,
            action=wish.action,
            language=wish.language if wish.action == SuggestionAction.TRANSLATE else "",
            generation=generation,
            created_by_id=actor.user_id,
        )
        _record(actor, "suggestion.requested", suggestion, document)
    return suggestion


def _anchored(document: Document, selection: Selection) -> tuple[int, int]:
    if _open(document).count() >= MOST_OPEN:
        raise Conflict("Accept or reject some of the open suggestions first.")
    return anchoring.anchor(document, selection.revision, selection.start, selection.end, selection.quote)


def accept(actor: Actor, id: UUID, suggestion_id: UUID) -> Document:
    """Puts the suggested words in the place of the quoted ones, as a version of its own."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        suggestion = _one(document, suggestion_id)
        if suggestion.generation.status != Status.SUCCEEDED or not suggestion.generation.text.strip():
            raise Conflict("There are no suggested words yet, or the model failed.")
        start, end = _place(document, suggestion)
        words = replacement(suggestion)
        # Decided before the text changes, so that it is not among the ranges that follow the change.
        Suggestion.objects.filter(pk=suggestion.pk).update(accepted_at=Now(), decided_by=actor.user_id)
        text = f"{document.text[:start]}{words}{document.text[end:]}"
        document = write(actor, document, text, document.title, apart=True)
        _record(actor, "suggestion.accepted", suggestion, document)
    return document


def reject(actor: Actor, id: UUID, suggestion_id: UUID) -> Suggestion:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        suggestion = _one(document, suggestion_id)
        Suggestion.objects.filter(pk=suggestion.pk).update(rejected_at=Now(), decided_by=actor.user_id)
        _record(actor, "suggestion.rejected", suggestion, document)
    return suggestion


def open_suggestions_of(document: Document) -> list[Suggestion]:
    """Those that wait for a decision, in the order of the text; in the organization's scope."""
    return list(_open(document).order_by("start", "id"))


def suggestion(actor: Actor, id: UUID, suggestion_id: UUID) -> Suggestion:
    """Any suggestion of the document, also one that was decided."""
    actor.require(READ)
    document = get(actor, id)
    with tenancy.scope(actor.organization_id):
        rows = Suggestion.objects.select_related("generation", "created_by")
        found: Suggestion | None = rows.filter(document=document, pk=suggestion_id).first()
    if found is None:
        raise NotFound(NO_SUGGESTION)
    return found


def status_of(suggestion: Suggestion) -> str:
    """Where a suggestion stands: as its generation does, until somebody has decided or its words are gone."""
    if suggestion.accepted_at or suggestion.rejected_at:
        return "accepted" if suggestion.accepted_at else "rejected"
    if suggestion.gone_at:
        return "gone"
    if suggestion.generation.status in {Status.QUEUED, Status.RUNNING}:
        return "writing"
    ready = suggestion.generation.status == Status.SUCCEEDED and suggestion.generation.text.strip()
    return "ready" if ready else "failed"


def replacement(suggestion: Suggestion) -> str:
    """The words that would stand there: spaces around the quoted words stay, a continuation comes behind them."""
    quote, words = suggestion.quote, suggestion.generation.text.strip()
    if suggestion.action == SuggestionAction.CONTINUE:
        kept = quote.rstrip()
        joint = quote[len(kept) :] or ("" if _without_spaces(kept, words) else " ")
        return f"{kept}{joint}{words}"
    lead = quote[: len(quote) - len(quote.lstrip())]
    tail = quote[len(quote.rstrip()) :]
    return f"{lead}{words}{tail}"


def _without_spaces(before: str, after: str) -> bool:
    """Chinese and Japanese put no space between sentences."""
    return any("\u2e80" <= mark <= "\u9fff" or "\uff00" <= mark <= "\uffef" for mark in before[-1:] + after[:1])


def _open(document: Document) -> Any:
    rows = Suggestion.objects.filter(document=document, accepted_at=None, rejected_at=None)
    return rows.select_related("generation", "created_by")


def _one(document: Document, id: UUID) -> Suggestion:
    found: Suggestion | None = _open(document).filter(pk=id).first()
    if found is None:
        raise NotFound(NO_SUGGESTION)
    return found


def _place(document: Document, suggestion: Suggestion) -> tuple[int, int]:
    if not suggestion.gone_at and document.text[suggestion.start : suggestion.end] == suggestion.quote:
        return suggestion.start, suggestion.end
    place = found_again(document.text, suggestion.quote, suggestion.start)
    if place is None:
        raise TextGone(GONE)
    return place


def _check(wish: Wish, selection: Selection) -> None:
    if wish.action not in SuggestionAction.values:
        raise InvalidRequest("There is no such action.", param="action")
    if wish.action == SuggestionAction.TRANSLATE and wish.language not in LANGUAGES:
        raise Unprocessable("Choose a language to translate into.", param="language")
    if len(selection.quote) > LONGEST_PART:
        raise InvalidRequest("Select at most %(most)s characters.", values={"most": LONGEST_PART}, param="quote")


def _spec(document: Document, start: int, end: int, wish: Wish) -> GenerationSpec:
    system, user = instructions(wish.action, document.title, document.text, start, end, wish.language)
    return GenerationSpec(
        model=wish.model,
        messages=(Message("system", system), Message("user", user)),
        max_tokens=wish.max_tokens or most_tokens(wish.action, document.text[start:end]),
        origin=Origin.DOCUMENT,
    )


def _record(actor: Actor, action: str, row: Suggestion, document: Document) -> None:
    audit.record(actor, action, row, what=row.action, title=document.title)
    facts = {"document": str(document.pk), "generation": str(row.generation_id), "action": row.action}
    events.record(action, row.pk, facts)
    hint(document, {"type": "margin", "by": str(actor.user_id or "")})
