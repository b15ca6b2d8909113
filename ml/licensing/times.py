"""Moments in files: UTC, whole seconds, one spelling."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def write(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: object) -> datetime:
    """Raises ValueError for anything that `write` does not produce."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is not a moment such as 2026-01-31T12:00:00Z")
    return datetime.fromisoformat(text)


def whole(moment: datetime) -> datetime:
    """Without the part of a second that files do not hold."""
    return moment.astimezone(UTC).replace(microsecond=0)
