"""What messages look like to their receivers."""

from django.db import migrations, models

CHOICES = [
    ("standard", "JSON (Standard Webhooks)"),
    ("slack", "Slack"),
    ("teams", "Microsoft Teams"),
    ("email", "e-mail to a member"),
]


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_schema")]

    operations = [
        migrations.AddField("endpoint", "format", models.CharField(max_length=10, choices=CHOICES, default="standard")),
    ]
