"""Event streams that survive their connection: after a break they go on behind the last event seen.

Nothing is given twice and nothing is left out, because the server numbers its events and is told the last number in
`Last-Event-ID`. A stream whose events have no numbers (the OpenAI-compatible ones) cannot be taken up again, and a
break of it is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from typing import Any

from millrace import errors, sending
from millrace.retrying import Attempts, Retry
from millrace.shapes import Call, Event, Options
from millrace.sse import Decoder

LAST_EVENTS = {"done"}
LAST_DATA = "[DONE]"
# A connection that held for so many seconds was a good one: the next break counts as the first.
HELD_WELL = 10.0

Opened = Callable[[Call[Any], Options], AbstractContextManager[Iterator[bytes]]]
AsyncOpened = Callable[[Call[Any], Options], AbstractAsyncContextManager[AsyncIterator[bytes]]]


class Following:
    """Where a stream stands, whoever reads it."""

    def __init__(self, call: Call[Any], options: Options, retry: Retry) -> None:
        self.call = sending.prepared(call, options)
        self.options = options
        self.retry = retry
        self.last_id = ""
        self.ended = False
        self._attempts = Attempts(self.call, retry, options)
        self._decoder = Decoder()
        self._since = 0.0
        self._given = False

    @property
    def resumable(self) -> bool:
        return self.call.method == "GET"

    def next_call(self) -> Call[Any]:
        """The call that goes on behind what was seen."""
        self._decoder = Decoder()
        self._since = time.monotonic()
        if not self.last_id:
            return self.call
        query = {name: value for name, value in self.call.query.items() if name not in {"after", "cursor"}}
        return replace(self.call, query=query, headers={**self.call.headers, "Last-Event-ID": self.last_id})

    def take(self, content: bytes) -> Iterator[Event]:
        """The events in these bytes; each counts as seen once it has been handed over."""
        for event in self._decoder.feed(content):
            if event.name == "error" or (not self.resumable and event.data.startswith('{"error"')):
                self._raise(event)
            if event.data == LAST_DATA:
                self.ended = True
                return
            self.last_id = event.id or self.last_id
            self.ended = self.ended or event.name in LAST_EVENTS
            self._given = True
            if event.id:
                self._start_counting_anew()
            yield event
        self.last_id = self._decoder.last_id or self.last_id

    def _start_counting_anew(self) -> None:
        self._attempts = Attempts(self.call, self.retry, self.options)

    def _raise(self, event: Event) -> None:
        body = event.json()
        problem = errors.from_body(body.get("error", body))
        # A server's own fault passes; a refusal, such as a lost permission, does not.
        problem.should_retry = isinstance(problem, errors.ServerError)
        raise problem

    def after(self, problem: errors.MillraceError | None) -> float:
        """Seconds until the stream is opened again; None for a problem means that it ended without an end."""
        if time.monotonic() - self._since > HELD_WELL:
            self._start_counting_anew()
        cut = problem or errors.ConnectionFailed("The stream ended before its last event.")
        if not self.resumable and (self._given or problem is None):
            raise cut
        return max(self._attempts.after(cut), self._decoder.retry or 0.0)


class EventStream:
    """Events as they arrive. Iterate over it once; `close` or a `with` block lets go of the connection."""

    def __init__(self, call: Call[Any], options: Options, retry: Retry, opened: Opened) -> None:
        self._following = Following(call, options, retry)
        self._opened = opened
        self._events = self._run()

    @property
    def last_id(self) -> str:
        """The id of the last event given, from which another stream may go on."""
        return self._following.last_id

    def _run(self) -> Iterator[Event]:
        while not self._following.ended:
            problem: errors.MillraceError | None = None
            try:
                with self._opened(self._following.next_call(), self._following.options) as parts:
                    for part in parts:
                        yield from self._following.take(part)
                        if self._following.ended:
                            return
            except errors.MillraceError as broken:
                problem = broken
            time.sleep(self._following.after(problem))

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def close(self) -> None:
        self._events.close()  # type: ignore[attr-defined]  # it is a generator

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncEventStream:
    """The same in an event loop; leave it with `async with` or `aclose`."""

    def __init__(self, call: Call[Any], options: Options, retry: Retry, opened: AsyncOpened) -> None:
        self._following = Following(call, options, retry)
        self._opened = opened
        self._events = self._run()

    @property
    def last_id(self) -> str:
        """The id of the last event given, from which another stream may go on."""
        return self._following.last_id

    async def _run(self) -> AsyncIterator[Event]:
        while not self._following.ended:
            problem: errors.MillraceError | None = None
            try:
                async with self._opened(self._following.next_call(), self._following.options) as parts:
                    async for part in parts:
                        for event in self._following.take(part):
                            yield event
                        if self._following.ended:
                            return
            except errors.MillraceError as broken:
                problem = broken
            await asyncio.sleep(self._following.after(problem))

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def aclose(self) -> None:
        await self._events.aclose()  # type: ignore[attr-defined]  # it is a generator

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
