"""A secret that the next page shows, once: the page that makes it leads there, so that a reload makes no second one.

It lies in the session sealed, and only until it is shown or for a few minutes.
"""

from __future__ import annotations

import time

from django.http import HttpRequest

from apps.core import crypto

KEY, SECONDS = "shown_once", 300


def keep(request: HttpRequest, name: str, secret: str) -> None:
    """For the page of the thing with this name; another one's secret that was not looked at is gone."""
    request.session[KEY] = {"name": name, "until": time.time() + SECONDS, "sealed": crypto.seal(secret, _place(name))}


def take(request: HttpRequest, name: str) -> str:
    """The secret, which is nowhere from now on; empty where there is none for this page."""
    kept = request.session.get(KEY)
    if not kept or kept["name"] != name:
        return ""
    del request.session[KEY]
    return crypto.unseal(kept["sealed"], _place(name)) if time.time() < kept["until"] else ""


def _place(name: str) -> crypto.Place:
    return crypto.Place(None, "session", KEY, name)
