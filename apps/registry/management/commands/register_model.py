"""`manage.py register_model NAME --source FOLDER_OR_ID | --remote-url URL`, and `--alias default` to point an alias."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.errors import MillraceError
from apps.registry.services import ModelDefinition, move_alias, register_model


class Command(BaseCommand):
    help = "Registers a model version, and points aliases at it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--source", default="", help="a folder, or a Hugging Face id")
        parser.add_argument("--revision", default="", help="the pinned commit of a Hugging Face id")
        parser.add_argument("--remote-url", default="", help="base URL of an OpenAI-compatible server, ending in /v1")
        parser.add_argument("--remote-model", default="", help="the name the remote server knows the model by")
        parser.add_argument("--credential", default="", help="the environment variable with the remote server's key")
        parser.add_argument("--context", type=int, default=0, help="context length in tokens")
        parser.add_argument("--input-price", type=Decimal, default=Decimal(0), help="per 1,000 prompt tokens")
        parser.add_argument("--output-price", type=Decimal, default=Decimal(0), help="per 1,000 produced tokens")
        parser.add_argument(
            "--no-instructions", action="store_true", help="it writes what it was trained for, and answers no questions"
        )
        parser.add_argument("--alias", action="append", default=[], help="an alias to point at this model")

    def handle(self, *args: Any, **options: Any) -> None:
        definition = ModelDefinition(
            name=options["name"],
            source=options["source"],
            revision=options["revision"],
            remote_url=options["remote_url"],
            remote_model=options["remote_model"] or (options["name"] if options["remote_url"] else ""),
            credential=options["credential"],
            context_length=options["context"],
            input_price=options["input_price"],
            output_price=options["output_price"],
            follows_instructions=not options["no_instructions"],
        )
        try:
            if not definition.source and not definition.remote_url:
                version_name = definition.name
            else:
                version_name = register_model(definition).name
            for alias in options["alias"]:
                move_alias(alias, version_name)
        except MillraceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{version_name}: {', '.join(options['alias']) or 'registered'}")
