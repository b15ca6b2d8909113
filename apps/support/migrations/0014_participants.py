"""Who takes part in a conversation, and from where on one is marked as unread."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall


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
        TenantWall("Participant"),
    ]
