"""An embedded server that is started again when it dies, for as long as the product runs."""

import threading
import time
from collections.abc import Callable

from deploy.local.processes import ServiceError
from deploy.local.service import Service

ATTEMPTS = 5
ATTEMPT_DELAY_SECONDS = 0.5


class Server:
    """PostgreSQL or Redis under one address; `start` is called again after each unexpected end."""

    def __init__(self, name: str, start: Callable[[], Service]):
        self.name = name
        self._start = start
        self._service = start()
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def url(self) -> str:
        """Where the server listens, the same for its whole life."""
        return self._service.url

    def is_running(self) -> bool:
        """Tell whether the server runs, or was stopped on purpose."""
        return self._stopped or self._service.is_running()

    def revive(self) -> None:
        """Start the server again at its address, where clients that try again find it.

        Raises ServiceError when it does not start, or when somebody has taken its port in the meantime.
        """
        with self._lock:
            if self.is_running():
                return
            url = self.url
            self._service.stop()
            for attempt in range(ATTEMPTS):
                try:
                    self._service = self._start()
                    break
                except (ServiceError, OSError):  # children of the dead server may hold its memory for a moment
                    if attempt + 1 == ATTEMPTS:
                        raise
                    time.sleep(ATTEMPT_DELAY_SECONDS)
            if self.url != url:
                raise ServiceError(f"{self.name} lost its port to another program")

    def stop(self) -> None:
        """End the server for good."""
        with self._lock:
            self._stopped = True
            self._service.stop()
