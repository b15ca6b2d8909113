from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("studio", "0003_support_origin"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="document",
            index=models.Index(
                condition=models.Q(("deleted_at", None), models.Q(("tags", []), _negated=True)),
                fields=["organization", "-updated_at", "-id"],
                name="document_tagged",
            ),
        ),
        migrations.AddIndex(
            model_name="documentindex",
            index=models.Index(fields=["organization", "-changed_at"], name="document_search_newest"),
        ),
    ]
