"""What clients say in Action Cable's protocol, and how much of it is listened to: pure, without socket or database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """`subscribe`, `unsubscribe`, or `message` with an `action` of the room that the identifier names."""

    name: str
    identifier: str
    action: str = ""


def read(text: str) -> Command | None:
    """None for what is no command."""
    try:
        said = json.loads(text)
        name, identifier = said["command"], said["identifier"]
        # JSON may hold half a character (RFC 8259, section 8.2), which no frame that echoes it can.
        identifier.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Command(str(name), identifier, _action(said.get("data")))


def _action(data: Any) -> str:
    """Of a message's data, which are JSON within JSON."""
    try:
        return str(json.loads(data)["action"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


class Allowance:
    """So many a minute, evenly, and no more than a minute's worth at once, however long nothing was said before."""

    def __init__(self, a_minute: int, now: float) -> None:
        self._most, self._left, self._at = float(a_minute), float(a_minute), now

    def take(self, now: float) -> bool:
        """Whether one more is within it."""
        self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
