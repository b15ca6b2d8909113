"""Who takes part in a conversation, from where on one is marked as unread, and notes about contacts."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall

KINDS = "account inbox contact session user team bot label canned endpoint".split()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0013_scan_attempts"),
    ]

    operations = [
        migrations.AddField("conversation", "unread_from", models.PositiveIntegerField(null=True)),
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="Participant",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("told_through", models.PositiveIntegerField(db_default=0, default=0)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "conversation",
                            apps.core.tenancy.TenantForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="participants",
                                to="support.conversation",
                            ),
                        ),
                        (
                            "membership",
                            apps.core.tenancy.TenantForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.membership",
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
                                fields=("organization", "conversation", "membership"), name="support_participant_once"
                            ),
                        ],
                    },
                ),
            ]
        ),
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="ContactNote",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("content", models.TextField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "contact",
                            apps.core.tenancy.TenantForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notes",
                                to="support.contact",
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
                        (
                            "user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                fields=["organization", "contact", "-created_at"], name="support_note_of_contact"
                            )
                        ],
                    },
                ),
            ]
        ),
        TenantWall("Participant"),
        TenantWall("ContactNote"),
        migrations.AlterField(
            "rownumber",
            "kind",
            models.CharField(
                choices=[
                    *((kind, kind.capitalize()) for kind in KINDS),
                    ("field", "Attribute"),
                    ("note", "Note"),
                ],
                max_length=8,
            ),
        ),
    ]
