from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0007_session_by_digest"),
    ]

    operations = [
        migrations.AddField(
            model_name="dataset",
            name="origins",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="dataset",
            name="erased",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
