"""The commands and their options."""

from __future__ import annotations

import argparse
from typing import Any

from millrace.cli import account, bulk, events, generate, webhook
from millrace.version import VERSION

EXIT_CODES = (
    "Ends with 0 when all went well, 1 when the server refused or the work failed, 2 when called wrongly, 3 without a "
    "key that may do this, 4 when the server was not reached, 130 after Ctrl-C."
)


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser("millrace", description="Millrace from the command line.", epilog=EXIT_CODES)
    whole.add_argument("--version", action="version", version=VERSION)
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _login(_command(commands, "login", account.login, "sign in with an API key, kept for the next commands"))
    commands.add_parser("logout", help="forget the stored key").set_defaults(run=account.logout)
    _command(commands, "whoami", account.whoami, "the organization and server that commands go to")
    _command(commands, "models", account.models, "the models, their limits and prices")
    _command(commands, "usage", account.usage, "this month's use and what is left")
    _generate(_command(commands, "generate", generate.run, "have a text written, and see it arrive"))
    _bulk(_command(commands, "bulk", bulk.run, "have a text written for each row of a table"))
    tail = commands.add_parser("events", help="the organization's events").add_subparsers(required=True, metavar="ACT")
    _tail(_command(tail, "tail", events.tail, "print events as they happen"))
    _webhook(_command(commands, "verify-webhook", webhook.verify, "check the signature of a webhook", server=False))
    return whole


def _command(commands: Any, name: str, run: Any, help: str, *, server: bool = True) -> argparse.ArgumentParser:
    """A command with what all have in common."""
    made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    made.set_defaults(run=run)
    made.add_argument("--json", action="store_true", help="print JSON")
    if server:
        made.add_argument("--url", help="the server (default: MILLRACE_URL, else where you signed in)")
    return made


def _login(command: argparse.ArgumentParser) -> None:
    command.description = (
        "The key is asked for without being shown, or read from standard input, and kept in a file that only you can "
        "read. Commands take MILLRACE_URL and MILLRACE_API_KEY before it."
    )


def _sampling(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="default: the server's default model")
    command.add_argument("--max-tokens", type=int, metavar="N")
    command.add_argument("--temperature", type=float, metavar="T")
    command.add_argument("--top-p", type=float, metavar="P")
    command.add_argument("--seed", type=int, metavar="N")


def _generate(command: argparse.ArgumentParser) -> None:
    command.add_argument("prompt", nargs="?", help="what to ask for; - or nothing reads standard input")
    command.add_argument("--system", help="what the model is told before the prompt")
    command.add_argument("--template", metavar="SLUG", help="a template in place of a prompt; SLUG@LABEL for a label")
    command.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="a variable; @FILE reads a file, - the input"
    )
    _sampling(command)
    command.add_argument("--stop", action="append", metavar="TEXT", help="end the text before this")
    command.add_argument("--deadline", type=float, metavar="SECONDS")
    command.add_argument("--no-stream", action="store_true", help="print the text when it is finished")


def _bulk(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="?", help="a table: .csv, .tsv, .xlsx or .jsonl; - reads JSON lines")
    command.add_argument("--prompt", help="with {{ column }} for a row's cell")
    command.add_argument("--template", metavar="SLUG", help="a template in place of a prompt")
    command.add_argument(
        "--map", action="append", default=[], metavar="VARIABLE=COLUMN", help="which column fills a variable"
    )
    _sampling(command)
    command.add_argument("--name", help="the run's name (default: the file's)")
    command.add_argument("--sheet", help="the sheet of a workbook (default: the first)")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    command.add_argument("--yes", "-y", action="store_true", help="begin without asking")
    command.add_argument("--detach", action="store_true", help="begin, and do not wait for the end")
    command.add_argument("--follow", nargs="+", metavar="ID", help="follow runs that have begun, in place of a file")
    command.add_argument(
        "--download", metavar="PATH", help="write the table with the texts there (.csv, .xlsx, .jsonl)"
    )


def _tail(command: argparse.ArgumentParser) -> None:
    command.add_argument("--type", action="append", default=[], help="only this type; team.* for a group; repeatable")
    start = command.add_mutually_exclusive_group()
    start.add_argument("--after", metavar="NUMBER", help="go on behind this event")
    start.add_argument("--all", action="store_true", help="begin with the oldest event that is kept")
    command.add_argument("--count", type=int, metavar="N", help="end after N events")


def _webhook(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="?", default="-", help="the body as it arrived; - (the default) is the input")
    command.add_argument(
        "--header", "-H", action="append", default=[], metavar="NAME: VALUE", help="a header; or --headers"
    )
    command.add_argument("--headers", metavar="FILE", help="a file with the headers, one a line")
    command.add_argument(
        "--secret", action="append", default=[], help="whsec_… or whpk_…; default: MILLRACE_WEBHOOK_SECRET"
    )
    command.add_argument("--tolerance", type=int, default=300, metavar="SECONDS", help="how old it may be (300)")
    command.add_argument("--ignore-time", action="store_true", help="check the signature whenever it was made")
