"""`manage.py plan CODE [--weight N …] [--allowance METER=N …]`: shows a plan, or changes its terms and prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.accounts import audit
from apps.billing.models import Interval, Meter, Overage, Plan, PlanAllowance, PlanPrice, PlanRate
from apps.core.currencies import chargeable
from apps.core.errors import AmountNotChargeable

LIMITS = ("requests_per_minute", "tokens_per_minute", "max_queued", "weight", "max_running", "max_passages")


class Command(BaseCommand):
    help = "Shows a plan's limits, allowances, rates and prices, after changing those that are given."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        for limit in LIMITS:
            parser.add_argument(f"--{limit.replace('_', '-')}", type=int)
        parser.add_argument("--allowance", action="append", default=[], metavar="METER=N", help="a month's")
        parser.add_argument("--overage", action="append", default=[], metavar="METER=stop|charge")
        parser.add_argument(
            "--rate", action="append", default=[], metavar="METER:CURRENCY=MINOR/PER", help="tokens_in:USD=50/1000000"
        )

        parser.add_argument(
            "--price", action="append", default=[], metavar="INTERVAL:CURRENCY=BASE+SEAT", help="month:USD=2900+900"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = Plan.objects.filter(code=options["code"]).first()
        if plan is None:
            known = ", ".join(Plan.objects.order_by("code").values_list("code", flat=True))
            raise CommandError(f"There is no plan {options['code']!r}; known: {known}.")
        with transaction.atomic():
            _change(plan, {limit: options[limit] for limit in LIMITS if options[limit] is not None})
            for given in options["allowance"]:
                name, text = _pair(given)
                _change(_allowance(plan, name), {"included": _number(text)})
            for given in options["overage"]:
                name, text = _pair(given)
                _change(_allowance(plan, name), {"overage": text})
            for given in options["rate"]:
                name, text = _pair(given)
                price, _, per = text.partition("/")
                _change(_rate(plan, name), {"price_minor": _decimal(price), "per": _number(per or "1")})
            for given in options["price"]:
                name, text = _pair(given)
                _price(plan, name, text)
        self.stdout.write(_told(plan))


def _told(plan: Plan) -> str:
    lines = [f"{plan.code}: " + ", ".join(f"{limit} {getattr(plan, limit)}" for limit in LIMITS)]
    lines += [f"  {row.meter}: {row.included} a month, then {row.overage}" for row in plan.allowances.order_by("meter")]
    lines += [
        f"  {row.meter} in {row.currency}: {row.price_minor.normalize():f} minor units for {row.per}"
        for row in plan.rates.order_by("meter", "currency")
    ]
    lines += [
        f"  a {row.interval} in {row.currency}: {row.base_minor} minor units, {row.seat_minor} for each further seat"
        for row in plan.prices.filter(is_active=True).order_by("currency", "interval")
    ]
    return "\n".join(lines)


def _pair(given: str) -> tuple[str, str]:
    name, mark, text = given.partition("=")
    if not mark:
        raise CommandError(f"{given!r} is not of the form NAME=VALUE.")
    return name, text


def _number(text: str) -> int:
    if not text.isdigit():
        raise CommandError(f"{text!r} is not a number.")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is not a price.") from None


def _allowance(plan: Plan, meter: str) -> PlanAllowance:
    row = PlanAllowance.objects.filter(plan=plan, meter=meter).first()
    return row or PlanAllowance(plan=plan, meter=meter, included=0, overage=Overage.STOP)


def _rate(plan: Plan, name: str) -> PlanRate:
    meter, mark, currency = name.partition(":")
    if not mark or len(currency) != 3:
        raise CommandError(f"{name!r} is not of the form METER:CURRENCY; meters: {', '.join(Meter.values)}.")
    row = PlanRate.objects.filter(plan=plan, meter=meter, currency=currency.upper()).first()
    return row or PlanRate(plan=plan, meter=meter, currency=currency.upper(), per=1, price_minor=Decimal(0))


def _price(plan: Plan, name: str, text: str) -> None:
    """Puts another price in the place of one that was sold: whoever pays that keeps it."""
    interval, mark, currency = name.partition(":")
    if not mark or len(currency) != 3 or interval not in Interval.values:
        raise CommandError(f"{name!r} is not of the form INTERVAL:CURRENCY; intervals: {', '.join(Interval.values)}.")
    base, _, seat = text.partition("+")
    wanted = {"base_minor": _number(base), "seat_minor": _number(seat or "0")}
    require_chargeable(wanted, currency)
    whose: dict[str, Any] = {"plan": plan, "interval": interval, "currency": currency.upper()}
    for row in PlanPrice.objects.select_for_update().filter(**whose, is_active=True):
        if (row.base_minor, row.seat_minor) == tuple(wanted.values()):
            return
        _change(row, {"is_active": False})
    _change(PlanPrice(**whose, base_minor=0), wanted)


def require_chargeable(amounts: dict[str, int], currency: str) -> None:
    """Nothing is written that the currency cannot be paid in."""
    for name, minor in amounts.items():
        try:
            chargeable(minor, currency, name)
        except AmountNotChargeable as error:
            raise CommandError(f"{name}: {error.message}") from None


def _change(row: Any, values: dict[str, Any]) -> None:
    change(row, values, by="manage.py plan" if isinstance(row, Plan) else f"manage.py plan {row.plan.code}")


def change(row: Any, values: dict[str, Any], *, by: str) -> None:
    """Changes a row and records what is different, and nothing when nothing is."""
    fresh = row._state.adding
    after = {name: value for name, value in values.items() if fresh or getattr(row, name) != value}
    before = {name: None if fresh else getattr(row, name) for name in after}
    for name, value in after.items():
        if isinstance(value, int) and value < 0:
            raise CommandError(f"{name} cannot be negative.")
        setattr(row, name, value)
    try:
        row.full_clean()
    except ValidationError as error:
        said = "; ".join(f"{name}: {' '.join(words)}" for name, words in error.message_dict.items())
        raise CommandError(said) from error
    if after:
        row.save()
        old = {name: _plain(value) for name, value in before.items()}
        new = {name: _plain(value) for name, value in after.items()}
        audit.record_installation("plan.changed", row, before=old, after=new, by=by)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
