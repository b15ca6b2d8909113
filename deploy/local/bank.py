"""The demo's bank: a system of its own that checks signatures and answers what the bot's flows ask.

It keeps nothing; what it says of cards and transfers is made up from what it is asked, the same each time.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOLERANCE_SECONDS = 300
MOST_BYTES = 100_000
STATES = ("arrived", "pending", "unknown")


def answer(action: str, inputs: dict[str, str]) -> dict[str, str] | None:
    """What the bank says; None for what it does not know how to do."""
    digest = hashlib.sha256(json.dumps([action, inputs], sort_keys=True).encode()).digest()
    if action == "block_card":
        return {"reference": f"B-{int.from_bytes(digest[:2], 'big')}"}
    if action == "order_card":
        return {"days": "5"}
    if action == "find_transfer":
        return {"state": STATES[digest[0] % 3], "arrives": inputs.get("day", "").partition("/")[0]}
    return None


def is_signed(headers: Any, body: bytes, secret: str) -> bool:
    """Whether the message is of this moment and signed with the secret (Standard Webhooks)."""
    try:
        sent = int(headers["webhook-timestamp"])
    except (TypeError, ValueError):
        return False
    if abs(time.time() - sent) > TOLERANCE_SECONDS:
        return False
    signed = f"{headers['webhook-id']}.{sent}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(wanted, each) for each in (headers["webhook-signature"] or "").split())


class Bank(BaseHTTPRequestHandler):
    """One request; `secrets` is the file with the secret of each action."""

    secrets: Path

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), MOST_BYTES))
        action = self.path.strip("/").rpartition("/")[2]
        known = json.loads(self.secrets.read_text()) if self.secrets.exists() else {}
        if action not in known or not is_signed(self.headers, body, known[action]):
            self._say(401, {"error": "not signed by the bot"})
            return
        found = answer(action, dict(json.loads(body).get("inputs") or {}))
        self._say(200 if found is not None else 404, {"outputs": found or {}})

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are logged by the bot already."""

    def _say(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secrets", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    handler = type("DemoBank", (Bank,), {"secrets": chosen.secrets})
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), handler) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
