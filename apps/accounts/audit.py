"""Writing the audit trail, in the transaction of the act."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import models

from apps.accounts.access import Actor
from apps.accounts.models import AuditEntry


def record(
    actor: Actor,
    action: str,
    target: models.Model,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **detail: Any,
) -> AuditEntry:
    """Appends who did what to which object.

    `action` reads like `api_key.created`; `before` and `after` hold the fields that changed, as JSON; `detail` whatever
    else the entry's sentence says. Values are plain JSON, never secrets.
    """
    context = structlog.contextvars.get_contextvars()
    changes = {name: value for name, value in (("before", before), ("after", after)) if value is not None}
    return AuditEntry.objects.create(
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        api_key_id=actor.api_key_id,
        action=action,
        object_type=target._meta.label_lower,
        object_id=target.pk,
        detail=detail | changes,
        request_id=context.get("request_id", ""),
    )
