"""`manage.py in_turn '[["translations", "compile"], ["seed_documents"]]'`, for `make run`."""

import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """One process for all of them: starting Django, and checking it, takes longer than most commands do."""

    help = "Runs several commands, one after another, until one fails."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("commands", type=json.loads, help="a JSON list of lists: each a command and its arguments")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, *arguments in options["commands"]:
            call_command(name, *arguments)
