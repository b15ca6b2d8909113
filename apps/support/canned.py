"""Ready texts with places to be filled in: `{{contact.name}}`. Pure, without database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PLACE = re.compile(r"\{\{\s*([a-z_]+(?:\.[a-z_]+)?)\s*\}\}")
# Chatwoot's names among them, so that texts move over as they are.
NAMES = (
    "contact.name",
    "contact.first_name",
    "contact.email",
    "contact.phone",
    "agent.name",
    "agent.first_name",
    "agent.email",
    "conversation.id",
    "inbox.name",
    "organization.name",
)


@dataclass(frozen=True, slots=True)
class Filled:
    """The text, and the names that had nothing to fill them: these stay as they are, so that the agent sees them."""

    text: str
    missing: tuple[str, ...]


def fill(content: str, values: Mapping[str, str]) -> Filled:
    missing: list[str] = []

    def instead(match: re.Match[str]) -> str:
        found = values.get(match[1], "")
        if not found and match[1] not in missing:
            missing.append(match[1])
        return found or match[0]

    return Filled(PLACE.sub(instead, content), tuple(missing))


def unfilled(text: str) -> list[str]:
    """Names that a text still holds after it was filled in, in their order."""
    return [match[1] for match in PLACE.finditer(text) if match[1] in NAMES]


def unknown_names(content: str) -> list[str]:
    """Names in a text that nothing will ever fill."""
    return sorted({match[1] for match in PLACE.finditer(content)} - set(NAMES))
