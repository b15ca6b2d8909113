"""Signing in, and looking at the account."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from urllib.parse import urlsplit

from millrace import Millrace, settings
from millrace import types as t
from millrace.cli.output import Failed, say, say_json, table, tell

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
SHOWN = 7


def client_of(chosen: argparse.Namespace) -> Millrace:
    return Millrace(url=chosen.url)


def login(chosen: argparse.Namespace) -> int:
    """Tries the key before it is kept."""
    url = _url(chosen)
    key = _key()
    with Millrace(url, key) as client:
        organization = client.get_organization()
    path = settings.store(settings.Place(url, key))
    if chosen.json:
        say_json({"url": url, "organization": organization, "path": str(path)})
    else:
        say(f"Signed in to {organization['name']} at {url}. The key is kept in {path}.")
    return 0


def _url(chosen: argparse.Namespace) -> str:
    url = (chosen.url or os.environ.get("MILLRACE_URL") or "").rstrip("/")
    if not url and sys.stdin.isatty():
        sys.stderr.write(f"Address [{settings.LOCAL_URL}]: ")
        sys.stderr.flush()
        url = sys.stdin.readline().strip().rstrip("/")
    url = url or settings.LOCAL_URL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failed(f"{url} is no address such as https://millrace.example.", 2)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        tell("millrace: without https, everybody on the way can read your key.")
    return url


def _key() -> str:
    key = os.environ.get("MILLRACE_API_KEY") or ""
    if not key:
        key = getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not key.strip():
        raise Failed("There is no key: give it on standard input, or in MILLRACE_API_KEY.", 2)
    return key.strip()


def logout(chosen: argparse.Namespace) -> int:
    say("The key is forgotten." if settings.forget() else "No key was kept.")
    return 0


def whoami(chosen: argparse.Namespace) -> int:
    place = settings.place(chosen.url)
    with Millrace(place.url, place.api_key) as client:
        organization = client.get_organization()
    prefix = place.api_key[:SHOWN] + "…"
    if chosen.json:
        say_json({"url": place.url, "key": prefix, "organization": organization})
    else:
        say(f"{organization['name']} ({organization['slug']}) at {place.url}, with the key {prefix}")
    return 0


def models(chosen: argparse.Namespace) -> int:
    with client_of(chosen) as client:
        found = client.list_models()
    if chosen.json:
        say_json(found)
        return 0
    names = ["model", "version", "context", "most output", "price of 1,000 tokens (in, out)"]
    rows = [
        [each["id"], each["version"], each["context_length"], each["max_output_tokens"], _price(each["price"])]
        for each in found["data"]
    ]
    say(table(names, rows))
    return 0


def _price(price: t.Price) -> str:
    return f"{price['input']}, {price['output']} {price['currency']}"


def usage(chosen: argparse.Namespace) -> int:
    with client_of(chosen) as client:
        found = client.get_usage()
    if chosen.json:
        say_json(found)
        return 0
    rows: list[list[object]] = [
        ["plan", found["plan"]],
        ["month", f"from {found['month']}, renewed on {found['resets_on']}"],
        ["tokens used", f"{found['used']:,} of {found['allowance']:,}"],
        ["held for running work", f"{found['held']:,}"],
        ["left", f"{found['remaining']:,}"],
        ["value", f"{found['spend']['amount']} {found['spend']['currency']}"],
        ["to be paid beyond the plan", f"{found['charge']['amount']} {found['charge']['currency']}"],
    ]
    say(table(["", ""], rows).strip("\n"))
    return 0
