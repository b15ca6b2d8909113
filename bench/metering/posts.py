"""A client of bench/usage.py over HTTP: `python -m bench.metering.posts URL KEY CLIENT CLIENTS SENT END SOURCE`.

Sends its batches one after the other, and again whatever it has no answer for.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

import httpx

from bench.metering.events import Plan, body

PATIENCE_SECONDS = 60


def post(client: httpx.Client, url: str, content: bytes) -> int:
    """Sends until there is an answer; how often it had to."""
    until, tries = time.monotonic() + PATIENCE_SECONDS, 0
    while True:
        tries += 1
        try:
            answer = client.post(url, content=content)
            if answer.status_code < 500:
                answer.raise_for_status()
                return tries
        except httpx.TransportError:
            pass
        if time.monotonic() > until:
            raise TimeoutError("the server does not answer")
        time.sleep(0.05)


def main(url: str, key: str, client: int, clients: int, plan: Plan) -> None:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents-batch+json"}
    with httpx.Client(headers=headers, timeout=30) as http:
        print(json.dumps({"ready": client}), flush=True)
        sys.stdin.readline()
        begun, again, sent = time.monotonic(), 0, 0
        for numbers in plan.batches(client, clients):
            content = json.dumps([body(plan, number) for number in numbers]).encode()
            again += post(http, f"{url}/api/v1/usage/events", content) - 1
            sent += len(numbers)
    print(json.dumps({"seconds": time.monotonic() - begun, "sent": sent, "sent_again": again}), flush=True)


if __name__ == "__main__":
    url, key, client, clients, sent, end, source = sys.argv[1:]
    main(url, key, int(client), int(clients), Plan(int(sent), datetime.fromisoformat(end), source))
