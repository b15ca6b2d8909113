"""`millrace verify-webhook`: whether a webhook was sent by who knows the secret."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from millrace import Webhook
from millrace.cli.output import Failed, say, say_json


def verify(chosen: argparse.Namespace) -> int:
    secrets = chosen.secret or [os.environ.get("MILLRACE_WEBHOOK_SECRET", "")]
    if not all(secrets):
        raise Failed("There is no secret: give --secret, or set MILLRACE_WEBHOOK_SECRET.", 2)
    try:
        webhook = Webhook(*secrets, tolerance=chosen.tolerance)
    except ValueError as problem:
        raise Failed(f"The secret cannot be used: {problem}.", 2) from None
    headers = _headers(chosen)
    body = sys.stdin.buffer.read() if chosen.file == "-" else Path(chosen.file).read_bytes()
    received = webhook.verify(body, headers, now=_now(chosen, headers))
    if chosen.json:
        say_json({"id": received.id, "timestamp": received.timestamp, "payload": received.payload})
    else:
        say(f"The signature fits: {received.id}, signed {time.strftime('%F %T', time.gmtime(received.timestamp))} UTC.")
    return 0


def _headers(chosen: argparse.Namespace) -> dict[str, str]:
    lines = list(chosen.header)
    if chosen.headers:
        lines += Path(chosen.headers).read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        name, separator, value = line.partition(":")
        # A file of headers may begin with the line of the request, which is none.
        if separator and " " not in name.strip():
            found[name.strip().lower()] = value.strip()
        elif line in chosen.header:
            raise Failed(f"{line} is not NAME: VALUE.", 2)
    return found


def _now(chosen: argparse.Namespace, headers: dict[str, str]) -> float | None:
    """The moment of the signature itself, where its age is not to count."""
    stamp = headers.get("webhook-timestamp", "")
    return float(stamp) if chosen.ignore_time and stamp.isdigit() else None
