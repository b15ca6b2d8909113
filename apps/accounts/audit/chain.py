"""How an entry is hashed, computed again from its stored fields: pure, without database.

The database's `audit_seal` writes the same; texts are compared as PostgreSQL writes JSON, so `before`, `after` and
`detail` are taken as their stored text. All hashes are SHA-256 in hexadecimal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

VERSION = 1
BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it lies in the table; JSON columns as PostgreSQL's text, or None."""

    id: UUID
    organization_id: UUID
    sequence: int
    created_at: datetime
    transaction_id: int
    actor_kind: str
    user_id: UUID | None
    api_key_id: UUID | None
    impersonator_id: UUID | None
    action: str
    object_type: str
    object_id: UUID
    request_id: str
    actor_name: str
    impersonator_name: str
    object_name: str
    address: str
    agent: str
    before: str | None
    after: str | None
    detail: str | None
    salt: str
    content_digest: str
    previous_hash: str
    hash: str
    erasure: int | None


def content_digest(link: Link) -> str:
    """What stands for the fields that may name a person."""
    names = (link.actor_name, link.impersonator_name, link.object_name, link.address, link.agent)
    values = (link.before, link.after, link.detail)
    parts = [json.dumps(name, ensure_ascii=False) for name in names] + [value or "null" for value in values]
    return _digest(link.salt + _array(parts))


def entry_hash(link: Link) -> str:
    """What the entry's `hash` must be, given its other fields."""
    moment = link.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields: tuple[object, ...] = (
        VERSION,
        link.id,
        link.organization_id,
        link.sequence,
        moment,
        link.transaction_id,
        link.actor_kind,
        link.user_id,
        link.api_key_id,
        link.impersonator_id,
        link.action,
        link.object_type,
        link.object_id,
        link.request_id,
        link.content_digest,
        link.previous_hash,
    )
    return _digest(_array([_written(field) for field in fields]))


def _written(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)


def _array(parts: list[str]) -> str:
    return f"[{', '.join(parts)}]"


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
