"""`millrace events tail`: what happens in the organization, as it happens."""

from __future__ import annotations

import argparse
import json
from typing import Any

from millrace import Options
from millrace.cli.account import client_of
from millrace.cli.output import say, say_json, tell

LATEST = "latest"
# About half an hour without the server, once it has been reached.
PATIENT = Options(retries=100)


def tail(chosen: argparse.Namespace) -> int:
    """Prints until it is stopped, or has printed as many as were wanted; a lost connection is taken up again."""
    after = "" if chosen.all else chosen.after or LATEST
    printed = 0
    with client_of(chosen) as client:
        # A wrong address or key is said at once.
        client.get_organization()
        for event in client.follow_events(*chosen.type, after=after, options=PATIENT):
            if event.name == "removed":
                tell("millrace: older events are not kept any more.")
                continue
            body = event.json()
            if chosen.json:
                say_json(body, lines=True)
            else:
                say(_line(event.id, event.name, body))
            printed += 1
            if printed == chosen.count:
                return 0
    return 0


def _line(number: str, name: str, body: dict[str, Any]) -> str:
    facts = json.dumps(body.get("data", {}), ensure_ascii=False)
    return f"{body.get('created_at', '')}  {number:>6}  {body.get('type', name)}  {body.get('object_id', '')}  {facts}"
