"""Colours of labels: Chatwoot names any, and here they are places in the design system's palette."""

from __future__ import annotations

import re
from functools import cache

from django.conf import settings

from apps.core.errors import InvalidRequest

_TOKEN = re.compile(r"--label-(\d+): light-dark\((#[0-9a-f]{6})")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@cache
def palette() -> tuple[str, ...]:
    """As the light theme has them."""
    sheet = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text(encoding="utf-8")
    return tuple(colour for _place, colour in sorted(_TOKEN.findall(sheet)))


def nearest(colour: str) -> int:
    """The place in the palette that looks most like it; raises InvalidRequest for what is no `#rrggbb`."""
    if not _COLOUR.fullmatch(colour.lower()):
        raise InvalidRequest("A colour is like #1f93ff.", param="color")
    wanted = _parts(colour)
    return min(range(len(palette())), key=lambda place: _distance(wanted, _parts(palette()[place])))


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
