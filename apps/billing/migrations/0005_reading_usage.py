"""Training is shown as time; and whose a line is, is asked once for each statement and not for each of its lines.

A month may have a hundred thousand lines, which the wall then costs more than their sums do.
"""

from django.db import migrations, models

METERS = [
    ("tokens_in", "Tokens in"),
    ("tokens_out", "Tokens out"),
    ("images", "Images"),
    ("camera_minutes", "Camera minutes"),
    ("bot_resolutions", "Bot resolutions"),
    ("training_seconds", "Training time"),
]
ACROSS = "(SELECT current_setting('app.across', true)) = 'on'"
FOR_EACH_LINE = f"organization_id = nullif(current_setting('app.org', true), '')::uuid OR {ACROSS}"
ONCE = f"organization_id = (SELECT nullif(current_setting('app.org', true), '')::uuid) OR {ACROSS}"


def wall(table: str) -> migrations.RunSQL:
    """The same wall in other words: PostgreSQL takes a subquery for a value of the statement."""
    sql = f"ALTER POLICY tenant ON {table} USING ({{0}}) WITH CHECK ({{0}})"
    return migrations.RunSQL(sql.format(ONCE), sql.format(FOR_EACH_LINE))


def meter(model: str, name: str, *more: tuple[str, str]) -> migrations.AlterField:
    """What may stand in a column that names a meter."""
    return migrations.AlterField(model, name, models.CharField(choices=[*METERS, *more], max_length=20))


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_spent_keys")]

    operations = [
        meter("meterperiod", "meter"),
        meter("planallowance", "meter"),
        meter("planrate", "meter"),
        meter("usagealert", "subject", ("cap", "Cap"), ("credits", "Credits")),
        wall("billing_usagehour"),
        wall("billing_ledgerentry"),
    ]
