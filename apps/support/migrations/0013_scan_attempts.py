from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("support", "0012_attributes"),
    ]

    operations = [
        migrations.AddField(
            model_name="messagefile",
            name="scan_attempts",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="messagefile",
            name="scan_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="messagefile",
            name="scan",
            field=models.CharField(
                blank=True,
                choices=[
                    ("waiting", "is being checked"),
                    ("clean", "checked"),
                    ("infected", "infected"),
                    ("failed", "could not be checked"),
                ],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
    ]
