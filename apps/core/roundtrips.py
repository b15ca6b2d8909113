"""Journeys of a browser to another site and back: known to the session that began them, once, and PKCE (RFC 7636)."""

from __future__ import annotations

import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge

# Somebody may begin in several tabs; more than these are forgotten, the oldest first.
MOST = 6


def new_state() -> str:
    return secrets.token_urlsafe(24)


def new_verifier() -> str:
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> dict[str, str]:
    """What the address that the browser leaves for says of the verifier."""
    return {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}


def remember(session: MutableMapping[str, Any], key: str, state: str, facts: dict[str, Any]) -> None:
    """Notes a journey under `key`; `facts` tell in `at` when it began."""
    known: dict[str, Any] = {**session.get(key, {}), state: facts}
    for oldest in sorted(known, key=lambda name: known[name]["at"])[:-MOST]:
        del known[oldest]
    session[key] = known


def take(session: MutableMapping[str, Any], key: str, state: str) -> dict[str, Any] | None:
    """What was noted of the journey, once; None for one that this session does not know."""
    known: dict[str, Any] = dict(session.get(key, {}))
    found: dict[str, Any] | None = known.pop(state, None)
    if found is not None:
        session[key] = known
    return found


def is_fresh(facts: dict[str, Any], seconds: int) -> bool:
    return time.time() - seconds < float(facts["at"])
