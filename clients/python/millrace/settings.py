"""Where the server is, and the key for it: given, from the environment, or from `millrace login`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from millrace.errors import MillraceError

LOCAL_URL = "http://127.0.0.1:8000"


class NotSignedIn(MillraceError):
    """There is no API key."""


@dataclass(frozen=True)
class Place:
    """A server, and the key for it."""

    url: str
    api_key: str


def path() -> Path:
    """The file that `millrace login` writes, by the XDG base directory specification."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "millrace" / "credentials.json"


def stored() -> Place | None:
    """What was signed in with; None if nothing was."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
        return Place(str(found["url"]), str(found["api_key"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise MillraceError(f"{path()} cannot be read ({problem}): run `millrace login` again.") from problem


def place(url: str | None = None, api_key: str | None = None) -> Place:
    """What is given comes first, then MILLRACE_URL and MILLRACE_API_KEY, then the stored sign-in.

    A stored key is only ever sent to the server that it was stored for.
    """
    url = url or os.environ.get("MILLRACE_URL") or None
    api_key = api_key or os.environ.get("MILLRACE_API_KEY") or None
    if api_key is None:
        kept = stored()
        if kept is None:
            raise NotSignedIn("There is no API key: run `millrace login`, or set MILLRACE_API_KEY.")
        if url is not None and url.rstrip("/") != kept.url.rstrip("/"):
            raise NotSignedIn(f"There is no API key for {url}: run `millrace login --url {url}`.")
        return kept
    if url is None:
        kept = None
        with contextlib.suppress(MillraceError):
            kept = stored()
        url = kept.url if kept and kept.api_key == api_key else LOCAL_URL
    return Place(url.rstrip("/"), api_key)


def store(found: Place) -> Path:
    """Writes the sign-in so that only its owner can read it, whole or not at all."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A temporary file is made with mode 0600.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"url": found.url, "api_key": found.api_key}, file)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    return target


def forget() -> bool:
    """Removes the sign-in; whether there was one."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True
