"""One side of the comparison: who is asked, what has been made there so far, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.billing import gateway
from apps.core.errors import MillraceError, StripeRefused

Shape = dict[str, set[str]]
DONE = "done"
# Maps of names that the one who writes chooses: what is in them is no shape.
MAPS = {"metadata"}


@dataclass(frozen=True, slots=True)
class Side:
    """Where calls go: Stripe where there is no `base`."""

    name: str
    key: str
    base: str = ""

    @contextmanager
    def asked(self) -> Iterator[None]:
        """The gateway asks this side within the block."""
        before = settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = self.key, self.base
        try:
            yield
        finally:
            settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = before


@dataclass(slots=True)
class Seen:
    """What one step has seen: how it ended, facts that must be equal, and the shapes of objects by their kind."""

    outcome: str = DONE
    facts: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)


class NotReached(Exception):
    """A step needs what an earlier one did not make."""


class Run:
    """A lifecycle under way; `now` is the time of its test clock."""

    def __init__(self, side: Side, tag: str, start: int) -> None:
        self.side, self.tag, self.start, self.now = side, tag, start, start
        self.began = int(time.time()) - 300
        self.seen: dict[str, Seen] = {}
        self.current = Seen()
        self._ids: dict[str, str] = {}

    def do(self, step: Callable[[Run], None]) -> None:
        """Runs one step, and notes how it ended; whatever fails is an outcome like another."""
        self.current = self.seen[step.__name__] = Seen()
        try:
            with self.side.asked():
                step(self)
        except NotReached as error:
            self.current.outcome = f"not reached: no {error}"
        except StripeRefused as error:
            self.current.outcome = f"{error.code}: {error.reason or error.message}"
        except MillraceError as error:
            self.current.outcome = f"{error.code}: {error.message}"
        except Exception as error:
            self.current.outcome = f"broke: {error!r}"

    # ------------------------------------------------------------ what is there
    def __setitem__(self, name: str, id: str) -> None:
        self._ids[name] = id

    def __getitem__(self, name: str) -> str:
        try:
            return self._ids[name]
        except KeyError:
            raise NotReached(name) from None

    def key(self, name: str) -> str:
        """An idempotency key of this run."""
        return f"{self.tag}:{name}"

    # ------------------------------------------------------------ what is seen
    def note(self, **facts: Any) -> None:
        """Facts that both sides must have alike."""
        self.current.facts |= facts

    def look(self, kind: str, found: Any) -> Any:
        """Notes the shape of an object, and gives it back."""
        add_shape(self.current.shapes.setdefault(kind, {}), "", found.to_dict())
        return found

    # ------------------------------------------------------------ time
    def advance(self, days: float) -> None:
        """Lets the test clock go on, and waits until all that is due has happened."""
        self.now += int(days * 86_400)
        with gateway.stripe() as client:
            clocks = client.v1.test_helpers.test_clocks
            clocks.advance(self["clock"], {"frozen_time": self.now})
            while (found := clocks.retrieve(self["clock"])).status == "advancing":
                time.sleep(0.05 if self.side.base else 2)
        self.note(clock=found.status)


def add_shape(shape: Shape, path: str, value: Any) -> None:
    """Which types stand at which places of an object."""
    if isinstance(value, dict):
        shape.setdefault(path or ".", set()).add("object")
        for name, item in value.items():
            if name in MAPS:
                shape.setdefault(f"{path}.{name}", set()).add(_type(item))
            else:
                add_shape(shape, f"{path}.{name}", item)
    elif isinstance(value, list):
        shape.setdefault(path, set()).add("list")
        for item in value:
            add_shape(shape, f"{path}[]", item)
    else:
        shape.setdefault(path, set()).add(_type(value))


def _type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return names.get(type(value), type(value).__name__)
