"""What this process is working on, shared by its threads."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from apps.core import metrics
from workers.generation.active import Active
from workers.runtime import Engines


class Table:
    """Claimed generations by the id of their attempt; `on_change` is called when a place becomes free."""

    def __init__(self, engines: Engines, on_change: Callable[[], None]) -> None:
        self._engines, self._on_change = engines, on_change
        self._active: dict[str, Active] = {}

    def __len__(self) -> int:
        return len(self._active)

    def find(self, key: str) -> Active | None:
        return self._active.get(key)

    def all(self) -> list[Active]:
        return list(self._active.values())

    def of(self, id: UUID) -> Active | None:
        """The newest attempt at a generation."""
        return next((active for active in reversed(self.all()) if active.id == id), None)

    def add(self, active: Active) -> None:
        """A new claim. Our own row, lapsed while this process stood still, must not be written by its old attempt."""
        for earlier in self.all():
            if earlier.id == active.id:
                self.abandon(earlier)
        self._active[active.key] = active

    def cancel(self, active: Active) -> None:
        """Somebody wants this to end; its engine says when it has."""
        active.cancel_asked = True
        self._cancel_in_engine(active)
        self._on_change()

    def abandon(self, active: Active) -> None:
        """Stops working on what belongs to another worker now; nothing more of it is written or charged here."""
        if not active.lost:
            metrics.LEASE_LOSSES.labels("generation", "worker").inc()
        active.lost = True
        self._cancel_in_engine(active)
        self.forget(active)

    def stop(self, active: Active) -> None:
        """Takes it from its engine, and keeps its lease."""
        active.lost = True
        self._cancel_in_engine(active)

    def forget(self, active: Active) -> None:
        self._active.pop(active.key, None)
        self._on_change()

    def _cancel_in_engine(self, active: Active) -> None:
        engine = self._engines.loaded(active.model.pk)
        if engine and active.submitted:
            engine.cancel(active.key)
