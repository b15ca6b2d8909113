"""A conversation as a file: the branch in use as Markdown, or the whole tree as JSON."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.studio.models import Conversation, Turn, TurnRole
from apps.studio.services.conversations.branches import tree_of
from apps.studio.services.conversations.reading import find_conversation


def as_markdown(actor: Actor, id: UUID) -> tuple[Conversation, str]:
    """Title, then each message of the branch in use under a heading that says whose it is."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        conversation = find_conversation(id)
        path = tree_of(conversation).branch(conversation.tip)
        turns = _turns(conversation).filter(pk__in=path)
        parts = [f"# {conversation.title or _('Conversation')}"]
        parts += [f"> {line}" for line in conversation.system.splitlines()]
        for turn in turns:
            parts.append(f"## {_heading(turn)}")
            parts += [f"_{_('Attached: %(name)s') % {'name': a.name}}_" for a in turn.attachments.all()]
            parts.append(_text(turn))
    return conversation, "\n\n".join(part for part in parts if part) + "\n"


def as_json(actor: Actor, id: UUID) -> tuple[Conversation, str]:
    """Every branch, each turn with its parent, and with which model and settings each answer was written."""
    actor.require("generations:read")
    with tenancy.reading(actor.organization_id):
        conversation = find_conversation(id)
        body: dict[str, Any] = {
            "id": str(conversation.pk),
            "title": conversation.title,
            "system": conversation.system,
            "model": conversation.model_name,
            "created_at": conversation.created_at.isoformat(),
            "tip": str(conversation.tip) if conversation.tip else None,
            "turns": [_turn_body(turn) for turn in _turns(conversation)],
        }
    return conversation, json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _turns(conversation: Conversation) -> Any:
    rows = Turn.objects.filter(conversation=conversation).select_related("generation__model")
    return rows.prefetch_related("attachments").order_by("sequence")


def _heading(turn: Turn) -> str:
    if turn.role == TurnRole.USER:
        return _("Message")
    return turn.generation.model.name if turn.generation is not None else _("Answer")


def _text(turn: Turn) -> str:
    if turn.role == TurnRole.USER:
        return turn.text
    return turn.generation.text if turn.generation is not None else ""


def _turn_body(turn: Turn) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": str(turn.pk),
        "parent": str(turn.parent_id) if turn.parent_id else None,
        "sequence": turn.sequence,
        "role": turn.role,
        "text": _text(turn),
        "created_at": turn.created_at.isoformat(),
    }
    if turn.role == TurnRole.USER:
        names = ("name", "media_type", "size", "text")
        return body | {"attachments": [{name: getattr(a, name) for name in names} for a in turn.attachments.all()]}
    written = turn.generation
    if written is None:
        return body
    sampled = {name: getattr(written, name) for name in ("max_tokens", "temperature", "top_p", "top_k", "seed")}
    own = {"model": written.model.name, "status": written.status, "finish_reason": written.finish_reason}
    return body | own | sampled | {"left_out": turn.left_out, "citations": turn.passages}
