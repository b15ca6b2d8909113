"""Webhooks as Stripe sends them, signed by whom and when a test wants."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client

from apps.billing.models import StripeEvent
from tests.helpers.stripe_simulator import SECRET


def event(id: str = "evt_1", type: str = "invoice.created", **more: Any) -> dict[str, Any]:
    """An event about an invoice of nobody."""
    subject = {"object": "invoice", "id": "in_1", "customer": "cus_nobody"} | more.pop("object", {})
    return {
        "object": "event",
        "id": id,
        "type": type,
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": subject},
    } | more


def sign(body: str, *, secret: str = SECRET, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def post(body: str, signature: str | None, client: Client | None = None) -> HttpResponse:
    headers = {} if signature is None else {"stripe-signature": signature}
    client = client or Client(enforce_csrf_checks=True)
    return client.post("/webhooks/stripe", data=body, content_type="application/json", headers=headers)


def send(sent: dict[str, Any], **how: Any) -> HttpResponse:
    body = json.dumps(sent)
    return post(body, sign(body, **how))


def outcomes() -> dict[str, str]:
    return dict(StripeEvent.objects.values_list("event_id", "outcome"))
