"""Answers, drafts and summaries that models write, and what the bot has resolved, each table behind its wall."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
from apps.core.tenancy.migrations import TenantWall


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0004_chat"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="botsettings",
            name="answer_seconds",
            field=models.FloatField(db_default=20.0, default=20.0),
        ),
        migrations.AddField(
            model_name="botsettings",
            name="idle_hours",
            field=models.PositiveIntegerField(db_default=24, default=24),
        ),
        migrations.AddField(
            model_name="botsettings",
            name="writer",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="botturn",
            name="asked",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="botturn",
            name="generation",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="turnrecord",
            name="generation",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="turnrecord",
            name="writer",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.CreateModel(
            name="BotResolution",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("resolved", "resolved"),
                            ("held", "waiting"),
                            ("counted", "counted"),
                            ("reopened", "reopened"),
                            ("refused", "beyond the plan"),
                        ],
                        default="resolved",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("resolved_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("reopened_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "conversation",
                    apps.core.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="support.conversation",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["resolved", "held"])),
                        fields=["due_at"],
                        name="bot_resolution_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["resolved", "held", "counted", "refused"])),
                        fields=("organization", "conversation"),
                        name="bot_resolution_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DeskDraft",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(choices=[("reply", "suggested reply"), ("summary", "summary")], max_length=7),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("writing", "being written"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("stopped", "stopped"),
                        ],
                        default="writing",
                        max_length=7,
                    ),
                ),
                ("since", models.PositiveIntegerField()),
                ("through", models.PositiveIntegerField()),
                ("generation", models.UUIDField()),
                ("writer", models.CharField(max_length=120)),
                ("text", models.TextField(blank=True)),
                ("sources", models.JSONField(default=list)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "conversation",
                    apps.core.tenancy.models.TenantForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to="support.conversation",
                    ),
                ),
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        fields=["organization", "conversation", "-created_at", "-id"], name="desk_draft_newest"
                    ),
                    models.Index(
                        condition=models.Q(("state", "writing")), fields=["created_at"], name="desk_draft_writing"
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("organization", "generation"), name="desk_draft_once")],
            },
        ),
        migrations.AddField("intentexample", "slots", models.JSONField(db_default=[], default=list)),
        migrations.AddField("dialoguemodel", "slots", models.JSONField(db_default=[], default=list)),
        migrations.AddField("dialoguemodel", "ranks", models.BooleanField(db_default=False, default=False)),
        TenantWall("BotResolution"),
        TenantWall("DeskDraft"),
    ]
