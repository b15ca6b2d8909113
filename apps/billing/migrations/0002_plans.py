from typing import Any

from django.db import migrations

PLANS = {
    "free": ("Free", 1_000_000, 600, 400_000, 1_000),
    "pro": ("Pro", 20_000_000, 3_000, 4_000_000, 5_000),
    "enterprise": ("Enterprise", 1_000_000_000, 30_000, 100_000_000, 50_000),
}


def add_plans(apps: Any, schema_editor: Any) -> None:
    plan = apps.get_model("billing", "Plan")
    for code, (name, monthly, requests, tokens, queued) in PLANS.items():
        limits = {"requests_per_minute": requests, "tokens_per_minute": tokens, "max_queued": queued}
        plan.objects.get_or_create(code=code, defaults={"name": name, "monthly_tokens": monthly, **limits})


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(add_plans, migrations.RunPython.noop)]
