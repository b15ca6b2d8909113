"""Texts of the support desk have an origin of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0002_bulk_prompt"),
    ]

    operations = [
        migrations.AlterField(
            model_name="generation",
            name="origin",
            field=models.CharField(
                choices=[
                    ("studio", "Studio"),
                    ("api", "Api"),
                    ("template", "Template"),
                    ("run", "Run"),
                    ("document", "Document"),
                    ("bulk", "Bulk"),
                    ("conversation", "Conversation"),
                    ("schedule", "Schedule"),
                    ("support", "Support"),
                ],
                db_default="studio",
                default="studio",
                max_length=12,
            ),
        ),
    ]
