"""Calls carried out over httpx, blocking or not; what decides about retries and meaning is shared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import httpx

from millrace import errors, sending
from millrace.retrying import Attempts, Retry, translated
from millrace.shapes import Call, Options
from millrace.streams import AsyncEventStream, EventStream

T = TypeVar("T")
# Servers send a heartbeat at least every 15 seconds: three missing ones are a broken connection.
SILENCE = 45.0
UNREADABLE = (httpx.HTTPError, httpx.InvalidURL)


def stream_timeout(timeout: float) -> httpx.Timeout:
    return httpx.Timeout(timeout, read=SILENCE)


class SyncCalls:
    """Sends calls, and waits for their answers."""

    _http: httpx.Client
    _retry: Retry
    _timeout: float

    def _send(self, call: Call[T], options: Options | None) -> T:
        chosen = options or Options()
        ready = sending.prepared(call, chosen)
        attempts = Attempts(ready, self._retry, chosen)
        while True:
            try:
                answer: T = self._once(ready, chosen)
                return answer
            except errors.MillraceError as problem:
                if attempts.is_done_already(problem):
                    return None  # type: ignore[return-value]  # T is None where nothing is given back
                pause = attempts.after(problem)
            time.sleep(pause)

    def _once(self, call: Call[Any], options: Options) -> Any:
        try:
            request = sending.request_of(call, self._http, options.timeout or self._timeout)
            return sending.result_of(call, self._http.send(request))
        except UNREADABLE as problem:
            raise translated(problem) from problem

    def _events(self, call: Call[Any], options: Options | None) -> EventStream:
        return EventStream(call, options or Options(), self._retry, self._opened)

    @contextmanager
    def _opened(self, call: Call[Any], options: Options) -> Iterator[Iterator[bytes]]:
        """The bytes of a stream while they arrive; raises this package's errors, also while they are read."""
        response = None
        try:
            timeout = stream_timeout(options.timeout or self._timeout)
            response = self._http.send(sending.request_of(call, self._http, timeout), stream=True)
            if not response.is_success:
                response.read()
                sending.result_of(call, response)
            yield response.iter_bytes()
        except UNREADABLE as problem:
            raise translated(problem) from problem
        finally:
            if response is not None:
                response.close()


class AsyncCalls:
    """Sends calls from an event loop (asyncio)."""

    _http: httpx.AsyncClient
    _retry: Retry
    _timeout: float

    async def _send(self, call: Call[T], options: Options | None) -> T:
        chosen = options or Options()
        ready = sending.prepared(call, chosen)
        attempts = Attempts(ready, self._retry, chosen)
        while True:
            try:
                answer: T = await self._once(ready, chosen)
                return answer
            except errors.MillraceError as problem:
                if attempts.is_done_already(problem):
                    return None  # type: ignore[return-value]  # T is None where nothing is given back
                pause = attempts.after(problem)
            await asyncio.sleep(pause)

    async def _once(self, call: Call[Any], options: Options) -> Any:
        try:
            request = sending.request_of(call, self._http, options.timeout or self._timeout)
            return sending.result_of(call, await self._http.send(request))
        except UNREADABLE as problem:
            raise translated(problem) from problem

    def _events(self, call: Call[Any], options: Options | None) -> AsyncEventStream:
        return AsyncEventStream(call, options or Options(), self._retry, self._opened)

    @asynccontextmanager
    async def _opened(self, call: Call[Any], options: Options) -> AsyncIterator[AsyncIterator[bytes]]:
        """The same as the blocking one's."""
        response = None
        try:
            timeout = stream_timeout(options.timeout or self._timeout)
            response = await self._http.send(sending.request_of(call, self._http, timeout), stream=True)
            if not response.is_success:
                await response.aread()
                sending.result_of(call, response)
            yield response.aiter_bytes()
        except UNREADABLE as problem:
            raise translated(problem) from problem
        finally:
            if response is not None:
                await response.aclose()
