"""The two clients: every operation of the API, and what takes more than one call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack

import httpx

from millrace import settings
from millrace import types as t
from millrace.api import SyncApi
from millrace.api.aio import AsyncApi
from millrace.paging import next_page
from millrace.retrying import Retry
from millrace.shapes import Call, Listed, Options
from millrace.streams import AsyncEventStream, EventStream
from millrace.texts import AsyncTextStream, TextStream
from millrace.version import VERSION

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT = 60.0
EVENTS = "/api/v1/events/stream"


def _headers(place: settings.Place) -> dict[str, str]:
    return {"authorization": f"Bearer {place.api_key}", "user-agent": f"millrace-python/{VERSION}"}


def _events_call(types: Sequence[str], after: str) -> Call[None]:
    query = {"type": ",".join(types) or None, "after": after or None}
    return Call[None]("GET", EVENTS, "follow_events", query=query, repeatable=True, returns="events")


class Millrace(SyncApi):
    """A client that waits. Without arguments it takes MILLRACE_URL and MILLRACE_API_KEY, or the stored sign-in.

    `http` is an httpx client of your own, for a proxy or certificates; its address and headers are set here.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retry: Retry | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        place = settings.place(url, api_key)
        self.url = place.url
        self._timeout = timeout
        self._retry = retry or Retry()
        self._http = http or httpx.Client()
        self._http.base_url = httpx.URL(place.url)
        self._http.headers.update(_headers(place))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Millrace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def each(self, method: Callable[P, Listed[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Everything in a list, page by page: `client.each(client.list_generations, status="failed")`."""
        more: dict[str, Any] = {}
        while True:
            page = method(*args, **{**kwargs, **more})
            yield from page["data"]
            behind = next_page(page)
            if behind is None:
                return
            more = behind

    def stream(self, *, options: Options | None = None, **body: Unpack[t.CreateGenerationRequest]) -> TextStream:
        """Asks for a generation, and follows its text."""
        return self.follow_generation(self.create_generation(options=options, **body)["id"])

    def follow_generation(self, id: str, *, after: str | None = None, options: Options | None = None) -> TextStream:
        """Follows a generation's text, from its beginning or behind an event that was seen."""
        return TextStream(id, self.stream_generation(id, after=after, options=options))

    def follow_events(self, *types: str, after: str = "", options: Options | None = None) -> EventStream:
        """The organization's events in their order, without an end; of some types (`team.*` for a group) or all.

        `after` is the number of an event; without it they begin with the oldest that is kept, and with `latest` with
        the next one.
        """
        return self._events(_events_call(types, after), options)


class AsyncMillrace(AsyncApi):
    """The same client for an event loop (asyncio)."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retry: Retry | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        place = settings.place(url, api_key)
        self.url = place.url
        self._timeout = timeout
        self._retry = retry or Retry()
        self._http = http or httpx.AsyncClient()
        self._http.base_url = httpx.URL(place.url)
        self._http.headers.update(_headers(place))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncMillrace:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def each(
        self, method: Callable[P, Awaitable[Listed[T]]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        """Everything in a list, page by page: `async for run in client.each(client.list_runs)`."""
        more: dict[str, Any] = {}
        while True:
            page = await method(*args, **{**kwargs, **more})
            for item in page["data"]:
                yield item
            behind = next_page(page)
            if behind is None:
                return
            more = behind

    async def stream(
        self, *, options: Options | None = None, **body: Unpack[t.CreateGenerationRequest]
    ) -> AsyncTextStream:
        """Asks for a generation, and follows its text."""
        made = await self.create_generation(options=options, **body)
        return self.follow_generation(made["id"])

    def follow_generation(
        self, id: str, *, after: str | None = None, options: Options | None = None
    ) -> AsyncTextStream:
        """Follows a generation's text, from its beginning or behind an event that was seen."""
        return AsyncTextStream(id, self.stream_generation(id, after=after, options=options))

    def follow_events(self, *types: str, after: str = "", options: Options | None = None) -> AsyncEventStream:
        """The organization's events in their order, without an end; of some types (`team.*` for a group) or all.

        `after` is the number of an event; without it they begin with the oldest that is kept, and with `latest` with
        the next one.
        """
        return self._events(_events_call(types, after), options)
