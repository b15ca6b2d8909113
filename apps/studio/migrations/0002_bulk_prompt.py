"""What placeholders in a bulk run's own prompt stand for, sealed, as it is for its rows."""

from django.db import migrations

import apps.core.crypto


class Migration(migrations.Migration):
    dependencies = [("studio", "0001_schema")]

    operations = [
        migrations.AddField(
            model_name="bulkrun",
            name="originals",
            field=apps.core.crypto.SealedText(blank=True, db_default="", default="", editable=False),
        ),
    ]
