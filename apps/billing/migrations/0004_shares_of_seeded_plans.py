from typing import Any

from django.db import migrations

# Weight and most running jobs; the free plan keeps the defaults of the columns.
SHARES = {"pro": (4, 128), "enterprise": (16, 1_024)}


def give_shares(apps: Any, schema_editor: Any) -> None:
    for code, (weight, running) in SHARES.items():
        apps.get_model("billing", "Plan").objects.filter(code=code).update(weight=weight, max_running=running)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_shares")]
    operations = [migrations.RunPython(give_shares, migrations.RunPython.noop)]
