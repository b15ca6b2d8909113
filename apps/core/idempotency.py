"""`Idempotency-Key` on POST: the same key and body return the first answer, another body is refused with 409."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.errors import IdempotencyConflict, InvalidRequest
from apps.core.ids import uuid7
from apps.core.models import IdempotencyKey
from apps.core.tenancy import Across, across_tenants, current_organization

KEPT_FOR = timedelta(hours=24)


def find(key: str | None, path: str, body: bytes) -> IdempotencyKey | None:
    """The record of an earlier use of `key` that has committed, read without a lock; for answers that write nothing."""
    if key is None:
        return None
    _check(key)
    record: IdempotencyKey | None = IdempotencyKey.objects.filter(
        key=key, created_at__gte=timezone.now() - KEPT_FOR
    ).first()
    if record is not None:
        _compare(record, _fingerprint(path, body))
    return record


def begin(key: str | None, path: str, body: bytes) -> IdempotencyKey | None:
    """Claims `key` for the organization in scope, or returns the record of the first use; None without a key.

    Runs inside the caller's transaction: a second request with the same key waits here until the first has
    committed, and finds its answer. A first request that fails leaves nothing behind, so it may be tried again.
    """
    if key is None:
        return None
    _check(key)
    fingerprint = _fingerprint(path, body)
    organization_id = current_organization()
    IdempotencyKey.objects.filter(key=key, created_at__lt=timezone.now() - KEPT_FOR).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {IdempotencyKey._meta.db_table} (id, organization_id, key, fingerprint)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (organization_id, key) DO NOTHING",
            [uuid7(), organization_id, key, fingerprint],
        )
    record: IdempotencyKey = IdempotencyKey.objects.select_for_update().get(key=key)
    _compare(record, fingerprint)
    return record


def _check(key: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise InvalidRequest("Idempotency-Key must be 1 to 255 visible ASCII characters.", param="Idempotency-Key")


def _fingerprint(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


def _compare(record: IdempotencyKey, fingerprint: str) -> None:
    if record.fingerprint != fingerprint:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another request within the last 24 hours.", param="Idempotency-Key"
        )


def complete(record: IdempotencyKey | None, status: int, body: dict[str, Any] | None, object_id: UUID) -> None:
    """Remembers the first answer."""
    if record is None:
        return
    record.status, record.body, record.object_id = status, body, object_id
    record.save(update_fields=["status", "body", "object_id"])


def forget_expired() -> int:
    with across_tenants(Across.HOUSEKEEPING):
        count, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()
    return int(count)
