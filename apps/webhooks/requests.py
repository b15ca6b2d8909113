"""One request to a receiver, on an event loop and without the database: a thousand slow ones cost little."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

from apps.core import signatures
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.core.posting import post
from apps.webhooks import schedule
from apps.webhooks.formats import as_sent
from apps.webhooks.models import Format

TIMEOUT_SECONDS = 15.0
# Of an answer so much is kept; nobody else ever sees it.
KEPT_BYTES, LONGEST_HEADER, MOST_HEADERS = 4_096, 300, 30
# What a receiver sets for browsers is nothing that anybody should read here.
HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "www-authenticate"})


@dataclass(frozen=True, slots=True)
class Mailed:
    """What came of a message to a mailbox, which is written when it is claimed."""

    status: int | None = None
    error: str = ""
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message with all that sending it takes; `secrets` sign it."""

    organization_id: UUID
    delivery_id: UUID
    endpoint_id: UUID
    attempt: int
    tries: int
    url: str
    message: str
    body: bytes
    secrets: Sequence[str] = field(repr=False)
    failing: bool = False
    format: str = Format.STANDARD
    organization: str = ""
    language: str = ""
    mailed: Mailed | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; `error` is a code where no answer came. `wait` is what the receiver has asked for."""

    ready: Ready
    started_at: datetime
    milliseconds: int
    status: int | None = None
    error: str = ""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: str = ""
    wait: float | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def send(ready: Ready) -> Outcome:
    """Signs for this moment and sends; never raises for what the other side does."""
    started, clock = datetime.now(UTC), time.monotonic()
    if mailed := ready.mailed:
        return Outcome(ready, started, 0, mailed.status, mailed.error, wait=mailed.wait)
    body = as_sent(ready.format, ready.body, ready.organization, ready.language)
    moment = int(started.timestamp())
    headers = signatures.headers(ready.message, moment, body, ready.secrets)
    if ready.format == Format.CHATWOOT:
        headers |= chatwoot_headers(ready.message, moment, body, ready.secrets)

    def outcome(status: int | None = None, error: str = "", **facts: object) -> Outcome:
        spent = int((time.monotonic() - clock) * 1_000)
        return Outcome(ready, started, spent, status, error, headers, **facts)  # type: ignore[arg-type]

    try:
        answer = await post(
            ready.url,
            headers=headers,
            body=body,
            allow_private=settings.OUTBOUND_ALLOW_PRIVATE,
            limit_bytes=KEPT_BYTES,
            timeout=TIMEOUT_SECONDS,
        )
    except (OutboundRefused, OutboundFailed) as error:
        return outcome(error=error.code)
    except Exception as error:  # whatever a receiver has answered must not end the worker
        return outcome(error=type(error).__name__[:60])
    wait = None
    if answer.status in schedule.ASKS_TO_WAIT:
        wait = schedule.retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC))
    return outcome(
        answer.status, response_headers=_kept(answer.headers), response_body=readable(answer.body), wait=wait
    )


def chatwoot_headers(id: str, moment: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """As Chatwoot signs, with the newest secret as it was shown; what knows none of that reads our own headers."""
    headers = {"x-chatwoot-delivery": id, "x-chatwoot-timestamp": str(moment)}
    shared = next((secret for secret in secrets if secret.startswith(signatures.SECRET)), None)
    if shared is None:
        return headers
    signed = hmac.new(shared.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return headers | {"x-chatwoot-signature": f"sha256={signed}"}


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    shown = [(name[:100], value[:LONGEST_HEADER]) for name, value in headers.items() if name not in HIDDEN_HEADERS]
    return {name.replace("\0", ""): value.replace("\0", "") for name, value in shown[:MOST_HEADERS]}


def readable(body: bytes) -> str:
    """The beginning of an answer as text; PostgreSQL stores no NUL."""
    return body[:KEPT_BYTES].decode("utf-8", "replace").replace("\0", "�")
