"""Hints about open documents, handed to the sockets of this process."""

from __future__ import annotations

from django.conf import settings

from apps.core.rooms import Hints, Rooms, rooms_of

__all__ = ["Hints", "rooms"]

# Of no revision that there will be: whoever gets it looks for itself.
ANEW = {"type": "changed", "revision": 2**31}


def rooms() -> Rooms:
    return rooms_of(f"{settings.REDIS_PREFIX}:document:*", ANEW)
