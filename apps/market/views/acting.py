"""What the buttons of the market's pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.market.access import NOTHING_HERE


def carry_out(request: HttpRequest, act: Callable[[], Any], done: str | Promise) -> bool:
    """Does it, and says that it is done, or what speaks against it; whoever may not do it gets the error's own page."""
    try:
        act()
    except (Conflict, InvalidRequest) as error:
        messages.error(request, error.shown())
        return False
    messages.success(request, str(done))
    return True


def chosen(acts: dict[str, tuple[Callable[[], Any], str | Promise]], name: str) -> tuple[Callable[[], Any], Any]:
    """The act that an address names."""
    if name not in acts:
        raise NotFound(NOTHING_HERE)
    return acts[name]
