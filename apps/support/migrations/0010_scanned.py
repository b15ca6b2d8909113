from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0009_mail_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="messagefile",
            name="scan",
            field=models.CharField(
                blank=True,
                choices=[("waiting", "is being checked"), ("clean", "checked"), ("infected", "infected")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="messagefile",
            name="finding",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddIndex(
            model_name="messagefile",
            index=models.Index(
                condition=models.Q(("scan", "waiting")), fields=["created_at"], name="support_file_unscanned"
            ),
        ),
    ]
