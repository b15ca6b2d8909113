"""The two groups of staff; what each may do stands in apps/staff/abilities.py."""

from typing import Any

from django.db import migrations

GROUPS = ("support", "operator")


def make_groups(apps: Any, schema_editor: Any) -> None:
    for name in GROUPS:
        apps.get_model("auth", "Group").objects.get_or_create(name=name)


def remove_groups(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length"), ("accounts", "0001_initial")]

    operations = [migrations.RunPython(make_groups, remove_groups)]
