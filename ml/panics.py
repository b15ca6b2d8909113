"""Panics of libraries written in Rust, as ordinary errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise RuntimeError for a panic.

    PyO3 raises it as a BaseException: past every `except Exception` it would end, in silence, the thread that called.
    Its class belongs to no module that could be imported, so it is known by its name.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(f"a library panicked: {error}") from error
