"""A generation's text while it is written, from its event stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from millrace import errors
from millrace import types as t
from millrace.shapes import Event
from millrace.streams import AsyncEventStream, EventStream


@dataclass(frozen=True)
class Status:
    """Where the generation stands; `queue_position` counts from 1 while it waits."""

    status: str
    queue_position: int | None


@dataclass(frozen=True)
class Delta:
    """The next piece of the text."""

    text: str


@dataclass(frozen=True)
class Reset:
    """The text so far no longer counts: it begins anew."""


@dataclass(frozen=True)
class Done:
    """The end, also of what has failed or was cancelled."""

    generation: t.GenerationBody


Happening = Status | Delta | Reset | Done


class Written:
    """What has come of a text so far."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.text = ""
        self.generation: t.GenerationBody | None = None

    def take(self, event: Event) -> Happening | None:
        """What the event means; None for a kind of event that is newer than this package."""
        match event.name:
            case "status":
                body = event.json()
                return Status(body["status"], body.get("queue_position"))
            case "delta":
                piece = event.json()["text"]
                self.text += piece
                return Delta(piece)
            case "reset":
                self.text = ""
                return Reset()
            case "done":
                generation: t.GenerationBody = event.json()
                self.generation = generation
                return Done(generation)
        return None


def _piece(happening: Happening) -> str:
    if isinstance(happening, Reset):
        raise errors.TextRestarted("The text begins anew: follow `events()` to be told instead.")
    return happening.text if isinstance(happening, Delta) else ""


class TextStream:
    """Follows one generation; `text` is what there is so far, `generation` its body once it has ended.

    Iterating gives the pieces of the text. `events` gives all that happens, `result` waits for the end.
    """

    def __init__(self, id: str, stream: EventStream) -> None:
        self._written = Written(id)
        self._stream = stream
        self.id = id

    @property
    def text(self) -> str:
        return self._written.text

    @property
    def generation(self) -> t.GenerationBody | None:
        return self._written.generation

    @property
    def last_id(self) -> str:
        """Behind which `follow_generation(id, after=…)` goes on."""
        return self._stream.last_id

    def events(self) -> Iterator[Happening]:
        for event in self._stream:
            if happening := self._written.take(event):
                yield happening

    def __iter__(self) -> Iterator[str]:
        for happening in self.events():
            if piece := _piece(happening):
                yield piece

    def result(self) -> t.GenerationBody:
        """The generation when it has ended: look at its `status`."""
        for _ in self.events():
            pass
        return _ended(self.generation)

    def close(self) -> None:
        """Leaves the stream; the generation goes on."""
        self._stream.close()

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTextStream:
    """The same in an event loop."""

    def __init__(self, id: str, stream: AsyncEventStream) -> None:
        self._written = Written(id)
        self._stream = stream
        self.id = id

    @property
    def text(self) -> str:
        return self._written.text

    @property
    def generation(self) -> t.GenerationBody | None:
        return self._written.generation

    @property
    def last_id(self) -> str:
        """Behind which `follow_generation(id, after=…)` goes on."""
        return self._stream.last_id

    async def events(self) -> AsyncIterator[Happening]:
        async for event in self._stream:
            if happening := self._written.take(event):
                yield happening

    async def __aiter__(self) -> AsyncIterator[str]:
        async for happening in self.events():
            if piece := _piece(happening):
                yield piece

    async def result(self) -> t.GenerationBody:
        """The generation when it has ended: look at its `status`."""
        async for _ in self.events():
            pass
        return _ended(self.generation)

    async def aclose(self) -> None:
        """Leaves the stream; the generation goes on."""
        await self._stream.aclose()

    async def __aenter__(self) -> AsyncTextStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _ended(generation: t.GenerationBody | None) -> t.GenerationBody:
    if generation is None:
        raise errors.UnexpectedAnswer("The stream was left before the generation ended.")
    return generation
