"""Articles, flows, and what the bot learns from, each table behind its wall."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.crypto
import apps.core.ids
import apps.core.tenancy.models
import apps.knowledge.vectors
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import APPLICATION_ROLE, TenantWall

# Of what never changes only the name of whoever wrote it can be taken off.
NAMES = {"articleversion": "created_by_id", "flowversion": "created_by_id", "flowapproval": "approved_by_id"}


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="ArticleCategory",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("position", models.PositiveIntegerField(default=0)),
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
                            models.UniqueConstraint(fields=("organization", "name"), name="article_category_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Article",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.CharField(max_length=80)),
                        ("versions_count", models.PositiveIntegerField(default=0)),
                        ("archived_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "category",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="articles",
                                to="support.articlecategory",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "-created_at", "-id"], name="article_newest")],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "slug"), name="article_slug_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ArticleVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("locale", models.CharField(max_length=12)),
                        ("title", models.CharField(max_length=160)),
                        ("body", models.TextField()),
                        ("source", models.CharField(blank=True, max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "article",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="support.article",
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
                                fields=("organization", "article", "number"), name="article_version_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ArticlePassage",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("locale", models.CharField(max_length=12)),
                        ("position", models.PositiveIntegerField()),
                        ("text", models.TextField()),
                        (
                            "heading",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, size=None
                            ),
                        ),
                        ("lexemes", django.contrib.postgres.search.SearchVectorField(null=True)),
                        ("embedding", apps.knowledge.vectors.VectorField(null=True)),
                        ("embedder", models.CharField(blank=True, max_length=120)),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        (
                            "article",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.article",
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
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.articleversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            django.contrib.postgres.indexes.GinIndex(fields=["lexemes"], name="article_passage_words"),
                            models.Index(
                                condition=models.Q(("embedder", "")), fields=["id"], name="article_passage_waiting"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "version", "position"), name="article_passage_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BotAction",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=64)),
                        ("url", models.CharField(max_length=2000)),
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("changes", models.BooleanField(default=True)),
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
                            models.UniqueConstraint(fields=("organization", "name"), name="bot_action_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Dataset",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("sha256", models.CharField(max_length=64)),
                        ("rows", models.JSONField()),
                        ("train_count", models.PositiveIntegerField()),
                        ("test_count", models.PositiveIntegerField()),
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
                            models.UniqueConstraint(fields=("organization", "number"), name="dataset_once"),
                            models.UniqueConstraint(fields=("organization", "sha256"), name="dataset_hash_once"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DialogueEvent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveIntegerField()),
                        ("body", models.TextField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "turn",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.botturn",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "position"), name="dialogue_event_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DialogueModel",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("path", models.CharField(max_length=200)),
                        ("sha256", models.CharField(max_length=64)),
                        ("intents", models.JSONField(default=list)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="models",
                                to="support.trainingrun",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "number"), name="dialogue_model_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FlowVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("text", models.TextField()),
                        ("stories", models.TextField(blank=True)),
                        ("note", models.CharField(blank=True, max_length=200)),
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
                            models.UniqueConstraint(fields=("organization", "number"), name="flow_version_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FlowApproval",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("approved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "approved_by",
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
                        (
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="support.flowversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "version"), name="flow_approved_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BotSettings",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("is_on", models.BooleanField(default=False)),
                        ("accept", models.FloatField(default=0.5)),
                        ("margin", models.FloatField(default=0.15)),
                        ("quiet_seconds", models.FloatField(default=1.5)),
                        ("least_likeness", models.FloatField(default=0.45)),
                        ("duties", models.JSONField(default=dict)),
                        ("four_eyes", models.BooleanField(default=False)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "model",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="support.dialoguemodel",
                            ),
                        ),
                        (
                            "flows",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="support.flowversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [models.UniqueConstraint(fields=("organization",), name="bot_settings_once")],
                    },
                ),
                migrations.CreateModel(
                    name="HelpCentre",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.CharField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=80)),
                        ("locale", models.CharField(default="en", max_length=12)),
                        ("is_open", models.BooleanField(default=False)),
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
                        "constraints": [models.UniqueConstraint(fields=("organization",), name="help_centre_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Publication",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("locale", models.CharField(max_length=12)),
                        ("published_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "article",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="publications",
                                to="support.article",
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
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.articleversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "article", "locale"), name="article_published_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StoryRun",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("queued", "Queued"),
                                    ("running", "Running"),
                                    ("succeeded", "Succeeded"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="queued",
                                max_length=10,
                            ),
                        ),
                        ("attempt", models.PositiveSmallIntegerField(default=0)),
                        ("crashes", models.PositiveSmallIntegerField(default=0)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("cancel_requested_at", models.DateTimeField(null=True)),
                        ("deadline_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("claimed_at", models.DateTimeField(null=True)),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                        ("error_message", models.TextField(blank=True)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        ("calls", models.BooleanField(default=False)),
                        ("results", models.JSONField(default=list)),
                        ("passed", models.PositiveIntegerField(default=0)),
                        ("failed", models.PositiveIntegerField(default=0)),
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
                            "model",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.dialoguemodel",
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
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="runs",
                                to="support.flowversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("status", "queued")),
                                fields=["organization", "created_at", "id"],
                                name="storyrun_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="storyrun_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="storyrun_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="storyrun_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="storyrun_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TrainingRun",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("queued", "Queued"),
                                    ("running", "Running"),
                                    ("succeeded", "Succeeded"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="queued",
                                max_length=10,
                            ),
                        ),
                        ("attempt", models.PositiveSmallIntegerField(default=0)),
                        ("crashes", models.PositiveSmallIntegerField(default=0)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("cancel_requested_at", models.DateTimeField(null=True)),
                        ("deadline_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("claimed_at", models.DateTimeField(null=True)),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                        ("error_message", models.TextField(blank=True)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        (
                            "method",
                            models.CharField(
                                choices=[
                                    ("head", "Head on the frozen encoder (seconds to a minute)"),
                                    ("full", "Whole encoder tuned (minutes)"),
                                ],
                                default="head",
                                max_length=4,
                            ),
                        ),
                        ("stage", models.CharField(blank=True, max_length=20)),
                        ("progress", models.FloatField(default=0.0)),
                        ("promotes", models.BooleanField(default=False)),
                        ("report", models.JSONField(default=dict)),
                        ("doubts", models.JSONField(default=list)),
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
                            "dataset",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="runs",
                                to="support.dataset",
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
                                condition=models.Q(("status", "queued")),
                                fields=["organization", "created_at", "id"],
                                name="trainingrun_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="trainingrun_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="trainingrun_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="trainingrun_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="trainingrun_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TurnRecord",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("through", models.PositiveIntegerField()),
                        ("text", models.TextField(blank=True)),
                        ("reading", models.JSONField(default=dict)),
                        ("outcome", models.CharField(max_length=20)),
                        ("reason", models.CharField(blank=True, max_length=64)),
                        ("corrected", models.CharField(blank=True, max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "article",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.articleversion",
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
                            "flows",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.flowversion",
                            ),
                        ),
                        (
                            "model",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.dialoguemodel",
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
                            "turn",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.botturn",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-created_at", "-id"], name="turn_record_newest"),
                            models.Index(
                                fields=["organization", "conversation", "-through"], name="turn_record_latest"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "turn"), name="turn_record_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="IntentExample",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("text", models.CharField(max_length=500)),
                        ("intent", models.CharField(max_length=64)),
                        ("is_test", models.BooleanField(default=False)),
                        ("is_sure", models.BooleanField(default=False)),
                        (
                            "source",
                            models.CharField(
                                choices=[
                                    ("import", "imported"),
                                    ("typed", "written here"),
                                    ("agent", "marked by an agent"),
                                ],
                                max_length=6,
                            ),
                        ),
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
                        (
                            "record",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.turnrecord",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "intent"], name="intent_example_intent"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="intent_example_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "text"), name="intent_example_once")
                        ],
                    },
                ),
            ],
        ),
        # Vectors have length 1: the inner product orders them as the cosine does.
        migrations.RunSQL(
            "CREATE INDEX article_passage_embedding ON support_articlepassage USING hnsw (embedding halfvec_ip_ops)",
            "DROP INDEX article_passage_embedding",
        ),
        TenantWall("HelpCentre"),
        TenantWall("ArticleCategory"),
        TenantWall("Article"),
        TenantWall("ArticleVersion", append_only=True),
        TenantWall("Publication"),
        TenantWall("ArticlePassage"),
        TenantWall("FlowVersion", append_only=True),
        TenantWall("FlowApproval", append_only=True),
        TenantWall("BotAction"),
        TenantWall("Dataset", append_only=True),
        TenantWall("TrainingRun"),
        TenantWall("DialogueModel"),
        TenantWall("StoryRun"),
        TenantWall("BotSettings"),
        TenantWall("TurnRecord"),
        TenantWall("IntentExample"),
        TenantWall("DialogueEvent"),
        migrations.RunSQL(
            [f"GRANT UPDATE ({column}) ON support_{table} TO {APPLICATION_ROLE}" for table, column in NAMES.items()],
            migrations.RunSQL.noop,
        ),
        AuditedTable("HelpCentre"),
        AuditedTable("BotAction"),
        AuditedTable("BotSettings", name="id"),
    ]
