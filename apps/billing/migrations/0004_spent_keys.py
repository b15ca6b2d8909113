"""A request that Stripe has failed for good, and that was not made, is asked for under another key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_support_bot")]

    operations = [
        migrations.AddField(
            model_name="stripeoperation",
            name="spent_keys",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        )
    ]
