"""What Stripe tells by itself. An event is a hint: it says which object to look at, and nothing in it is believed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from stripe import SignatureVerificationError, WebhookSignature

from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import at
from apps.core.errors import SignatureRefused

# The SDK bounds how old a signature may be and not how far ahead: that bound is ours.
OLDEST_SECONDS, FURTHEST_AHEAD_SECONDS = 300, 60
# Objects that say nothing by themselves, by the field that names what they are about, and the kind of that.
_ABOUT: Final = {
    "dispute": ("charge", "charge"),
    "refund": ("charge", "charge"),
    "invoice_payment": ("invoice", "invoice"),
    "payment_intent": ("latest_charge", "charge"),
    "payment_method": ("customer", "customer"),
    "tax_id": ("customer", "customer"),
}


@dataclass(frozen=True, slots=True)
class Hint:
    """That something has happened to an object; `customer` is whose it is, where the event says so."""

    id: str
    type: str
    account: str
    livemode: bool
    kind: str
    object_id: str
    customer: str
    api_version: str
    happened_at: datetime


def verify(body: bytes, header: str) -> Hint:
    """The hint in a webhook's raw bytes. Raises SignatureRefused for whatever Stripe did not sign just now."""
    if not any(_is_signed(body, header, secret) for secret in settings.STRIPE_WEBHOOK_SECRETS):
        raise SignatureRefused("The signature is missing, wrong, too old, or from the future.")
    # Nothing is parsed before it is known who has written it.
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SignatureRefused("This is not an event.") from error
    if not isinstance(found, dict) or found.get("object") != "event":
        raise SignatureRefused("This is not an event.")
    return _hint(found)


def list_events(since: datetime) -> Iterator[Hint]:
    """Every event since then, the newest first; Stripe keeps them for 30 days."""
    with stripe() as client:
        found = client.v1.events.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
        for event in found.auto_paging_iter():
            yield _hint(event.to_dict())


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    """The check that `construct_event` makes, and our own bound."""
    try:
        WebhookSignature.verify_header(body, header, secret, OLDEST_SECONDS)
        return _signed_at(header) <= time.time() + FURTHEST_AHEAD_SECONDS
    except (SignatureVerificationError, ValueError):
        return False


def _signed_at(header: str) -> int:
    """The time that the signature covers: the first one, as the SDK reads it."""
    return int(next(part[2:] for part in header.split(",") if part.startswith("t=")))


def _hint(event: dict[str, Any]) -> Hint:
    subject: dict[str, Any] = event["data"]["object"]
    kind = str(subject.get("object", ""))
    field, of_kind = _ABOUT.get(kind, ("id", kind))
    customer = subject.get("id") if kind == "customer" else subject.get("customer")
    return Hint(
        id=event["id"],
        type=event["type"],
        account=event.get("account") or "",
        livemode=bool(event["livemode"]),
        kind=of_kind,
        object_id=_id(subject.get(field)),
        customer=_id(customer),
        api_version=event.get("api_version") or "",
        happened_at=at(event["created"]),
    )


def _id(value: Any) -> str:
    return str(value.get("id", "")) if isinstance(value, dict) else str(value or "")
