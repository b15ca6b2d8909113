"""Remarks on parts of a document: threads that are answered, resolved and reopened, and tell whom they mention."""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import F, Q, Value
from django.db.models.functions import Lower, Now, StrIndex, Substr
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.accounts.services import notices
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.studio.models import Document, DocumentComment
from apps.studio.services.documents import anchoring
from apps.studio.services.documents.checks import text_of
from apps.studio.services.documents.presence import hint
from apps.studio.services.documents.reading import WRITE, locked
from apps.studio.services.documents.suggestions import Selection

NO_COMMENT = gettext_noop("There is no comment with this id.")
LONGEST_COMMENT, MOST_MENTIONS, MOST_COMMENTS = 4_000, 10, 1_000
MENTION = "document_mention"
# `@name` is whoever has that name before the @ of their address; `@name@example.com` is the whole address.
_MENTIONS = re.compile(r"(?<![\w@])@([\w.+-]+(?:@[\w-]+(?:\.[\w-]+)+)?)")


def comment(actor: Actor, id: UUID, selection: Selection, text: str) -> DocumentComment:
    """Begins a thread about some words of the document."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        start, end = anchoring.anchor(document, selection.revision, selection.start, selection.end, selection.quote)
        return _add(actor, document, text, start, end, selection.quote, None)


def answer(actor: Actor, id: UUID, comment_id: UUID, text: str) -> DocumentComment:
    """Answers the thread that the comment belongs to; one that was resolved is open again."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        thread = _thread(document, comment_id)
        DocumentComment.objects.filter(pk=thread.pk).update(resolved_at=None, resolved_by=None)
        return _add(actor, document, text, thread.start, thread.end, thread.quote, thread)


def resolve(actor: Actor, id: UUID, comment_id: UUID) -> None:
    _set_resolved(actor, id, comment_id, resolved=True)


def reopen(actor: Actor, id: UUID, comment_id: UUID) -> None:
    _set_resolved(actor, id, comment_id, resolved=False)


def delete_comment(actor: Actor, id: UUID, comment_id: UUID) -> None:
    """Removes a comment, and the answers to it; the audit trail says who did."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        found = _comment(document, comment_id)
        _record(actor, "comment.deleted", found, document)
        found.delete()


def threads(document: Document) -> list[DocumentComment]:
    """Threads in the order of the text, resolved ones last, each with its `replies`; in the organization's scope."""
    rows = list(
        DocumentComment.objects.filter(document=document)
        .select_related("created_by", "resolved_by")
        .order_by(F("resolved_at").asc(nulls_first=True), "start", "id")
    )
    heads = [row for row in rows if row.thread_id is None]
    for head in heads:
        head.replies = sorted((row for row in rows if row.thread_id == head.pk), key=lambda row: row.pk)
    return heads


def _set_resolved(actor: Actor, id: UUID, comment_id: UUID, *, resolved: bool) -> None:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        thread = _thread(document, comment_id)
        changed = {"resolved_at": Now() if resolved else None, "resolved_by": actor.user_id if resolved else None}
        DocumentComment.objects.filter(pk=thread.pk).update(**changed)
        _record(actor, "comment.resolved" if resolved else "comment.reopened", thread, document)


def _add(
    actor: Actor, document: Document, text: str, start: int, end: int, quote: str, thread: DocumentComment | None
) -> DocumentComment:
    text = text_of(text).strip()
    if not 1 <= len(text) <= LONGEST_COMMENT:
        raise InvalidRequest("A comment has 1 to %(most)s characters.", values={"most": LONGEST_COMMENT}, param="text")
    if DocumentComment.objects.filter(document=document).count() >= MOST_COMMENTS:
        raise Conflict("A document has at most %(most)s comments.", values={"most": MOST_COMMENTS})
    mentioned = _mentioned(text)
    found: DocumentComment = DocumentComment.objects.create(
        organization_id=document.organization_id,
        document=document,
        thread=thread,
        revision=document.revision,
        start=start,
        end=end,
        quote=quote,
        text=text,
        mentions=[member.user_id for member in mentioned],
        created_by_id=actor.user_id,
    )
    for member in mentioned:
        if member.user_id != actor.user_id:
            notices.tell(MENTION, member.user.email, found.pk, in_turn=True)
    _record(actor, "comment.created", found, document)
    return found


def _mentioned(text: str) -> list[Membership]:
    """The members whom a comment names, each once."""
    names = {name.lower().rstrip(".") for name in _MENTIONS.findall(text)}
    if not names:
        return []
    local = Lower(Substr("user__email", 1, StrIndex("user__email", Value("@")) - 1))
    members = Membership.objects.annotate(address=Lower("user__email"), local=local).select_related("user")
    return list(members.filter(Q(address__in=names) | Q(local__in=names)).order_by("id")[:MOST_MENTIONS])


def _thread(document: Document, id: UUID) -> DocumentComment:
    found = _comment(document, id)
    return found.thread or found


def _comment(document: Document, id: UUID) -> DocumentComment:
    rows = DocumentComment.objects.select_related("thread")
    found: DocumentComment | None = rows.filter(document=document, pk=id).first()
    if found is None:
        raise NotFound(NO_COMMENT)
    return found


def _record(actor: Actor, action: str, row: DocumentComment, document: Document) -> None:
    audit.record(actor, action, row, title=document.title)
    events.record(action, row.pk, {"document": str(document.pk), "mentions": [str(id) for id in row.mentions]})
    hint(document, {"type": "margin", "by": str(actor.user_id or "")})
