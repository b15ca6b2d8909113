"""Whole numbers for rows, labels of contacts, and that a window was opened, for programs written for Chatwoot."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import APPLICATION_ROLE, TenantReference, TenantWall

KINDS = "account inbox contact session user team bot label canned endpoint".split()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0010_scanned"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE support_account_number;"
            f" GRANT USAGE, SELECT ON SEQUENCE support_account_number TO {APPLICATION_ROLE}",
            "DROP SEQUENCE support_account_number",
        ),
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="RowNumber",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(choices=[(kind, kind.capitalize()) for kind in KINDS], max_length=8),
                        ),
                        ("row", models.UUIDField()),
                        ("number", models.PositiveBigIntegerField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                                fields=("organization", "kind", "row"), name="support_row_numbered_once"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "kind", "number"), name="support_row_number_once"
                            ),
                        ],
                    },
                ),
            ]
        ),
        TenantWall("RowNumber"),
        # With defaults of the database, so that processes of the version before go on writing.
        migrations.AddField(
            "contact",
            "labels",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField("contactsession", "opened", models.JSONField(null=True)),
        migrations.AlterField(
            "botcall",
            "conversation",
            apps.core.tenancy.models.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="support.conversation",
            ),
        ),
        migrations.AddField(
            "botcall",
            "session",
            apps.core.tenancy.models.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="support.contactsession",
            ),
        ),
        TenantReference("BotCall", "session"),
        migrations.AddConstraint(
            "botcall",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("conversation", None), ("session__isnull", False)),
                    models.Q(("conversation__isnull", False), ("session", None)),
                    _connector="OR",
                ),
                name="support_bot_call_of_one",
            ),
        ),
        migrations.AddIndex(
            "botcall",
            models.Index(
                condition=models.Q(("conversation", None), ("state__in", ("waiting", "running"))),
                fields=["next_at"],
                name="support_bot_call_alone",
            ),
        ),
    ]
