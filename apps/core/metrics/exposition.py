"""Who may read the metrics, and the text that they get."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from apps.core.env import is_loopback

# Any of these says that a proxy stands between: then the nearest address says nothing about who asks.
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Exposition:
    """The metrics of this process in a format that the reader understands."""

    body: bytes
    content_type: str


def exposition(accept: str) -> Exposition:
    encode, content_type = choose_encoder(accept)
    return Exposition(encode(REGISTRY), content_type)


def has_token(authorization: str) -> bool:
    """Whether the Authorization header holds METRICS_TOKEN, which is set; compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    expected = settings.METRICS_TOKEN.encode()
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected)


def is_neighbour(address: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this very machine, and not by way of a proxy on it."""
    return is_loopback(address) and not any(name in headers for name in PROXY_HEADERS)
