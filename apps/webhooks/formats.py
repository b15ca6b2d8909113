"""Messages as chat programs and people read them, made of the same JSON that other receivers are sent.

Slack: incoming webhooks with Block Kit, all of what comes from events as plain text, so that nothing in it mentions
anybody. Microsoft Teams: an Adaptive Card 1.4, as the workflow "when a Teams webhook request is received" takes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from apps.webhooks.models import Format

# Slack shows ten fields of a section; what is longer is read here.
MOST_FACTS, LONGEST_FACT, LONGEST_HEADING = 10, 300, 140
HIDDEN = frozenset({"organization_id", "sequence"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A message for people: what has happened, where, its facts in order, and where to read on."""

    heading: str
    facts: list[tuple[str, str]]
    moment: str
    url: str
    link: str

    @property
    def text(self) -> str:
        """Without any form, as a mail has it."""
        lines = [f"{name}: {value}" for name, value in self.facts]
        return "\n".join([self.heading, "", *lines, "", self.moment, f"{self.link}: {self.url}"])


def as_sent(format: str, body: bytes, organization: str, language: str = "") -> bytes:
    """The bytes that are signed and sent to an endpoint of this format."""
    if format == Format.SLACK:
        return _json(slack(reading_of(body, organization, language)))
    if format == Format.TEAMS:
        return _json(teams(reading_of(body, organization, language)))
    return body


def reading_of(body: bytes, organization: str, language: str = "") -> Reading:
    message: dict[str, Any] = json.loads(body)
    data: dict[str, Any] = message["data"]
    shown = {name: value for name, value in data.items() if name not in HIDDEN and not isinstance(value, dict)}
    for within in (data.get("facts"), data.get("result")):
        shown |= within if isinstance(within, dict) else {}
    with translation.override(language or None):
        link = _("Events in Millrace")
    facts = [(name, _shown(value)) for name, value in shown.items() if value not in (None, "", [], {})]
    return Reading(
        _cut(f"{message['type']} · {organization}", LONGEST_HEADING),
        facts[:MOST_FACTS],
        message["timestamp"][:19].replace("T", " ") + " UTC",
        settings.BASE_URL + reverse("events"),
        link,
    )


def slack(reading: Reading) -> dict[str, Any]:
    """The fallback is what notifications show; `<`, `>` and `&` are Slack's own there."""
    fallback = "; ".join([reading.heading, *(f"{name}: {value}" for name, value in reading.facts[:3])])
    fields = [_plain(f"{name}\n{value}") for name, value in reading.facts]
    section = [{"type": "section", "fields": fields}] if fields else []
    link = {"type": "mrkdwn", "text": f"<{reading.url}|{_escaped(reading.link)}>"}
    return {
        "text": _escaped(fallback),
        "blocks": [
            {"type": "header", "text": _plain(reading.heading)},
            *section,
            {"type": "context", "elements": [_plain(reading.moment), link]},
        ],
    }


def teams(reading: Reading) -> dict[str, Any]:
    """Texts of a card may be Markdown, so what comes from events makes no links."""
    heading = {"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": True}
    facts = [{"title": _unlinked(name), "value": _unlinked(value)} for name, value in reading.facts]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            heading | {"text": _unlinked(reading.heading)},
            {"type": "FactSet", "facts": facts},
            {"type": "TextBlock", "isSubtle": True, "spacing": "Small", "wrap": True, "text": reading.moment},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": reading.link, "url": reading.url}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unlinked(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(_shown, value))
    elif not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return _cut(" ".join(value.split()), LONGEST_FACT)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
