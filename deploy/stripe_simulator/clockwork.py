"""Time: the whole simulator's, which may run ahead of the real one, and test clocks that are told to advance."""

import threading
import time
import traceback

from deploy.stripe_simulator.store import Store
from deploy.stripe_simulator.timers import run_next
from deploy.stripe_simulator.world import World

POLL_SECONDS = 0.2


def real_now(store: Store) -> int:
    """The whole simulator's time."""
    return int(time.time()) + int(store.setting("offset", 0))


def advance(store: Store, to: int, base_url: str) -> None:
    """Let the whole simulator's time go on to a moment; all that is due until then happens in its order."""
    while run_next(store, "", to, base_url):
        pass
    ahead = to - int(time.time())
    if ahead > int(store.setting("offset", 0)):
        store.set("offset", ahead)


class Clockwork:
    """A thread that lets happen what is due."""

    def __init__(self, store: Store, base_url: str) -> None:
        self._store = store
        self._base_url = base_url
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="clockwork", daemon=True)

    def start(self) -> None:
        """Begin; what was due while no simulator ran happens now."""
        self._thread.start()

    def stop(self) -> None:
        """End after what is happening."""
        self._stop = True
        self._wake.set()
        self._thread.join()

    def wake(self) -> None:
        """Look at once, because a clock was told to advance."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            try:
                while run_next(self._store, "", real_now(self._store), self._base_url) and not self._stop:
                    pass
                self._advance_clocks()
            except Exception:  # one fault must not stop all time; the log and the first page tell of it
                traceback.print_exc()
                time.sleep(POLL_SECONDS)

    def _advance_clocks(self) -> None:
        for clock in World(self._store).find("test_helpers.test_clock"):
            if clock["status"] != "advancing":
                continue
            to = clock["status_details"]["advancing"]["target_frozen_time"]
            failed = False
            try:
                while run_next(self._store, clock["id"], to, self._base_url) and not self._stop:
                    pass
            except Exception:
                traceback.print_exc()
                failed = True
            if not self._stop:
                self._finish(clock["id"], to, "internal_failure" if failed else "ready")

    def _finish(self, identifier: str, to: int, status: str) -> None:
        with self._store.transaction():
            world = World(self._store, base_url=self._base_url)
            if (clock := world.peek(identifier)) is None or clock.get("deleted"):
                return
            clock |= {"status": status, "status_details": {}}
            if status == "ready":
                clock["frozen_time"] = to
            world.save(clock)
            world.emit(f"test_helpers.test_clock.{status}", clock)
            world.flush()
