"""`manage.py plan CODE [--monthly-tokens N …]`: shows a plan, or changes its limits and its share."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.billing.models import Plan

LIMITS = ("monthly_tokens", "requests_per_minute", "tokens_per_minute", "max_queued", "weight", "max_running")


class Command(BaseCommand):
    help = "Shows a plan's limits, after changing those that are given."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        for limit in LIMITS:
            parser.add_argument(f"--{limit.replace('_', '-')}", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        plan = Plan.objects.filter(code=options["code"]).first()
        if plan is None:
            known = ", ".join(Plan.objects.order_by("code").values_list("code", flat=True))
            raise CommandError(f"There is no plan {options['code']!r}; known: {known}.")
        for limit in LIMITS:
            if options[limit] is not None:
                if options[limit] < 0:
                    raise CommandError(f"{limit} cannot be negative.")
                setattr(plan, limit, options[limit])
        try:
            plan.full_clean()
        except ValidationError as error:
            raise CommandError(
                "; ".join(f"{name}: {' '.join(said)}" for name, said in error.message_dict.items())
            ) from error
        plan.save()
        self.stdout.write(f"{plan.code}: " + ", ".join(f"{limit} {getattr(plan, limit)}" for limit in LIMITS))
