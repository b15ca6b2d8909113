"""What happens by itself at a time: renewals, retries, ends of trials; each is a named timer of an object."""

from collections.abc import Callable
from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.store import Store
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
Happening = Callable[[World, Json], None]
TIMERS: dict[str, Happening] = {}


def timer(name: str) -> Callable[[Happening], Happening]:
    """Register what a timer of this name does to its object."""

    def register(happening: Happening) -> Happening:
        TIMERS[name] = happening
        return happening

    return register


def run_next(store: Store, clock: str, until: int, base_url: str) -> bool:
    """Let the earliest thing that is due by `until` happen, as one transaction; tell whether there was one.

    `clock` is a test clock's id, or empty for the whole simulator's time. What fails does not happen again: it is
    noted, so that time can go on.
    """
    try:
        return _run_next(store, clock, until, base_url)
    except Exception as error:
        found = _due(store, clock, until)
        if found:
            store.run("DELETE FROM timers WHERE seq = ?", found[0][0])
            store.set("faults", [*store.setting("faults", []), f"{found[0][2]} of {found[0][3]}: {error!r}"][-20:])
        raise


def _due(store: Store, clock: str, until: int) -> list[tuple[Any, ...]]:
    return store.rows(
        "SELECT seq, at, name, object FROM timers WHERE clock = ? AND at <= ? ORDER BY at, seq LIMIT 1", clock, until
    )


def _run_next(store: Store, clock: str, until: int, base_url: str) -> bool:
    with store.transaction():
        found = _due(store, clock, until)
        if not found:
            return False
        seq, at, name, identifier = found[0]
        store.run("DELETE FROM timers WHERE seq = ?", seq)
        world = World(store, base_url=base_url, moment=None if clock else at)
        if clock:
            frozen = world.get(clock, "test_helpers.test_clock")
            frozen["frozen_time"] = max(at, frozen["frozen_time"])
            world.save(frozen)
        if (item := world.peek(identifier)) is not None and not item.get("deleted"):
            _let_happen(world, name, item)
        world.flush()
    return True


def _let_happen(world: World, name: str, item: Json) -> None:
    """A refusal that keeps its traces, such as of an invoice that cannot be final yet, is an outcome like others."""
    try:
        TIMERS[name](world, item)
    except StripeError as error:
        if not error.keep:
            raise
