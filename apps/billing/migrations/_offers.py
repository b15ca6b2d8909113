"""What a new installation offers: plans, their prices, and packs of credit."""

from typing import Any

CURRENCIES = ("USD", "EUR", "CNY")
# Of each plan: what is said of it, seats, trial, features, limits, and its share of the workers.
PLANS: dict[str, dict[str, Any]] = {
    "free": {
        "name": "Free",
        "description": "To try everything, without a card.",
        "position": 1,
        "included_seats": 3,
        "max_seats": 3,
        "requests_per_minute": 600,
        "tokens_per_minute": 400_000,
        "max_queued": 1_000,
        "max_passages": 5_000,
    },
    "pro": {
        "name": "Pro",
        "description": "For teams that work with it every day.",
        "position": 2,
        "included_seats": 3,
        "max_seats": 200,
        "trial_days": 14,
        "features": ["no_sponsors"],
        "requests_per_minute": 3_000,
        "tokens_per_minute": 4_000_000,
        "max_queued": 5_000,
        "max_passages": 50_000,
        "weight": 4,
        "max_running": 128,
    },
    "enterprise": {
        "name": "Enterprise",
        "description": "For large organizations, with their own models and terms.",
        "position": 3,
        "included_seats": 25,
        "features": ["no_sponsors", "priority_support"],
        "requests_per_minute": 30_000,
        "tokens_per_minute": 100_000_000,
        "max_queued": 50_000,
        "weight": 16,
        "max_running": 1_024,
    },
}
# A month's base and seat in minor units of each currency; a year costs ten months.
PRICES = {
    "free": {"USD": (0, 0), "EUR": (0, 0), "CNY": (0, 0)},
    "pro": {"USD": (2_900, 900), "EUR": (2_700, 850), "CNY": (19_900, 5_900)},
    "enterprise": {"USD": (49_900, 1_500), "EUR": (46_900, 1_400), "CNY": (349_900, 9_900)},
}
# What a month includes of each meter, and whether more is charged.
ALLOWANCES = {
    "tokens_in": (1_000_000, 20_000_000, 1_000_000_000),
    "tokens_out": (1_000_000, 20_000_000, 1_000_000_000),
    "images": (100, 5_000, 100_000),
    "camera_minutes": (1_000, 50_000, 2_000_000),
    "bot_resolutions": (50, 1_000, 50_000),
    "training_seconds": (600, 36_000, 1_000_000),
}
# Minor units of each currency for so many of a meter, beyond what is included.
RATES = {
    "tokens_in": (1_000_000, ("50", "46", "350")),
    "tokens_out": (1_000_000, ("150", "140", "1050")),
    "images": (100, ("80", "75", "560")),
    "camera_minutes": (1_000, ("60", "55", "420")),
    "bot_resolutions": (1, ("45", "42", "320")),
    "training_seconds": (3_600, ("240", "220", "1680")),
}
PACKS = {"USD": ((1_000, 1_000), (5_000, 5_250), (20_000, 22_000)), "EUR": ((1_000, 1_000), (5_000, 5_250))}
PACKS["CNY"] = ((7_000, 7_000), (35_000, 36_750))


def add(apps: Any, schema_editor: Any) -> None:
    def model(name: str) -> Any:
        return apps.get_model("billing", name).objects

    for place, (code, facts) in enumerate(PLANS.items()):
        plan = model("Plan").create(code=code, **facts)
        for currency, (base, seat) in PRICES[code].items():
            months = (("month", 1), ("year", 10)) if base else (("month", 1),)
            for interval, times in months:
                money = {"base_minor": base * times, "seat_minor": seat * times}
                model("PlanPrice").create(plan=plan, interval=interval, currency=currency, **money)
        for meter, included in ALLOWANCES.items():
            overage = "stop" if code == "free" else "charge"
            model("PlanAllowance").create(plan=plan, meter=meter, included=included[place], overage=overage)
            per, prices = RATES[meter]
            for currency, price in zip(CURRENCIES, prices, strict=True):
                model("PlanRate").create(plan=plan, meter=meter, currency=currency, per=per, price_minor=price)
    for currency, packs in PACKS.items():
        for number, (price, credit) in enumerate(packs, 1):
            code, name = f"credit-{currency.lower()}-{number}", f"{credit // 100} {currency}"
            money = {"currency": currency, "price_minor": price, "credit_minor": credit}
            model("CreditPack").create(code=code, name=name, **money)
