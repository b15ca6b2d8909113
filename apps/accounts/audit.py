"""Writing the audit trail, in the transaction of the act."""

from __future__ import annotations

from typing import Any

import structlog

from apps.accounts.access import Actor
from apps.accounts.models import AuditEntry
from apps.core.tenancy import TenantModel


def record(actor: Actor, action: str, target: TenantModel, **detail: Any) -> AuditEntry:
    """Appends who did what; `action` reads like `api_key.created`, `detail` holds before and after."""
    context = structlog.contextvars.get_contextvars()
    return AuditEntry.objects.create(
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        api_key_id=actor.api_key_id,
        action=action,
        object_type=target._meta.label_lower,
        object_id=target.pk,
        detail=detail,
        request_id=context.get("request_id", ""),
    )
