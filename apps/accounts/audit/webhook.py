"""Entries to a webhook, signed as Standard Webhooks 1.0 says: one request an entry, in order."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from apps.accounts.audit.presentation import as_json, moment
from apps.accounts.models import AuditEntry, AuditStream
from apps.core import signatures
from apps.core.crypto import unseal_from
from apps.core.errors import OutboundFailed
from apps.core.outbound import Response, fetch

TIMEOUT_SECONDS = 15
# Of an answer nobody reads more.
ANSWER_BYTES = 65_536
GONE = 410


class ReceiverGone(OutboundFailed):
    """410: whoever was there wants no more of it."""


def send(stream: AuditStream, entry: AuditEntry) -> None:
    """Delivers one entry; OutboundFailed for every answer but 2xx. The id is the same however often it is sent."""
    message: dict[str, Any] = {"type": "audit.entry", "timestamp": moment(entry), "data": as_json(entry)}
    body = json.dumps(message, ensure_ascii=False).encode()
    id, now = f"msg_{entry.id.hex}", int(time.time())
    headers = signatures.headers(id, now, body, [unseal_from(stream, "secret")])
    answer = fetch(
        "POST",
        stream.url,
        headers=headers,
        body=body,
        allow_private=settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES,
        limit_bytes=ANSWER_BYTES,
        timeout=TIMEOUT_SECONDS,
    )
    _judge(answer)


def _judge(answer: Response) -> None:
    if answer.status == GONE:
        raise ReceiverGone("The receiver answered 410: it wants no more entries.")
    if not 200 <= answer.status < 300:
        wait = answer.headers.get("retry-after", "")
        raise OutboundFailed(
            "The receiver answered %(status)s.",
            values={"status": answer.status},
            retry_after=float(wait) if wait.isdecimal() else None,
        )
