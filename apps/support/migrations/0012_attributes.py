"""What attributes of contacts and conversations are like."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall

KINDS = "account inbox contact session user team bot label canned endpoint".split()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0011_chatwoot"),
    ]

    operations = [
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="AttributeDefinition",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "of",
                            models.CharField(
                                choices=[("contact", "contact"), ("conversation", "conversation")], max_length=12
                            ),
                        ),
                        ("key", models.CharField(max_length=60)),
                        ("name", models.CharField(max_length=80)),
                        ("about", models.CharField(blank=True, max_length=500)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("text", "text"),
                                    ("number", "number"),
                                    ("currency", "amount of money"),
                                    ("percent", "percent"),
                                    ("link", "link"),
                                    ("date", "date"),
                                    ("list", "one of a list"),
                                    ("checkbox", "yes or no"),
                                ],
                                default="text",
                                max_length=8,
                            ),
                        ),
                        (
                            "choices",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, size=None
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(auto_now=True)),
                        (
                            "created_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "of", "key"), name="support_attribute_once"
                            ),
                        ],
                    },
                ),
            ]
        ),
        TenantWall("AttributeDefinition"),
        migrations.AlterField(
            "rownumber",
            "kind",
            models.CharField(
                choices=[*((kind, kind.capitalize()) for kind in KINDS), ("field", "Attribute")], max_length=8
            ),
        ),
    ]
