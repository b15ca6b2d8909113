"""Offers to take an act back: the message that tells of a reversible act carries a button that posts its opposite.

The opposite is an ordinary page of the product with its own permission check, so an offer grants nothing; it is for
acts that lose nothing. What cannot be taken back asks beforehand instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.utils.functional import Promise

_PREFIX = "undo:"


@dataclass(frozen=True, slots=True)
class Undo:
    """What is posted, and where, to take an act back."""

    action: str
    fields: Mapping[str, str]


def offer(request: HttpRequest, text: str | Promise, action: str, **fields: str) -> None:
    """Tells of an act that has been done, with a button that posts `fields` to the address `action`."""
    messages.success(request, str(text), extra_tags=_PREFIX + json.dumps([action, fields]))


def offered_by(message: Message) -> Undo | None:
    tags = message.extra_tags or ""
    if not tags.startswith(_PREFIX):
        return None
    action, fields = json.loads(tags.removeprefix(_PREFIX))
    return Undo(action, fields)
