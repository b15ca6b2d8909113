from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0006_still_held"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="contactsession",
            index=models.Index(fields=["digest"], name="support_session_digest"),
        ),
    ]
