"""The whole simulator: API, control, pages, time and webhooks over one file."""

import importlib
import pkgutil
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stripe_simulator import control, pages, resources
from deploy.stripe_simulator.api import Answer, Api, Request
from deploy.stripe_simulator.clockwork import Clockwork
from deploy.stripe_simulator.store import Store
from deploy.stripe_simulator.webhooks import Sender

# A name elsewhere that leads here could otherwise let a page elsewhere read and press everything.
OWN_HOSTS = {"127.0.0.1", "::1", "localhost"}


def load() -> None:
    """Import every module that registers calls, timers or pages."""
    for package in (resources, pages):
        for found in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{found.name}")


class Simulator:
    """Answers requests, and runs until it is stopped."""

    def __init__(self, data: Path | str, *, base_url: str, webhook_url: str, webhook_secret: str) -> None:
        load()
        self.store = Store(data)
        self.base_url = base_url
        self.webhook_url = webhook_url
        self.webhook_secret = webhook_secret
        self.api = Api(self.store, base_url)
        self.clockwork = Clockwork(self.store, base_url)
        # Without an address nothing is sent: whoever tests takes what waits by the control API.
        self.sender = Sender(self.store, webhook_url, webhook_secret) if webhook_url else None

    def start(self) -> None:
        """Begin with time and webhooks."""
        self.clockwork.start()
        if self.sender:
            self.sender.start()

    def stop(self) -> None:
        """End everything and close the file."""
        self.clockwork.stop()
        if self.sender:
            self.sender.stop()
        self.store.close()

    def answer(self, request: Request) -> Answer:
        """Answer one request of whatever kind, if it was meant for this machine."""
        if urlsplit(f"//{request.headers.get('host', '')}").hostname not in OWN_HOSTS:
            return Answer(421, "The Stripe simulator answers on this machine only.", content="text/plain")
        if request.path.startswith("/simulator/api/"):
            return control.answer(self, request)
        if request.path == "/" or request.path.startswith("/simulator"):
            return pages.answer(self, request)
        answer = self.api.answer(request)
        if request.path.endswith("/advance"):
            self.clockwork.wake()
        return answer
