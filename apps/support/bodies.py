"""Messages and conversations as JSON: the same over REST, server-sent events and WebSockets."""

from __future__ import annotations

from typing import Any

from apps.support.errors_mail import ERRORS
from apps.support.models import (
    Author,
    Contact,
    Conversation,
    Cursor,
    DeskDraft,
    Message,
    MessageFile,
    MessageKind,
    OutgoingMail,
)
from apps.support.services import files
from apps.support.services.messages import author_name
from apps.support.services.reading import Stretch


def message_body(message: Message, *, for_contact: bool = False) -> dict[str, Any]:
    """One message; a contact is told neither notes nor what stands behind an answer."""
    body: dict[str, Any] = {
        "object": "support_message",
        "id": str(message.pk),
        "conversation": str(message.conversation_id),
        "sequence": message.sequence,
        "client_id": message.client_id,
        "kind": str(message.kind),
        "author": str(message.author),
        "author_name": _name_of(message),
        "content": message.content,
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "files": [_file(file, for_contact) for file in message.files.all()],
        "created_at": message.created_at.isoformat(),
    }
    if for_contact:
        return body
    moved = str(message.moved_from) if message.moved_from else None
    return body | {
        "details": message.details,
        "provenance": message.provenance,
        "masked": list(message.masked),
        "moved_from": moved,
        "mail": next(iter(mail_body(each) for each in message.mails.all()), None),
    }


def mail_body(row: OutgoingMail) -> dict[str, Any]:
    """How far an answer has got that leaves by mail."""
    error = ERRORS.get(row.problem)
    return {
        "to": row.to,
        "status": str(row.status),
        "error": {"code": row.problem, "message": str(error.words)} if error else None,
        "attempts": row.attempts,
        "sent_at": _time(row.sent_at),
    }


def _file(file: MessageFile, for_contact: bool) -> dict[str, Any]:
    """People of the desk are given a link; a contact asks for the file by its place, with what they are known by."""
    facts = {"name": file.name, "media_type": file.media_type, "size": file.size, "scan": file.scan}
    return facts | ({"position": file.position} if for_contact else {"url": files.link(file)})


def _name_of(message: Message) -> str:
    if message.author == Author.CONTACT:
        return str(message.contact) if message.contact else ""
    if message.author == Author.AGENT:
        return author_name(message)
    return str(message.details.get("by", "")) if message.author == Author.BOT else ""


def stretch_body(found: Stretch, *, for_contact: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [message_body(each, for_contact=for_contact) for each in found.messages],
        "last": found.last,
        "has_more": found.has_more,
    }


def conversation_body(row: Conversation) -> dict[str, Any]:
    return {
        "object": "support_conversation",
        "id": str(row.pk),
        "number": row.number,
        "subject": row.subject,
        "inbox": str(row.inbox_id),
        "contact": str(row.contact_id),
        "status": str(row.status),
        "priority": int(row.priority),
        "labels": list(row.labels),
        "skills": list(row.skills),
        "attributes": row.attributes,
        "assignee": str(row.assignee_id) if row.assignee_id else None,
        "team": str(row.team_id) if row.team_id else None,
        "bot_owns": row.bot_owns,
        "last_sequence": row.last_sequence,
        "waiting_since": _time(row.waiting_since),
        "snoozed_until": _time(row.snoozed_until),
        "opened_at": _time(row.opened_at),
        "first_reply_at": _time(row.first_reply_at),
        "resolved_at": _time(row.resolved_at),
        "merged_into": str(row.merged_into_id) if row.merged_into_id else None,
        "active_at": _time(row.active_at),
        "created_at": _time(row.created_at),
    }


def contact_body(row: Contact) -> dict[str, Any]:
    return {
        "object": "support_contact",
        "id": str(row.pk),
        "name": row.name,
        "email": row.email,
        "phone": row.phone,
        "identifier": row.identifier,
        "language": row.language,
        "attributes": row.attributes,
        "labels": list(row.labels),
        "verified": row.verified_at is not None,
        "blocked": row.blocked_at is not None,
        "last_seen_at": _time(row.last_seen_at),
        "created_at": _time(row.created_at),
    }


def cursor_body(row: Cursor) -> dict[str, Any]:
    return {
        "member": str(row.membership_id) if row.membership_id else None,
        "contact": str(row.contact_id) if row.contact_id else None,
        "acknowledged": row.acknowledged,
        "seen": row.seen,
    }


def draft_body(row: DeskDraft) -> dict[str, Any]:
    """A suggested reply or a summary; `state` says whether its text is there."""
    return {
        "id": str(row.pk),
        "object": "support_draft",
        "conversation": str(row.conversation_id),
        "kind": row.kind,
        "state": row.state,
        "since": row.since,
        "through": row.through,
        "text": row.text,
        "sources": row.sources,
        "model": row.writer,
        "error_code": row.error_code or None,
        "created_by": str(row.created_by_id) if row.created_by_id else None,
        "created_at": _time(row.created_at),
        "finished_at": _time(row.finished_at),
    }


def _time(value: Any) -> str | None:
    return value.isoformat() if value else None


def is_visible(message: Message) -> bool:
    """Whether the contact may see it."""
    return message.kind in (MessageKind.INCOMING, MessageKind.OUTGOING)
