"""Puts a digest of the teams in the key of an hour's sum: an index takes no row of more than some 2,700 bytes."""

from django.db import migrations, models

ONCE = "organization hour spender api_key model_name meter currency charge_currency teams_digest".split()
# PostgreSQL calls `array_send` stable, since it is so for some types; for ids it depends on nothing but them.
FUNCTION = """
CREATE FUNCTION billing_teams_digest(uuid[]) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.sha256(pg_catalog.array_send($1))
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_schema")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION billing_teams_digest(uuid[])"),
        migrations.AddField(
            "usagehour",
            "teams_digest",
            models.GeneratedField(
                db_persist=True,
                expression=models.Func(models.F("team_ids"), function="billing_teams_digest"),
                output_field=models.BinaryField(),
            ),
        ),
        migrations.RemoveConstraint("usagehour", "usage_hour_once"),
        migrations.AddConstraint(
            "usagehour",
            models.UniqueConstraint(fields=ONCE, name="usage_hour_once", nulls_distinct=False),
        ),
    ]
