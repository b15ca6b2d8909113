"""`manage.py plan CODE [--monthly-tokens N …]`: shows a plan, or changes its limits and its share."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.accounts import audit
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
        before = _limits(plan)
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
        _save(plan, before)
        self.stdout.write(f"{plan.code}: " + ", ".join(f"{limit} {getattr(plan, limit)}" for limit in LIMITS))


def _limits(plan: Plan) -> dict[str, int]:
    return {limit: getattr(plan, limit) for limit in LIMITS}


@transaction.atomic
def _save(plan: Plan, before: dict[str, int]) -> None:
    """Records what is different, and nothing when nothing is."""
    after = {limit: value for limit, value in _limits(plan).items() if value != before[limit]}
    if after:
        plan.save(update_fields=list(after))
        old = {limit: before[limit] for limit in after}
        audit.record_installation("plan.changed", plan, before=old, after=after, by="manage.py plan")
