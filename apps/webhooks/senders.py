"""Who has signed a call, and by what a repeated one is known: what the usual senders do, each in its own way.

Each check takes the raw bytes. The key comes from what is signed, so that nobody can have a call done again by changing
what is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.core.signatures import WrongSignature, check_moment, same, verify
from apps.webhooks.models import Sender

Headers = Mapping[str, str]
_STRIPE_PART = re.compile(r"(t|v1)=([0-9a-f]{1,64})")
LONGEST_KEY = 100


def key_of_call(sender: str, headers: Headers, body: bytes, secrets: Sequence[str], now: float) -> str:
    """The key of a genuine call; raises WrongSignature for every other. `headers` have small names."""
    return _CHECKS[Sender(sender)](headers, body, secrets, now)


def _standard(headers: Headers, body: bytes, secrets: Sequence[str], now: float) -> str:
    return _short(verify(headers, body, secrets, now))


def _stripe(headers: Headers, body: bytes, secrets: Sequence[str], now: float) -> str:
    """`Stripe-Signature: t=…,v1=…`: HMAC-SHA256 of `t.body` in hexadecimal; the event's id tells it again."""
    parts = [found.groups() for each in headers.get("stripe-signature", "").split(",")[:20]
             if (found := _STRIPE_PART.fullmatch(each.strip()))]  # fmt: skip
    moment = next((value for name, value in parts if name == "t"), "")
    check_moment(moment, now)
    given = [value for name, value in parts if name == "v1"]
    _require(given, [_hex(secret, f"{moment}.".encode() + body) for secret in secrets])
    return _named(body, "id") or _digest(body)


def _github(headers: Headers, body: bytes, secrets: Sequence[str], now: float) -> str:
    """`X-Hub-Signature-256: sha256=…`. Neither a moment nor the delivery's id is signed: the body tells it again."""
    given = headers.get("x-hub-signature-256", "")
    _require([given], [f"sha256={_hex(secret, body)}" for secret in secrets])
    return _digest(body)


def _slack(headers: Headers, body: bytes, secrets: Sequence[str], now: float) -> str:
    """`X-Slack-Signature: v0=…` of `v0:moment:body`; an event is told again by its id, a command by its moment."""
    moment = headers.get("x-slack-request-timestamp", "")
    check_moment(moment, now)
    signed = f"v0:{moment}:".encode() + body
    _require([headers.get("x-slack-signature", "")], [f"v0={_hex(secret, signed)}" for secret in secrets])
    return _named(body, "event_id") or _digest(signed)


_CHECKS: dict[Sender, Callable[[Headers, bytes, Sequence[str], float], str]] = {
    Sender.STANDARD: _standard,
    Sender.STRIPE: _stripe,
    Sender.GITHUB: _github,
    Sender.SLACK: _slack,
}


def _require(given: Sequence[str], wanted: Sequence[str]) -> None:
    if not any(same(one, each) for one in wanted for each in given):
        raise WrongSignature


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _digest(signed: bytes) -> str:
    return hashlib.sha256(signed).hexdigest()


def _named(body: bytes, name: str) -> str:
    """The id that a signed JSON body gives itself, "" where there is none."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = content.get(name) if isinstance(content, dict) else None
    return _short(found) if isinstance(found, str) and found else ""


def _short(id: str) -> str:
    """An id that is too long for the column, or not to be printed, by its digest."""
    return id if len(id) <= LONGEST_KEY and id.isprintable() else _digest(id.encode("utf-8", "surrogateescape"))
