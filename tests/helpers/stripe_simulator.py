"""The Stripe simulator as a process of its own, for tests: `simulator` for a session, empty for each test.

In a conftest or a test file: `from tests.helpers.stripe_simulator import simulator, simulator_process  # noqa: F401`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import stripe

from deploy.local.ports import free_port
from deploy.local.processes import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_of_the_simulator_in_tests"
KEY = "sk_test_simulator"


@dataclass(frozen=True)
class Webhook:
    """One delivery: the raw body and its `Stripe-Signature`."""

    payload: str
    signature: str

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.payload))

    @property
    def type(self) -> str:
        return str(self.event["type"])


class Simulator:
    """A running simulator: the SDK's `client` for it, and what only its control API can do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=120)
        self._session = requests.Session()
        self.client = self.client_with(KEY)

    def client_with(self, key: str) -> stripe.StripeClient:
        """A client of the real SDK, which tries nothing again by itself."""
        http_client = stripe.RequestsClient(session=self._session)
        return stripe.StripeClient(
            key, base_addresses={"api": self.url}, http_client=http_client, max_network_retries=0
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()
        self._session.close()

    def do(self, act: str, **values: Any) -> Any:
        """One act of the control API."""
        answer = self._http.post(f"/simulator/api/{act}", json=values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self) -> None:
        """Forget everything."""
        self.do("reset")

    def pay(self, session: str, **payer: str) -> dict[str, Any]:
        """Pay on a Checkout page: `number`, `email`, `country`, `promotion_code` …"""
        return dict(self.do("checkout/complete", session=session, **payer))

    # ---------------------------------------------------------------- time

    @property
    def now(self) -> int:
        """The whole simulator's time."""
        return int(self.do("state")["now"])

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        """Let the whole simulator's time go on; what is due happens before this returns."""
        self.do("advance", seconds=int(days * 86_400 + seconds))

    def advance_clock(self, clock: str, to: int) -> None:
        """Let a test clock go on to a moment and wait until all that was due has happened."""
        clocks = self.client.v1.test_helpers.test_clocks
        clocks.advance(clock, {"frozen_time": to})
        while (found := clocks.retrieve(clock)).status == "advancing":
            time.sleep(0.02)
        assert found.status == "ready", found

    # ---------------------------------------------------------------- webhooks

    def webhooks(self) -> list[Webhook]:
        """What waits to be delivered, signed, in the order in which it would arrive; it is not given out again."""
        return [Webhook(item["payload"], item["signature"]) for item in self.do("webhooks/take")]

    def deliver(self, client: Any, path: str = "/webhooks/stripe") -> list[str]:
        """Post what waits to Django's test client; returns the types of what was taken."""
        delivered = []
        for webhook in self.webhooks():
            answer = client.post(
                path,
                data=webhook.payload,
                content_type="application/json",
                headers={"stripe-signature": webhook.signature},
            )
            assert 200 <= answer.status_code < 300, (webhook.type, answer.status_code, answer.content[:500])
            delivered.append(webhook.type)
        return delivered


@contextmanager
def started(
    data: Path | str = ":memory:", *, port: int | None = None, webhook_url: str = "", secret: str = SECRET
) -> Iterator[Simulator]:
    """A simulator in a process of its own, until the block ends."""
    port = port or free_port()
    command = [sys.executable, "-m", "deploy.stripe_simulator", "--port", str(port), "--data", str(data)]
    command += ["--webhook-url", webhook_url, "--webhook-secret", secret]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGTERM))
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.post(f"{url}/simulator/api/state", json={}, trust_env=False, timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None, "the simulator did not start"
                time.sleep(0.05)
        simulator = Simulator(url)
        try:
            yield simulator
        finally:
            simulator.close()
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with started() as running:
        yield running


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """An empty simulator; set STRIPE_API_BASE to its `url` and STRIPE_WEBHOOK_SECRET to SECRET."""
    simulator_process.reset()
    return simulator_process
