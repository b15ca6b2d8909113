"""Gives the ledger's lines the day on which their work was asked for."""

from typing import Any

from django.db import migrations, models
from django.db.models import Q

DAYS = """
UPDATE billing_ledgerentry entry SET day = least(greatest((held.created_at AT TIME ZONE 'UTC')::date, held.month),
    (held.month + interval '1 month - 1 day')::date)
FROM billing_ledgerentry held
WHERE held.organization_id = entry.organization_id AND held.job_id = entry.job_id AND held.kind = 'hold'
"""


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        # Also whoever owns the tables is held back by the wall, unless they look across it.
        cursor.execute("SELECT set_config('app.across', 'on', true)")
        cursor.execute(DAYS)
        cursor.execute("SELECT set_config('app.across', 'off', true)")
        # A table with rows whose constraints are still to be checked cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_service_accounts")]
    operations = [
        migrations.AddField("LedgerEntry", "day", models.DateField(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("LedgerEntry", "day", models.DateField()),
        migrations.RemoveIndex("LedgerEntry", "ledger_settled"),
        *(
            migrations.AddIndex(
                "LedgerEntry",
                models.Index(
                    fields=["organization", by, "-id"], condition=Q(kind="settle"), name=f"ledger_settled_{by}"
                ),
            )
            for by in ("month", "day", "spender")
        ),
    ]
