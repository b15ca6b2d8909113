"""Texts that models write for parts of the product that know nothing of models; one app says how, in its `writing.py`.

It is the product's ordinary way of writing: counted, held against the plan, queued, written by a worker and settled.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast
from uuid import UUID

from django.apps import apps

from ml.types import Message


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text as it is asked for; `deadline_seconds` counts from acceptance, and `feature` says what it is for."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    deadline_seconds: float
    feature: str
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Written:
    """Where a text stands, and what has come of it once `ended`; `model` is the exact version that wrote it.

    Before that `text` is what there is so far, where that was asked for and may be read before the end.
    """

    status: str
    model: str
    ended: bool
    text: str = ""
    error_code: str = ""
    error_message: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


class Writer(Protocol):
    """What the app that writes can do for others. `actor` is any of the product's, with an organization."""

    def ask(
        self, actor: Any, wanted: Wanted, then: Callable[[UUID], None], before: Callable[[], None] | None = None
    ) -> UUID:
        """Accepts a text, or raises what accepting any other text raises; outside of a transaction.

        In the one that accepts it, `before` takes the locks that come first, and `then` writes down its id.
        """

    def look(self, organization_id: UUID, id: UUID, *, so_far: bool = False) -> Written | None: ...

    def stop(self, actor: Any, id: UUID) -> None:
        """Ends it where it has not ended; it costs what it has produced."""

    def forget(self, organization_id: UUID, id: UUID) -> None:
        """Takes the words out of one that has ended: whoever asked has them, and nobody else is to read them."""

    def follow(self, actor: Any, id: UUID, after: str, permission: str) -> AsyncGenerator[dict[str, Any]]: ...


@cache
def writer() -> Writer:
    """The one that the apps declare."""
    names = [f"{config.name}.writing" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    [found] = [name for name in names if name != __name__ and find_spec(name)]
    return cast(Writer, import_module(found).WRITER)
