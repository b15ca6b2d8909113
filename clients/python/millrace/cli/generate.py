"""`millrace generate`: the text on standard output while it is written."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from millrace import Delta, Done, Millrace, MillraceError, Options, Reset, Status, TextStream
from millrace import types as t
from millrace.cli.account import client_of
from millrace.cli.output import Failed, say, say_json, tell, watched

SAMPLING = ("model", "max_tokens", "temperature", "top_p", "seed")
INPUT = "-"
# Minutes in which the server may be away while it has work of ours.
PATIENT = Options(retries=12)


def run(chosen: argparse.Namespace) -> int:
    body = _from_template(chosen) if chosen.template else _from_prompt(chosen)
    with client_of(chosen) as client:
        generation = client.generate_from_template(_slug(chosen), **body) if chosen.template else None
        generation = generation or client.create_generation(**body)
        try:
            with client.follow_generation(generation["id"], options=PATIENT) as stream:
                ended = _follow(stream, live=not (chosen.json or chosen.no_stream))
        except KeyboardInterrupt:
            _stop(client, generation["id"])
            raise
    if chosen.json:
        say_json(ended)
    elif chosen.no_stream:
        say(ended["text"])
    return _judge(ended)


def _stop(client: Millrace, id: str) -> None:
    """Leaving alone would have it written, and charged, to its end."""
    with contextlib.suppress(MillraceError):
        client.cancel_generation(id)
        tell("\nmillrace: stopped.")


def _slug(chosen: argparse.Namespace) -> str:
    slug: str = chosen.template.partition("@")[0]
    return slug


def _sampling(chosen: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in SAMPLING if (value := getattr(chosen, name)) is not None}


def _from_prompt(chosen: argparse.Namespace) -> dict[str, Any]:
    if chosen.var:
        raise Failed("--var needs a --template.", 2)
    prompt = _input() if chosen.prompt in {None, INPUT} else chosen.prompt
    body = _sampling(chosen)
    if chosen.stop:
        body["stop"] = chosen.stop
    if chosen.deadline is not None:
        body["deadline_seconds"] = chosen.deadline
    if chosen.system:
        told = [{"role": "system", "content": chosen.system}, {"role": "user", "content": prompt}]
        return {**body, "messages": told}
    return {**body, "prompt": prompt}


def _from_template(chosen: argparse.Namespace) -> dict[str, Any]:
    for name in ("prompt", "system", "stop"):
        if getattr(chosen, name):
            raise Failed(f"A template says everything itself: leave out {name}, or use --var.", 2)
    body = _sampling(chosen) | {"variables": variables_of(chosen.var)}
    if label := chosen.template.partition("@")[2]:
        body["label"] = label
    if chosen.deadline is not None:
        body["deadline_seconds"] = chosen.deadline
    return body


def variables_of(given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE, where the value may be @FILE or the input."""
    found = {}
    for item in given:
        name, separator, value = item.partition("=")
        if not (name and separator):
            raise Failed(f"{item} is not NAME=VALUE.", 2)
        if value == INPUT:
            value = _input()
        elif value.startswith("@"):
            value = Path(value[1:]).read_text(encoding="utf-8")
        found[name] = value
    return found


def _input() -> str:
    if sys.stdin.isatty():
        raise Failed("There is no prompt: give one, or send it to standard input.", 2)
    text = sys.stdin.read()
    if not text.strip():
        raise Failed("Standard input is empty.", 2)
    return text


def _follow(stream: TextStream, *, live: bool) -> t.GenerationBody:
    """Waits for the end, and prints what arrives."""
    started, shown = time.monotonic(), ""
    for happening in stream.events():
        match happening:
            case Status(status="queued", queue_position=position) if watched() and position:
                tell(f"waiting, number {position}")
            case Delta(text) if live:
                say(text, end="")
                shown += text
            case Reset() if live and shown:
                _begin_anew()
                shown = ""
            case Done(generation) if live:
                # A text that was held back until it was checked comes whole.
                rest = generation["text"].removeprefix(shown) if generation["text"].startswith(shown) else ""
                say(rest, end="" if (shown + rest).endswith("\n") else "\n")
    ended = stream.result()
    if live and watched():
        _sum_up(ended, time.monotonic() - started)
    return ended


def _begin_anew() -> None:
    """What a person sees can be taken back with words; what a program has read cannot."""
    if not sys.stdout.isatty():
        raise Failed("The text began anew after some of it was printed: use --no-stream to have it whole.")
    say("")
    tell("— the text begins anew —")


def _sum_up(generation: t.GenerationBody, seconds: float) -> None:
    used = generation["usage"]
    tokens = f"{used['completion_tokens']} tokens, " if used else ""
    tell(f"{generation['model_version']}: {tokens}{seconds:.1f} s")


def _judge(generation: t.GenerationBody) -> int:
    """0 for a text that was written to its end."""
    if generation["status"] == "succeeded":
        if generation["finish_reason"] == "length":
            tell("millrace: the text ends at --max-tokens.")
        return 0
    error = generation["error"]
    tell(f"millrace: {generation['status']}: {error['message']} ({error['code']})" if error else "millrace: cancelled")
    return 1
