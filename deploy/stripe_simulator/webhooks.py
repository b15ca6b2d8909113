"""Webhooks: signed as Stripe signs them, sent from an outbox, tried again with growing pauses, in no certain order."""

import hashlib
import hmac
import json
import threading
import time
import traceback
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deploy.stripe_simulator.shapes import complete
from deploy.stripe_simulator.store import Store

Json = dict[str, Any]
PAUSES = (2, 5, 15, 60, 300, 900, 3600, 10_800)
TIMEOUT_SECONDS = 15
SENDERS = 4
POLL_SECONDS = 0.1


def signature(payload: str, secret: str, at: int) -> str:
    """The `Stripe-Signature` header of a payload."""
    digest = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def payload_of(store: Store, event: str) -> str | None:
    """An event as its receiver gets it, or None when it is no longer there."""
    found = store.rows("SELECT body FROM objects WHERE id = ?", event)
    if not found:
        return None
    body = {name: value for name, value in json.loads(found[0][0]).items() if name != "_"}
    return json.dumps(complete(body), indent=2)


def take(store: Store, secret: str) -> list[Json]:
    """Everything that waits, signed now and in the order in which it would arrive; it counts as delivered."""
    with store.transaction():
        rows = store.rows("SELECT seq, event FROM deliveries WHERE state = 'waiting' ORDER BY place, due, seq")
        store.run("UPDATE deliveries SET state = 'delivered', attempts = attempts + 1 WHERE state = 'waiting'")
        taken = []
        for _, event in rows:
            if payload := payload_of(store, event):
                taken.append({"event": event, "payload": payload, "signature": signature(payload, secret, _now())})
        return taken


def _now() -> int:
    return int(time.time())


class Sender:
    """Sends what is due to one address, several at a time."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        self._store = store
        self._url = url
        self._secret = secret
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="webhook")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin; what an earlier process was about to send is sent."""
        self._store.run("UPDATE deliveries SET state = 'waiting' WHERE state = 'sending'")
        self._thread.start()

    def stop(self) -> None:
        """End after what is being sent."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            for number, event, attempts in self._claim():
                self._pool.submit(self._send, number, event, attempts)

    def _claim(self) -> list[tuple[Any, ...]]:
        with self._store.transaction():
            rows = self._store.rows(
                "SELECT seq, event, attempts FROM deliveries WHERE state = 'waiting' AND due <= ? "
                "ORDER BY place, due, seq LIMIT 40",
                time.time(),
            )
            for number, _, _ in rows:
                self._store.run("UPDATE deliveries SET state = 'sending' WHERE seq = ?", number)
        return rows

    def _send(self, number: int, event: str, attempts: int) -> None:
        try:
            answer = self._post(payload_of(self._store, event))
        except Exception as error:  # a receiver may fail in any way, and the next attempt is to come all the same
            traceback.print_exc()
            answer = repr(error)
        if answer.startswith("2") or answer == "gone":
            self._store.run(
                "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, answer = ? WHERE seq = ?",
                *(answer, number),
            )
            return
        state = "waiting" if attempts < len(PAUSES) else "given up"
        pause = PAUSES[min(attempts, len(PAUSES) - 1)]
        self._store.run(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, answer = ?, due = ? WHERE seq = ?",
            *(state, answer[:300], time.time() + pause, number),
        )

    def _post(self, payload: str | None) -> str:
        if payload is None:
            return "gone"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (simulator; no real money)",
            "Stripe-Signature": signature(payload, self._secret, _now()),
        }
        request = urllib.request.Request(self._url, payload.encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return str(response.status)
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read(200).decode(errors='replace')}"
        except OSError as error:
            return f"no answer: {error}"
