"""Sign-ins that are under way, each known only to the browser that began it."""

from __future__ import annotations

import secrets
import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

KEY = "single_sign_on_flows"
# Somebody may begin in several tabs; more than these are forgotten, the oldest first.
MOST = 6
SECONDS = 900


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in from leaving to coming back; `test` is an administrator's trial, which signs nobody in.

    `nonce` and `verifier` are OpenID Connect's, `request_id` is SAML's.
    """

    connection: str
    at: float
    next: str = ""
    test: bool = False
    nonce: str = ""
    verifier: str = ""
    request_id: str = ""

    def is_of(self, connection_id: UUID) -> bool:
        return self.connection == str(connection_id)


def new_state() -> str:
    return secrets.token_urlsafe(24)


def remember(session: MutableMapping[str, Any], state: str, flow: Flow) -> None:
    flows: dict[str, Any] = {**session.get(KEY, {}), state: asdict(flow)}
    for oldest in sorted(flows, key=lambda name: flows[name]["at"])[:-MOST]:
        del flows[oldest]
    session[KEY] = flows


def take(session: MutableMapping[str, Any], state: str, connection_id: UUID) -> Flow | None:
    """The flow that `state` names, once; None for one that is unknown, too old, or another connection's."""
    flows: dict[str, Any] = dict(session.get(KEY, {}))
    found = flows.pop(state, None)
    if found is None:
        return None
    session[KEY] = flows
    flow = Flow(**found)
    fresh = time.time() - SECONDS < flow.at
    return flow if fresh and flow.is_of(connection_id) else None
