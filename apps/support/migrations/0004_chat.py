"""Programs that answer in inboxes, and what they are told, each table behind its wall."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import apps.core.crypto
import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantReference, TenantWall


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0003_mail"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="AgentBot",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("url", models.CharField(max_length=1000)),
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("token_hint", models.CharField(max_length=8)),
                        ("patience_seconds", models.PositiveSmallIntegerField(default=30)),
                        ("failing_since", models.DateTimeField(null=True)),
                        ("answered_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                                models.F("organization"),
                                django.db.models.functions.text.Lower("name"),
                                name="support_agent_bot_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BotCall",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveIntegerField()),
                        ("event", models.CharField(max_length=40)),
                        ("details", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("running", "being sent"),
                                    ("delivered", "delivered"),
                                    ("failed", "failed"),
                                    ("dropped", "not sent any more"),
                                ],
                                default="waiting",
                                max_length=9,
                            ),
                        ),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("attempt", models.PositiveIntegerField(default=0)),
                        ("crashes", models.PositiveSmallIntegerField(default=0)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("first_at", models.DateTimeField(null=True)),
                        ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("last_status", models.PositiveSmallIntegerField(null=True)),
                        ("last_error", models.CharField(blank=True, max_length=60)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("finished_at", models.DateTimeField(null=True)),
                        (
                            "bot",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="calls",
                                to="support.agentbot",
                            ),
                        ),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.conversation",
                            ),
                        ),
                        (
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.message",
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
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state__in", ("waiting", "running"))),
                                fields=["conversation", "position"],
                                name="support_bot_call_due",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "position"), name="support_bot_call_in_order"
                            )
                        ],
                    },
                ),
            ]
        ),
        TenantWall("AgentBot"),
        TenantWall("BotCall"),
        migrations.AddField(
            "inbox",
            "agent_bot",
            apps.core.tenancy.models.TenantForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="inboxes",
                to="support.agentbot",
            ),
        ),
        TenantReference("Inbox", "agent_bot"),
        migrations.AddConstraint(
            "inbox",
            models.CheckConstraint(
                condition=models.Q(("bot_enabled", False), ("agent_bot", None), _connector="OR"),
                name="support_inbox_has_one_bot",
            ),
        ),
        migrations.AddIndex(
            "conversation",
            models.Index(condition=models.Q(("bot_owns", True)), fields=["inbox"], name="support_conversation_of_bots"),
        ),
        AuditedTable("AgentBot", without=("failing_since", "answered_at")),
    ]
