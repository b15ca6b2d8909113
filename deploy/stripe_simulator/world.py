"""What one request or one timer sees and changes: objects, events, timers and the time, within one transaction."""

import copy
import json
import random
import secrets
import string
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deploy.stripe_simulator import API_VERSION
from deploy.stripe_simulator.errors import missing
from deploy.stripe_simulator.shapes import complete
from deploy.stripe_simulator.store import Store

Json = dict[str, Any]
ALPHABET = string.ascii_letters + string.digits
# Of kinds whose answers hold more than their own row: fn(world, answer) fills them in.
RENDERERS: dict[str, Callable[["World", Json], None]] = {}


def new_id(prefix: str, length: int = 24) -> str:
    """Return an identifier such as Stripe makes."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(length))}"


def renders(kind: str) -> Callable[[Callable[["World", Json], None]], Callable[["World", Json], None]]:
    """Register what completes the answers of a kind."""

    def register(fill: Callable[["World", Json], None]) -> Callable[["World", Json], None]:
        RENDERERS[kind] = fill
        return fill

    return register


class World:
    """The simulator's state during one transaction; `moment` is the time that a timer has reached."""

    def __init__(self, store: Store, *, base_url: str = "", moment: int | None = None, dry: bool = False) -> None:
        self.store = store
        self.base_url = base_url
        self.dry = dry  # a preview: no card is asked and no event leaves
        self.request: Json = {"id": None, "idempotency_key": None}
        self.moment = moment
        self._known: dict[str, Json] = {}
        self._changed: dict[str, None] = {}

    # ---------------------------------------------------------------- time

    def now(self, of: Json | None = None) -> int:
        """The time in seconds, as the object's own test clock shows it, else as the whole simulator does."""
        if of is not None and (clock := clock_of(of)):
            frozen: int = self.get(clock, "test_helpers.test_clock")["frozen_time"]
            return frozen
        if self.moment is not None:
            return self.moment
        return int(time.time()) + int(self.store.setting("offset", 0))

    def advance(self, of: Json, to: int) -> None:
        """Let the object's time go on, without what would happen meanwhile; for previews, which are taken back."""
        if clock := clock_of(of):
            frozen = self.get(clock, "test_helpers.test_clock")
            frozen["frozen_time"] = to
            self.save(frozen)
        else:
            self.moment = to

    def timer(self, at: int, name: str, of: Json) -> None:
        """Have `name` happen to the object at a time; an earlier date for the same is replaced."""
        self.store.run("DELETE FROM timers WHERE name = ? AND object = ?", name, of["id"])
        self.store.run(
            "INSERT INTO timers (at, name, object, clock) VALUES (?, ?, ?, ?)", at, name, of["id"], clock_of(of) or ""
        )

    def no_timer(self, name: str, of: Json) -> None:
        """Take back what should have happened to the object."""
        self.store.run("DELETE FROM timers WHERE name = ? AND object = ?", name, of["id"])

    # ---------------------------------------------------------------- objects

    def new(self, prefix: str, body: Json, *, parent: str | None = None, like: Json | None = None) -> Json:
        """Make an object; `like` is one whose clock it shares. `body` holds its `object` and may hold its id."""
        clock = body.get("test_clock") or (clock_of(like) if like else None)
        made = {
            "created": self.now({"test_clock": clock} if clock else None),
            "livemode": False,
            **body,
            "id": body.get("id") or new_id(prefix),
            "_": {"clock": clock, **body.get("_", {})},
        }
        customer = made.get("customer") if isinstance(made.get("customer"), str) else None
        self.store.run(
            "INSERT INTO objects (id, kind, created, customer, parent, body) VALUES (?, ?, ?, ?, ?, ?)",
            *(made["id"], made["object"], made["created"], customer, parent, json.dumps(made)),
        )
        self._known[made["id"]] = made
        return made

    def peek(self, identifier: Any) -> Json | None:
        """The object with this id, or None."""
        if not isinstance(identifier, str):
            return None
        if identifier not in self._known:
            found = self.store.rows("SELECT body FROM objects WHERE id = ?", identifier)
            if not found:
                return None
            self._known[identifier] = json.loads(found[0][0])
        return self._known[identifier]

    def get(self, identifier: Any, kind: str, param: str = "id") -> Json:
        """The object of this kind; raises Stripe's resource_missing."""
        found = self.peek(identifier)
        if found is None or found["object"] != kind or found.get("deleted"):
            raise missing(kind, str(identifier), param)
        return found

    def save(self, *changed: Json) -> None:
        """Keep what was changed."""
        for item in changed:
            self._changed[item["id"]] = None

    def flush(self) -> None:
        """Write what was changed."""
        for identifier in self._changed:
            item = self._known[identifier]
            customer = item.get("customer") if isinstance(item.get("customer"), str) else None
            self.store.run(
                "UPDATE objects SET customer = ?, body = ? WHERE id = ?", customer, json.dumps(item), identifier
            )
        self._changed.clear()

    def remove(self, item: Json) -> None:
        """Forget an object."""
        self._changed.pop(item["id"], None)
        self._known.pop(item["id"], None)
        self.store.run("DELETE FROM objects WHERE id = ?", item["id"])
        self.store.run("DELETE FROM timers WHERE object = ?", item["id"])

    def find(self, kind: str, *, customer: str | None = None, parent: str | None = None) -> list[Json]:
        """All objects of a kind, the oldest first."""
        self.flush()
        query, values = "SELECT id, body FROM objects WHERE kind = ?", [kind]
        for column, value in (("customer", customer), ("parent", parent)):
            if value is not None:
                query, values = f"{query} AND {column} = ?", [*values, value]
        found = []
        for identifier, body in self.store.rows(f"{query} ORDER BY seq", *values):
            item = self._known.setdefault(identifier, None) or json.loads(body)  # type: ignore[arg-type]
            self._known[identifier] = item
            if not item.get("deleted"):
                found.append(item)
        return found

    # ---------------------------------------------------------------- answers and events

    def render(self, item: Any) -> Any:
        """The object as Stripe would answer it: complete, without what the simulator notes for itself."""
        if isinstance(item, list):
            return [self.render(one) for one in item]
        if not isinstance(item, dict):
            return item
        if item.get("object") in {"list", "search_result"} or "object" not in item:
            return {name: self.render(value) if name == "data" else value for name, value in item.items()}
        answer = copy.deepcopy({name: value for name, value in item.items() if name != "_"})
        # What has no notes of ours is an answer already.
        if "_" in item and (fill := RENDERERS.get(item["object"])):
            fill(self, answer)
        return complete(answer)

    def emit(self, kind: str, item: Json, previous: Json | None = None) -> None:
        """Record an event about the object as it is now, and have it sent."""
        if self.dry:
            return
        self.emit_rendered(kind, self.render(item), previous)

    def emit_rendered(self, kind: str, answer: Json, previous: Json | None = None) -> None:
        """Record an event about an answer, such as a preview, that is no object of its own."""
        data: Json = {"object": answer}
        if previous is not None:
            data["previous_attributes"] = previous
        event = self.new(
            "evt",
            {
                "object": "event",
                "created": self.now(),
                "type": kind,
                "api_version": API_VERSION,
                "data": data,
                "request": dict(self.request),
                "pending_webhooks": 1,
            },
        )
        self._post(event)

    def _post(self, event: Json) -> None:
        knobs = self.store.setting("knobs", {})
        if time.time() < knobs.get("drop_until", 0):
            return
        for copy_number in range(1 + int(knobs.get("duplicate", 0))):
            spread = random.random() * float(knobs.get("reorder", 0))
            self.store.run(
                "INSERT INTO deliveries (event, due, place) VALUES (?, ?, ?)",
                event["id"],
                time.time() + float(knobs.get("delay", 0)) + spread + copy_number * 0.01,
                random.random() if knobs.get("reorder") else 0.0,
            )

    @contextmanager
    def changes(self, item: Json, event: str) -> Iterator[None]:
        """Keep what the block changes of the object, and tell it as an event if its answer has become another."""
        before = self.render(item)
        yield
        self.save(item)
        after = self.render(item)
        if previous := {name: before.get(name) for name in after if before.get(name) != after[name]}:
            self.emit(event, item, previous)


def clock_of(item: Json) -> str | None:
    """The test clock that an object lives by, if it does."""
    clock = item.get("test_clock") or item.get("_", {}).get("clock")
    return clock if isinstance(clock, str) else None
