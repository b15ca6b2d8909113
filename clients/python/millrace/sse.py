"""Server-sent events from bytes (WHATWG HTML, section 9.2.6).

httpx's own lines break at U+2028 and the like as well, which JSON may hold; these break only where the format does.
"""

from __future__ import annotations

import re

from millrace.shapes import Event

LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"


class Decoder:
    """Bytes in, events out; what is incomplete at the end of the bytes waits, and never becomes an event."""

    def __init__(self) -> None:
        self.retry: float | None = None
        self.heard = 0
        # The position so far: also an id that comes without an event moves it.
        self.last_id = ""
        self._rest = b""
        self._begun = False
        self._name = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, content: bytes) -> list[Event]:
        """The events that these bytes complete; `heard` counts lines, heartbeats included."""
        found = []
        for line in self._lines(content):
            self.heard += 1
            if event := self._take(line):
                found.append(event)
        return found

    def _lines(self, content: bytes) -> list[str]:
        self._rest += content
        if not self._begun and len(self._rest) >= len(BOM):
            self._begun = True
            self._rest = self._rest.removeprefix(BOM)
        lines = []
        start = 0
        for end in LINE_END.finditer(self._rest):
            # A CR at the very end may be half of CR LF.
            if end[0] == b"\r" and end.end() == len(self._rest):
                break
            lines.append(self._rest[start : end.start()].decode(errors="replace"))
            start = end.end()
        self._rest = self._rest[start:]
        return lines

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._name or "message", "\n".join(self._data), self._id) if self._data else None
        self.last_id = self._id or self.last_id
        self._name, self._id, self._data = "", "", []
        return event
