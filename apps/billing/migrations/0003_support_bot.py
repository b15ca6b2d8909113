"""The bot of the support desk becomes something that plans bring; those that there are go on bringing it."""

from typing import Any

from django.db import migrations

CODE = "support_bot"


def add(apps: Any, schema_editor: Any) -> None:
    for plan in apps.get_model("billing", "Plan").objects.exclude(features__contains=[CODE]):
        plan.features = [*plan.features, CODE]
        plan.save(update_fields=["features"])


def remove(apps: Any, schema_editor: Any) -> None:
    for plan in apps.get_model("billing", "Plan").objects.filter(features__contains=[CODE]):
        plan.features = [each for each in plan.features if each != CODE]
        plan.save(update_fields=["features"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_teams_digest")]

    operations = [migrations.RunPython(add, remove)]
