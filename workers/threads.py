"""Threads that a worker cannot do without."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


def vital(run: Callable[[], None], name: str) -> threading.Thread:
    """Return a thread whose failure ends the process.

    Without one of its threads a worker would keep the leases of work that nobody does. A new process is the honest way
    on: leases lapse, and what brought this one down does so once more at most.
    """

    def guarded() -> None:
        try:
            run()
        except BaseException:  # whatever it is, a thread that is gone does nothing more
            try:
                log.critical("thread %s failed; this worker ends", name, exc_info=True)
            finally:
                os._exit(1)

    return threading.Thread(target=guarded, name=name, daemon=True)
