"""What a rule is for, and numbers of rules and macros."""

from django.db import migrations, models

KINDS = "account inbox contact session user team bot label canned endpoint".split()


class Migration(migrations.Migration):
    dependencies = [
        ("support", "0014_participants"),
    ]

    operations = [
        migrations.AddField(
            "automationrule", "about", models.CharField(blank=True, db_default="", default="", max_length=500)
        ),
        migrations.AlterField(
            "rownumber",
            "kind",
            models.CharField(
                choices=[
                    *((kind, kind.capitalize()) for kind in KINDS),
                    ("field", "Attribute"),
                    ("note", "Note"),
                    ("macro", "Macro"),
                    ("rule", "Rule"),
                ],
                max_length=8,
            ),
        ),
    ]
