"""Sign-ins that are under way, each known only to the browser that began it."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from apps.core import roundtrips

KEY = "single_sign_on_flows"
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


def remember(session: MutableMapping[str, Any], state: str, flow: Flow) -> None:
    roundtrips.remember(session, KEY, state, asdict(flow))


def take(session: MutableMapping[str, Any], state: str, connection_id: UUID) -> Flow | None:
    """The flow that `state` names, once; None for one that is unknown, too old, or another connection's."""
    found = roundtrips.take(session, KEY, state)
    if found is None:
        return None
    flow = Flow(**found)
    return flow if roundtrips.is_fresh(found, SECONDS) and flow.is_of(connection_id) else None
