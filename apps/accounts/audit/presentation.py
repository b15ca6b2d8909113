"""An entry as programs read it: the REST API, exports, webhooks and log servers all say the same."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.utils import translation

from apps.accounts.audit.sentences import sentence
from apps.accounts.models import AuditEntry


def as_json(entry: AuditEntry) -> dict[str, Any]:
    """Plain JSON, with the sentence in English whatever the reader's language."""
    with translation.override("en"):
        words = sentence(entry)
    impersonator = (
        {"id": str(entry.impersonator_id), "name": entry.impersonator_name} if entry.impersonator_id else None
    )
    id = entry.user_id or entry.api_key_id
    return {
        "id": str(entry.id),
        "object": "audit_entry",
        "sequence": entry.sequence,
        "created_at": moment(entry),
        "sentence": words,
        "action": entry.action,
        "actor": {
            "kind": entry.actor_kind,
            "id": str(id) if id else None,
            "name": entry.actor_name,
            "impersonator": impersonator,
        },
        "target": {"type": entry.object_type, "id": str(entry.object_id), "name": entry.object_name},
        "address": entry.address,
        "agent": entry.agent,
        "request_id": entry.request_id,
        "before": entry.before,
        "after": entry.after,
        "detail": entry.detail,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def moment(entry: AuditEntry) -> str:
    """The time to the microsecond, in UTC, as it stands in the chain."""
    return entry.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
