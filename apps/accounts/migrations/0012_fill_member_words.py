"""Words of the members there are, batch by batch; one that was broken off is taken up again."""

from typing import Any

from django.db import migrations, transaction

BATCH_ROWS = 5_000
# Whatever is written there, the trigger writes the words; they begin with a space and are never empty.
FILL = """
UPDATE accounts_membership SET search = '' WHERE id IN (
    SELECT id FROM accounts_membership WHERE search = '' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def fill(apps: Any, schema_editor: Any) -> None:
    filled = BATCH_ROWS
    while filled == BATCH_ROWS:
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.across', 'on', true)")
            cursor.execute(FILL, [BATCH_ROWS])
            filled = cursor.rowcount


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("accounts", "0011_member_words"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
