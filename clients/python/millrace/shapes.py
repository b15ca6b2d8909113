"""What calls and answers are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, Literal, TypedDict, TypeVar
from urllib.parse import unquote

T = TypeVar("T")

# What may be uploaded: a path, the bytes, an open file, or a name with the bytes.
File = Path | bytes | BinaryIO | tuple[str, bytes]
Returns = Literal["json", "nothing", "file", "events"]


class Page(TypedDict, Generic[T]):
    """A page of a list; `next` is the address of the one that follows."""

    object: Literal["list"]
    data: list[T]
    has_more: bool
    next: str | None


class Listed(TypedDict, Generic[T]):
    """What all pages have in common, however the next one is asked for."""

    data: list[T]


@dataclass(frozen=True)
class Options:
    """How one call differs from the client's settings; times are seconds."""

    timeout: float | None = None
    idempotency_key: str | None = None
    retries: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call of an operation, not yet sent; T is what it gives back.

    The server runs a `keyed` call once for each idempotency key, and a `named` one once for each `client_id` of its
    body. Doing a `repeatable` one twice is the same as once.
    """

    method: str
    address: str
    operation: str
    path: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: object = None
    form: Mapping[str, object] | None = None
    media_type: str = "application/json"
    keyed: bool = False
    named: bool = False
    repeatable: bool = False
    returns: Returns = "json"

    @property
    def safe(self) -> bool:
        """Whether it may be sent again when nobody knows if it has been carried out."""
        return self.keyed or self.named or self.repeatable


@dataclass(frozen=True)
class Download:
    """A file as it was answered."""

    content: bytes
    media_type: str
    filename: str

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)

    def save(self, path: Path | str) -> Path:
        """Writes it to the path, or into that folder under its own name."""
        target = Path(path)
        if target.is_dir():
            target /= self.filename or "download"
        target.write_bytes(self.content)
        return target


def filename_of(disposition: str) -> str:
    """The last part of the name in a `content-disposition` (RFC 6266), never a path; empty without one."""
    found = re.search(r"filename\*=UTF-8''([^;]+)", disposition, re.I)
    name = unquote(found[1]) if found else ""
    if not name and (plain := re.search(r'filename="?([^";]+)', disposition, re.I)):
        name = plain[1]
    name = re.split(r"[/\\]", name.strip())[-1]
    return "" if name in {".", ".."} else name


@dataclass(frozen=True)
class Event:
    """A server-sent event; `id` is empty where it has none."""

    name: str
    data: str
    id: str = ""

    def json(self) -> Any:
        return json.loads(self.data)
