"""Calls in, signed as the usual senders do, and what they have led to."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.test import Client
from standardwebhooks.webhooks import Webhook

from apps.billing.models import LedgerEntry
from apps.core import tenancy
from apps.webhooks.models import InboundCall, InboundHook
from apps.webhooks.services import inbound
from tests.helpers.people import Tenant

PATHS = {"meter": "images", "quantity": "$.data.count"}
USAGE = {"action": "usage_event", "mapping": PATHS}


def opened(tenant: Tenant, sender: str = "standard", secret: str = "", **values: Any) -> tuple[InboundHook, str]:
    given = {"name": f"{sender} hook", "sender": sender, **USAGE, **values}
    hook, shown = inbound.create_hook(tenant.actor, given, secret)
    return hook, shown or secret


def call(hook: InboundHook, body: bytes, headers: dict[str, str], kind: str = "application/json") -> Any:
    return Client(enforce_csrf_checks=True).post(f"/hooks/{hook.pk}/", body, kind, headers=headers)


def standard(secret: str, body: bytes, id: str = "msg_1", moment: datetime | None = None) -> dict[str, str]:
    """As the public library signs."""
    moment = moment or datetime.now(UTC)
    signed = Webhook(secret).sign(id, moment, body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signed}


def mac(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def stripe(secret: str, body: bytes, now: float | None = None) -> dict[str, str]:
    moment = int(now or time.time())
    return {"stripe-signature": f"t={moment},v1={'0' * 64},v1={mac(secret, f'{moment}.'.encode() + body)},v0=old"}


def github(secret: str, body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={mac(secret, body)}", "x-github-delivery": str(uuid4())}


def slack(secret: str, body: bytes, now: float | None = None) -> dict[str, str]:
    moment = str(int(now or time.time()))
    signature = mac(secret, f"v0:{moment}:".encode() + body)
    return {"x-slack-request-timestamp": moment, "x-slack-signature": f"v0={signature}"}


SIGNING = {"standard": standard, "stripe": stripe, "github": github, "slack": slack}
SECRETS = {"stripe": "whsec_of_stripe", "slack": "8f742231b10e8888abcd99yyyzzz85a5"}


def counted(tenant: Tenant) -> list[int]:
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.filter(meter="images").order_by("id").values_list("quantity", flat=True))


def calls_of(tenant: Tenant) -> list[InboundCall]:
    with tenancy.scope(tenant.id):
        return list(InboundCall.objects.order_by("id"))
