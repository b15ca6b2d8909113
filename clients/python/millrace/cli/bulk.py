"""`millrace bulk`: a text for each row of a table, with its cost before and a progress bar while it runs."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from millrace import Millrace, MillraceError
from millrace import types as t
from millrace.cli import tables
from millrace.cli.account import client_of
from millrace.cli.generate import PATIENT, SAMPLING
from millrace.cli.output import Failed, asked, say, say_json, tell
from millrace.cli.progress import Progress, standing_of

OVER = {"completed", "cancelled", "expired"}
POLL_SECONDS = 1.0
SLOWEST_POLL = 10.0
ENDINGS = {".csv": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl"}


def run(chosen: argparse.Namespace) -> int:
    _check(chosen)
    with client_of(chosen) as client:
        if chosen.follow:
            runs = [client.get_bulk_run(id) for id in chosen.follow]
        else:
            runs = _begun(client, chosen)
            if not runs:
                tell("millrace: nothing was begun.")
                return 1
        if chosen.detach:
            return _report(runs, chosen, followed=False)
        runs = _followed(client, runs)
        if chosen.download:
            _download(client, runs, Path(chosen.download))
        return _report(runs, chosen, followed=True)


def _check(chosen: argparse.Namespace) -> None:
    if bool(chosen.file) == bool(chosen.follow):
        raise Failed("Give either a file or --follow.", 2)
    if chosen.file and bool(chosen.prompt) == bool(chosen.template):
        raise Failed("Give either --prompt or --template.", 2)
    if chosen.map and not chosen.template:
        raise Failed("--map needs a --template.", 2)
    if chosen.download and Path(chosen.download).suffix.lower() not in ENDINGS:
        raise Failed(f"--download must end with {', '.join(ENDINGS)}.", 2)
    if chosen.download and chosen.detach:
        raise Failed("--download waits for the end: leave out --detach.", 2)


def _begun(client: Millrace, chosen: argparse.Namespace) -> list[t.BulkRunBody]:
    """The runs of all parts of the table, once the person has agreed to what they take; none if they have not."""
    rows = tables.read(chosen.file, chosen.sheet)[: chosen.limit]
    drafts: list[t.BulkRunBody] = []
    agreed = False
    try:
        for number, part in enumerate(parts := tables.parts(rows), 1):
            name = chosen.name or Path(chosen.file).stem.strip("-") or "input"
            titled = f"{name} ({number} of {len(parts)})" if len(parts) > 1 else name
            drafts.append(client.create_bulk_run(**_draft(chosen, titled, part)))
        tell(_cost(client, drafts))
        agreed = chosen.yes or _agreed()
        return [client.start_bulk_run(each["id"]) for each in drafts] if agreed else []
    finally:
        if not agreed:
            _discard(client, drafts)


def _draft(chosen: argparse.Namespace, name: str, rows: list[tables.Row]) -> dict[str, Any]:
    body: dict[str, Any] = {"name": name[:150], "rows": rows}
    body |= {each: value for each in SAMPLING if (value := getattr(chosen, each)) is not None}
    if chosen.prompt:
        return body | {"prompt": chosen.prompt}
    body["template"] = chosen.template
    if chosen.map:
        pairs = [item.partition("=") for item in chosen.map]
        if wrong := [name for name, separator, column in pairs if not (name and separator and column)]:
            raise Failed(f"--map {wrong[0]} is not VARIABLE=COLUMN.", 2)
        body["mapping"] = {name: column for name, _, column in pairs}
    return body


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise Failed("Nobody is there to ask: say --yes to begin.", 2)
    return asked("Begin?")


def _discard(client: Millrace, drafts: Sequence[t.BulkRunBody]) -> None:
    for draft in drafts:
        with contextlib.suppress(MillraceError):
            client.delete_bulk_run(draft["id"])


def _cost(client: Millrace, drafts: Sequence[t.BulkRunBody]) -> str:
    """What the runs take at most, at the model's list price."""
    estimates = [each["estimate"] for each in drafts if each["estimate"]]
    rows = sum(each["rows"] for each in estimates)
    invalid = sum(each["invalid"] for each in estimates)
    prompt = sum(each["prompt_tokens"] for each in estimates)
    answer = sum(each["completion_tokens"] for each in estimates)
    text = f"{rows:,} rows with {drafts[0]['model']}: "
    text += f"{'' if all(each['exact'] for each in estimates) else 'about '}{prompt:,} tokens of prompts, "
    text += f"at most {answer:,} of answers"
    for model in client.list_models()["data"]:
        if model["id"] == drafts[0]["model"]:
            price = model["price"]
            value = (prompt * Decimal(price["input"]) + answer * Decimal(price["output"])) / 1000
            text += f", worth at most {value:.2f} {price['currency']}"
    return text + (f". {invalid:,} rows cannot be asked about." if invalid else ".")


def _followed(client: Millrace, runs: list[t.BulkRunBody]) -> list[t.BulkRunBody]:
    """The runs when all are over; Ctrl-C leaves them running."""
    progress, pause = Progress(), POLL_SECONDS
    try:
        while True:
            progress.show(standing_of(runs))
            if all(each["state"] in OVER for each in runs):
                return runs
            time.sleep(pause)
            pause = min(SLOWEST_POLL, pause * 1.1)
            runs = [
                each if each["state"] in OVER else client.get_bulk_run(each["id"], options=PATIENT) for each in runs
            ]
    except KeyboardInterrupt:
        tell(f"\nThe run goes on. Follow it: millrace bulk --follow {' '.join(each['id'] for each in runs)}")
        raise
    finally:
        progress.end()


def _fresh(client: Millrace, run: t.BulkRunBody) -> t.BulkRunBody:
    return run if run["state"] in OVER else client.get_bulk_run(run["id"], options=PATIENT)


def _download(client: Millrace, runs: Sequence[t.BulkRunBody], path: Path) -> None:
    """One file; only workbooks of several parts are several."""
    ending = path.suffix.lower()
    found = [client.download_bulk_run(each["id"], format=ENDINGS[ending]).content for each in runs]  # type: ignore[arg-type]
    if ending == ".xlsx" and len(found) > 1:
        paths = [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(found) + 1)]
        for each, content in zip(paths, found, strict=True):
            each.write_bytes(content)
        tell(f"Written to {', '.join(map(str, paths))}.")
        return
    path.write_bytes(tables.joined(found, ending) if len(found) > 1 else found[0])
    tell(f"Written to {path}.")


def _report(runs: Sequence[t.BulkRunBody], chosen: argparse.Namespace, *, followed: bool) -> int:
    standing = standing_of(runs)
    if chosen.json:
        say_json({"object": "list", "data": list(runs)})
    elif followed:
        say(f"{standing.succeeded:,} of {standing.total:,} rows have a text.")
    else:
        say("\n".join(each["id"] for each in runs))
    return 0 if not followed or standing.succeeded == standing.total else 1
