"""Messages as Chatwoot sends them."""

from django.db import migrations, models

CHOICES = [
    ("standard", "JSON (Standard Webhooks)"),
    ("slack", "Slack"),
    ("teams", "Microsoft Teams"),
    ("email", "e-mail to a member"),
    ("chatwoot", "Chatwoot"),
]


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0002_formats")]

    operations = [
        migrations.AlterField(
            "endpoint", "format", models.CharField(max_length=10, choices=CHOICES, default="standard")
        ),
    ]
