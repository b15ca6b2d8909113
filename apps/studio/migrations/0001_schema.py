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
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import APPLICATION_ROLE, TenantReference, TenantWall

# The wall of an index holds what is looked for as well (decision 34): row-level security keeps an index from everything
# but the policy itself, since only comparisons that are known to leak nothing may run before it. So the search is a
# part of the policy (`app.search`), which makes it narrower and never wider; where nothing is looked for it is every row.
MINE = """(organization_id = nullif(current_setting('app.org', true), '')::uuid
    OR (SELECT current_setting('app.across', true)) = 'on')"""
FOUND = "search @@ coalesce(nullif(current_setting('app.search', true), ''), 'every')::tsquery"
# The vectors lie beside the rows, so that counting and sorting what is found reads little.
SEARCHED = f"""
ALTER POLICY tenant ON {{table}} USING ({MINE} AND {FOUND}) WITH CHECK ({MINE} AND {FOUND});
ALTER TABLE {{table}} SET (toast_tuple_target = 128);
ALTER TABLE {{table}} ALTER COLUMN search SET STORAGE EXTERNAL;
"""
MOVING = ["revision", "start", "end", "quote", "gone_at"]
# What a worker writes while it trains is no change of anybody's.
JOB_COLUMNS = """status attempt crashes worker lease_until cancel_requested_at deadline_at claimed_at finished_at
    error_code error_message request_id examples weights curve average_precision""".split()
# Of what never changes only the name of whoever wrote it can be taken off.
NAMES = {
    "brandvoiceversion": "created_by_id",
    "templateversion": "created_by_id",
    "templateapproval": "approved_by_id",
    "safetypolicy": "created_by_id",
}


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("studio", "0001_initial"),
        ("studio", "0002_deadlines_and_least_tokens"),
        ("studio", "0003_usage"),
        ("studio", "0004_repeats"),
        ("studio", "0005_templates_and_voices"),
        ("studio", "0006_conversations"),
        ("studio", "0007_runs"),
        ("studio", "0008_documents"),
        ("studio", "0009_bulk_runs"),
        ("studio", "0010_files_and_batches"),
        ("studio", "0011_schedules"),
        ("studio", "0012_page_texts"),
        ("studio", "0013_safety"),
        ("studio", "0014_attempts_and_outcomes"),
        ("studio", "0015_members_among_recipients"),
        ("studio", "0016_conversation_index"),
        ("studio", "0017_fill_conversation_index"),
        ("studio", "0018_drop_search_of_conversations"),
        ("studio", "0019_schedules_of_tables"),
        ("studio", "0020_what_is_said"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
        ("registry", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="SafetyClassifier",
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
                        ("number", models.PositiveIntegerField()),
                        ("name", models.CharField(max_length=80)),
                        ("examples", models.JSONField(default=list)),
                        ("refused_count", models.PositiveIntegerField()),
                        ("allowed_count", models.PositiveIntegerField()),
                        ("weights", models.BinaryField(null=True)),
                        ("curve", models.JSONField(default=list)),
                        ("average_precision", models.FloatField(null=True)),
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
                        "indexes": [
                            models.Index(
                                condition=models.Q(("status", "queued")),
                                fields=["organization", "created_at", "id"],
                                name="safetyclassifier_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="safetyclassifier_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="safetyclassifier_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="safetyclassifier_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="safetyclassifier_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "number"), name="safety_classifier_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SafetyPolicy",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("rules", models.JSONField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "classifier",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.safetyclassifier",
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
                            models.UniqueConstraint(fields=("organization", "number"), name="safety_policy_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BrandVoice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60)),
                        ("name", models.CharField(max_length=120)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        ("latest", models.PositiveIntegerField(default=0)),
                        ("archived_at", models.DateTimeField(null=True)),
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
                        "indexes": [models.Index(fields=["organization", "-created_at", "-id"], name="voice_newest")],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "slug"), name="voice_slug_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BrandVoiceVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("content", models.JSONField()),
                        ("features", models.JSONField(null=True)),
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
                        (
                            "voice",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="studio.brandvoice",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "voice", "number"), name="voice_version_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Template",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60)),
                        ("name", models.CharField(max_length=120)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        ("content_type", models.CharField(default="custom", max_length=40)),
                        ("library", models.CharField(blank=True, max_length=80)),
                        (
                            "visibility",
                            models.CharField(
                                choices=[("organization", "Everybody in the organization"), ("teams", "Chosen teams")],
                                default="organization",
                                max_length=12,
                            ),
                        ),
                        ("latest", models.PositiveIntegerField(default=0)),
                        ("archived_at", models.DateTimeField(null=True)),
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
                        "indexes": [
                            models.Index(fields=["organization", "-created_at", "-id"], name="template_newest")
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "slug"), name="template_slug_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TemplateTeam",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
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
                            "team",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.team",
                            ),
                        ),
                        (
                            "template",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="shares",
                                to="studio.template",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "template", "team"), name="template_team_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TemplateVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("system", models.TextField(blank=True)),
                        ("prompt", models.TextField()),
                        ("variables", models.JSONField(default=list)),
                        ("examples", models.JSONField(default=list)),
                        ("model_name", models.CharField(blank=True, max_length=120)),
                        ("sampling", models.JSONField(default=dict)),
                        ("max_tokens", models.PositiveIntegerField(null=True)),
                        ("limits", models.JSONField(default=dict)),
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
                        (
                            "template",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="studio.template",
                            ),
                        ),
                        (
                            "voice",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.brandvoice",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "template", "number"), name="template_version_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TemplateApproval",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("note", models.CharField(blank=True, max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                                to="studio.templateversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "version"), name="template_approval_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TemplateLabel",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=40)),
                        ("moved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "moved_by",
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
                            "template",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="labels",
                                to="studio.template",
                            ),
                        ),
                        (
                            "previous",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.templateversion",
                            ),
                        ),
                        (
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.templateversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "template", "name"), name="template_label_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TemplateSettings",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("four_eyes", models.BooleanField(default=False)),
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
                            models.UniqueConstraint(fields=("organization",), name="template_settings_of_organization")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Generation",
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
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("claimed_at", models.DateTimeField(null=True)),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                        ("error_message", models.TextField(blank=True)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        (
                            "kind",
                            models.CharField(choices=[("chat", "Chat"), ("completion", "Completion")], max_length=12),
                        ),
                        ("model_name", models.CharField(max_length=120)),
                        ("messages", models.JSONField(default=list)),
                        ("prompt", models.TextField(blank=True)),
                        ("brief", models.JSONField(null=True)),
                        ("max_tokens", models.PositiveIntegerField()),
                        ("temperature", models.FloatField()),
                        ("top_p", models.FloatField()),
                        ("top_k", models.PositiveIntegerField(default=0)),
                        ("repetition_penalty", models.FloatField(default=1.0)),
                        ("seed", models.BigIntegerField()),
                        (
                            "stop",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, size=None
                            ),
                        ),
                        ("held_tokens", models.PositiveIntegerField()),
                        ("text", models.TextField(blank=True)),
                        ("finish_reason", models.CharField(blank=True, max_length=20)),
                        ("prompt_tokens", models.PositiveIntegerField(default=0)),
                        ("completion_tokens", models.PositiveIntegerField(default=0)),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                            "model",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="registry.modelversion",
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
                        ("deadline_at", models.DateTimeField(null=True)),
                        ("min_tokens", models.PositiveIntegerField(db_default=0, default=0)),
                        ("repeats", models.UUIDField(editable=False, null=True)),
                        (
                            "origin",
                            models.CharField(
                                choices=[
                                    ("studio", "Studio"),
                                    ("api", "Api"),
                                    ("template", "Template"),
                                    ("run", "Run"),
                                    ("document", "Document"),
                                    ("bulk", "Bulk"),
                                    ("conversation", "Conversation"),
                                    ("schedule", "Schedule"),
                                ],
                                db_default="studio",
                                default="studio",
                                max_length=12,
                            ),
                        ),
                        (
                            "passages",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), db_default=[], default=list, size=None
                            ),
                        ),
                        ("variables", models.JSONField(null=True)),
                        (
                            "voice_version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.brandvoiceversion",
                            ),
                        ),
                        (
                            "template_version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.templateversion",
                            ),
                        ),
                        ("findings", models.JSONField(null=True)),
                        ("held_back", models.BooleanField(db_default=False, default=False)),
                        (
                            "originals",
                            apps.core.crypto.SealedText(blank=True, db_default="", default="", editable=False),
                        ),
                        (
                            "safety_policy",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.safetypolicy",
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
                                name="generation_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="generation_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="generation_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="generation_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="generation_newest"),
                            models.Index(
                                condition=models.Q(("template_version__isnull", False)),
                                fields=["organization", "template_version", "-created_at"],
                                name="generation_of_template",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "repeats"), name="generation_repeated_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BulkRun",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "source",
                            models.CharField(
                                choices=[("table", "a table"), ("batch", "a batch")], default="table", max_length=8
                            ),
                        ),
                        ("name", models.CharField(max_length=150)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("running", "Running"),
                                    ("paused", "Paused"),
                                    ("exhausted", "Waiting for quota"),
                                    ("ending", "Stopping"),
                                    ("completed", "Done"),
                                    ("cancelled", "Stopped"),
                                    ("expired", "Out of time"),
                                ],
                                default="draft",
                                max_length=10,
                            ),
                        ),
                        ("format", models.CharField(blank=True, max_length=8)),
                        ("columns", models.JSONField(default=list)),
                        ("prompt", models.TextField(blank=True)),
                        ("template", models.CharField(blank=True, max_length=120)),
                        ("mapping", models.JSONField(default=dict)),
                        ("model_name", models.CharField(default="default", max_length=120)),
                        ("max_tokens", models.PositiveIntegerField(default=256)),
                        ("sampling", models.JSONField(default=dict)),
                        ("estimate", models.JSONField(null=True)),
                        ("stop_code", models.CharField(blank=True, max_length=60)),
                        ("stop_message", models.TextField(blank=True)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("started_at", models.DateTimeField(null=True)),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        (
                            "template_version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="studio.templateversion",
                            ),
                        ),
                        ("stop_said", models.JSONField(db_default={}, default=dict)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-id"], name="bulkrun_newest"),
                            models.Index(
                                condition=models.Q(("state__in", ["running", "exhausted", "ending"])),
                                fields=["next_at"],
                                name="bulkrun_due",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BulkRow",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("values", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("ready", "Ready"),
                                    ("invalid", "Invalid"),
                                    ("asked", "Asked"),
                                    ("refused", "Refused"),
                                    ("skipped", "Skipped"),
                                ],
                                default="ready",
                                max_length=8,
                            ),
                        ),
                        ("problem_code", models.CharField(blank=True, max_length=60)),
                        ("problem", models.TextField(blank=True)),
                        ("attempt", models.PositiveSmallIntegerField(default=0)),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="bulk_rows",
                                to="studio.generation",
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
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rows",
                                to="studio.bulkrun",
                            ),
                        ),
                        ("outcome", models.CharField(blank=True, db_default="", default="", max_length=12)),
                        (
                            "originals",
                            apps.core.crypto.SealedText(blank=True, db_default="", default="", editable=False),
                        ),
                        ("problem_said", models.JSONField(db_default={}, default=dict)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["run", "state", "number"], name="bulkrow_by_state")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "run", "number"), name="bulkrow_once_in_a_run"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "generation"), name="bulkrow_of_a_generation"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BulkAttempt",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveSmallIntegerField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.generation",
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
                            "row",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="attempts",
                                to="studio.bulkrow",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "row", "number"), name="bulkattempt_once"),
                            models.UniqueConstraint(
                                fields=("organization", "generation"), name="bulkattempt_of_a_generation"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StoredFile",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("filename", models.CharField(max_length=200)),
                        (
                            "purpose",
                            models.CharField(
                                choices=[
                                    ("batch", "Batch"),
                                    ("user_data", "User Data"),
                                    ("batch_output", "Batch Output"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("path", models.CharField(max_length=200)),
                        ("size", models.PositiveBigIntegerField()),
                        ("sha256", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        "indexes": [models.Index(fields=["organization", "-id"], name="storedfile_newest")],
                    },
                ),
                migrations.CreateModel(
                    name="Batch",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("input_id", models.UUIDField()),
                        ("endpoint", models.CharField(max_length=40)),
                        ("metadata", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("validating", "Validating"),
                                    ("in_progress", "In Progress"),
                                    ("finalizing", "Finalizing"),
                                    ("completed", "Completed"),
                                    ("failed", "Failed"),
                                    ("expired", "Expired"),
                                    ("cancelling", "Cancelling"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="validating",
                                max_length=12,
                            ),
                        ),
                        ("errors", models.JSONField(default=list)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("in_progress_at", models.DateTimeField(null=True)),
                        ("finalizing_at", models.DateTimeField(null=True)),
                        ("completed_at", models.DateTimeField(null=True)),
                        ("failed_at", models.DateTimeField(null=True)),
                        ("expired_at", models.DateTimeField(null=True)),
                        ("cancelling_at", models.DateTimeField(null=True)),
                        ("cancelled_at", models.DateTimeField(null=True)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        (
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="batches",
                                to="studio.bulkrun",
                            ),
                        ),
                        (
                            "error_file",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.storedfile",
                            ),
                        ),
                        (
                            "input_file",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.storedfile",
                            ),
                        ),
                        (
                            "output_file",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.storedfile",
                            ),
                        ),
                        ("attempt", models.PositiveSmallIntegerField(db_default=0, default=0)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-id"], name="batch_newest"),
                            models.Index(
                                condition=models.Q(
                                    ("state__in", ["validating", "in_progress", "finalizing", "cancelling"])
                                ),
                                fields=["id"],
                                name="batch_open",
                            ),
                        ],
                        "constraints": [models.UniqueConstraint(fields=("organization", "run"), name="batch_of_a_run")],
                    },
                ),
                migrations.CreateModel(
                    name="Conversation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("title", models.CharField(blank=True, max_length=200)),
                        ("system", models.TextField(blank=True)),
                        ("model_name", models.CharField(default="default", max_length=120)),
                        ("max_tokens", models.PositiveIntegerField(default=256)),
                        ("temperature", models.FloatField(default=0.8)),
                        ("top_p", models.FloatField(default=0.95)),
                        ("top_k", models.PositiveIntegerField(default=0)),
                        ("repetition_penalty", models.FloatField(default=1.0)),
                        ("seed", models.BigIntegerField(null=True)),
                        (
                            "stop",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, size=None
                            ),
                        ),
                        (
                            "collections",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), default=list, size=None
                            ),
                        ),
                        ("tip", models.UUIDField(editable=False, null=True)),
                        ("turns_counted", models.PositiveIntegerField(default=0)),
                        ("pinned_at", models.DateTimeField(null=True)),
                        ("archived_at", models.DateTimeField(null=True)),
                        ("deleted_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                        "indexes": [
                            models.Index(fields=["organization", "-changed_at", "-id"], name="conversation_latest"),
                            models.Index(
                                fields=["organization", "created_by", "-changed_at", "-id"],
                                name="conversation_of_person",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Turn",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.PositiveIntegerField()),
                        (
                            "role",
                            models.CharField(choices=[("user", "User"), ("assistant", "Assistant")], max_length=9),
                        ),
                        ("text", models.TextField(blank=True)),
                        ("client_id", models.UUIDField(null=True)),
                        ("left_out", models.PositiveIntegerField(default=0)),
                        ("passages", models.JSONField(default=list)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="turns",
                                to="studio.conversation",
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
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.generation",
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
                            "parent",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="children",
                                to="studio.turn",
                            ),
                        ),
                        ("indexed", models.BooleanField(db_default=False, default=False)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["generation"], name="turn_of_generation"),
                            models.Index(
                                condition=models.Q(("indexed", False), ("role", "assistant")),
                                fields=["organization", "id"],
                                name="turn_to_be_indexed",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "sequence"), name="turn_in_sequence"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "client_id"), name="turn_sent_once"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ConversationIndex",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("search", django.contrib.postgres.search.SearchVectorField(db_default=models.Value("every"))),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.conversation",
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.turn",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            django.contrib.postgres.indexes.GinIndex(fields=["search"], name="conversation_search")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "turn"),
                                name="conversation_indexed_once",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Attachment",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveSmallIntegerField()),
                        ("name", models.CharField(max_length=150)),
                        ("media_type", models.CharField(max_length=100)),
                        ("size", models.PositiveIntegerField()),
                        ("text", models.TextField()),
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="attachments",
                                to="studio.turn",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "turn", "position"), name="attachment_in_order"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Folder",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
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
                            "parent",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="children",
                                to="studio.folder",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "parent", "name"), name="folder_name_once", nulls_distinct=False
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Document",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        ("text", models.TextField(blank=True)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        (
                            "tags",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("deleted_at", models.DateTimeField(null=True)),
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
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.generation",
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
                            "updated_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "folder",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="documents",
                                to="studio.folder",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                fields=["organization", "deleted_at", "-updated_at", "-id"], name="document_newest"
                            ),
                            models.Index(fields=["organization", "folder", "-updated_at"], name="document_in_folder"),
                            models.Index(fields=["generation"], name="document_of_generation"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DocumentRevision",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[("version", "version"), ("step", "step"), ("branch", "branch")],
                                default="version",
                                max_length=7,
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        ("text", models.TextField(blank=True)),
                        ("name", models.CharField(blank=True, max_length=80)),
                        ("session_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="revisions",
                                to="studio.document",
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
                                fields=("organization", "document", "number"), name="document_revision_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DocumentIndex",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("search", django.contrib.postgres.search.SearchVectorField(db_default=models.Value("every"))),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.document",
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
                            django.contrib.postgres.indexes.GinIndex(fields=["search"], name="document_search")
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "document"), name="document_indexed_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Suggestion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("revision", models.PositiveIntegerField()),
                        ("start", models.PositiveIntegerField()),
                        ("end", models.PositiveIntegerField()),
                        ("quote", models.TextField(blank=True)),
                        ("gone_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "action",
                            models.CharField(
                                choices=[
                                    ("rewrite", "Rewrite"),
                                    ("shorten", "Shorten"),
                                    ("expand", "Expand"),
                                    ("translate", "Translate"),
                                    ("continue", "Continue"),
                                ],
                                max_length=9,
                            ),
                        ),
                        ("language", models.CharField(blank=True, max_length=10)),
                        ("accepted_at", models.DateTimeField(null=True)),
                        ("rejected_at", models.DateTimeField(null=True)),
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
                            "decided_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="%(class)ss",
                                to="studio.document",
                            ),
                        ),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.generation",
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
                        "indexes": [models.Index(fields=["generation"], name="suggestion_of_generation")],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("accepted_at", None), ("rejected_at", None), _connector="OR"),
                                name="suggestion_decided_one_way",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DocumentComment",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("revision", models.PositiveIntegerField()),
                        ("start", models.PositiveIntegerField()),
                        ("end", models.PositiveIntegerField()),
                        ("quote", models.TextField(blank=True)),
                        ("gone_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("text", models.TextField()),
                        (
                            "mentions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), default=list, size=None
                            ),
                        ),
                        ("resolved_at", models.DateTimeField(null=True)),
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
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="%(class)ss",
                                to="studio.document",
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
                            "resolved_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "thread",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="answers",
                                to="studio.documentcomment",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                    },
                ),
                migrations.CreateModel(
                    name="DocumentShare",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("token_hash", models.CharField(max_length=64, unique=True)),
                        ("hint", models.CharField(max_length=8)),
                        ("password", models.CharField(blank=True, max_length=200)),
                        ("expires_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(null=True)),
                        ("opened", models.PositiveIntegerField(default=0)),
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
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="shares",
                                to="studio.document",
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
                    },
                ),
                migrations.CreateModel(
                    name="PageText",
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
                        ("url", models.CharField(max_length=2000)),
                        ("title", models.CharField(blank=True, max_length=300)),
                        ("text", models.TextField(blank=True)),
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
                                name="pagetext_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="pagetext_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="pagetext_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="pagetext_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="pagetext_newest"),
                            models.Index(fields=["organization", "url", "-id"], name="pagetext_of_url"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Feedback",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "reasons",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=20), default=list, size=None
                            ),
                        ),
                        ("comment", models.TextField(blank=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("rating", models.SmallIntegerField()),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="feedback",
                                to="studio.generation",
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
                                fields=("organization", "generation", "created_by"), name="feedback_of_person"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "generation", "api_key"), name="feedback_of_key"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("rating__in", (-1, 1))), name="feedback_up_or_down"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Favourite",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="favourites",
                                to="studio.generation",
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "user", "-created_at"], name="favourites_of_person")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "generation", "user"), name="favourite_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Schedule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        ("prompt", models.TextField(blank=True)),
                        ("template", models.CharField(blank=True, max_length=120)),
                        ("variables", models.JSONField(default=dict)),
                        ("sources", models.JSONField(default=list)),
                        ("model_name", models.CharField(default="default", max_length=120)),
                        ("max_tokens", models.PositiveIntegerField(default=256)),
                        (
                            "frequency",
                            models.CharField(
                                choices=[
                                    ("daily", "Every day"),
                                    ("weekdays", "Monday to Friday"),
                                    ("weekly", "Every week"),
                                    ("monthly", "Every month"),
                                ],
                                default="daily",
                                max_length=8,
                            ),
                        ),
                        ("weekday", models.PositiveSmallIntegerField(default=0)),
                        ("day", models.PositiveSmallIntegerField(default=1)),
                        ("at", models.TimeField()),
                        ("zone", models.CharField(default="UTC", max_length=60)),
                        ("next_at", models.DateTimeField(null=True)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("last_error", models.TextField(blank=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        (
                            "table",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="schedules",
                                to="studio.bulkrun",
                            ),
                        ),
                        ("last_error_said", models.JSONField(db_default={}, default=dict)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-id"], name="schedule_newest"),
                            models.Index(
                                condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="schedule_due"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Recipient",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("email", models.EmailField(max_length=254)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("pending", "has to confirm"),
                                    ("confirmed", "gets it"),
                                    ("unsubscribed", "unsubscribed"),
                                ],
                                default="pending",
                                max_length=12,
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("decided_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "schedule",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="recipients",
                                to="studio.schedule",
                            ),
                        ),
                        ("as_member", models.BooleanField(db_default=False, default=False)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "schedule", "email"), name="recipient_once_in_a_schedule"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Occurrence",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("due_at", models.DateTimeField()),
                        ("by_hand", models.BooleanField(default=False)),
                        ("skipped", models.PositiveIntegerField(default=0)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("asked", "Being written"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                ],
                                default="waiting",
                                max_length=8,
                            ),
                        ),
                        ("attempt", models.PositiveSmallIntegerField(default=0)),
                        ("read", models.JSONField(default=list)),
                        ("mailed", models.PositiveIntegerField(default=0)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                        ("error_message", models.TextField(blank=True)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("finished_at", models.DateTimeField(null=True)),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="occurrences",
                                to="studio.generation",
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
                            "schedule",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="occurrences",
                                to="studio.schedule",
                            ),
                        ),
                        (
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="occurrences",
                                to="studio.bulkrun",
                            ),
                        ),
                        ("error_said", models.JSONField(db_default={}, default=dict)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "schedule", "-due_at"], name="occurrence_newest"),
                            models.Index(
                                condition=models.Q(("state__in", ["waiting", "asked"])),
                                fields=["id"],
                                name="occurrence_open",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "schedule", "due_at"), name="occurrence_once"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "generation"), name="occurrence_of_a_generation"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Run",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("seeds", "Seeds"),
                                    ("temperatures", "Temperatures"),
                                    ("models", "Two models, voted on blindly"),
                                ],
                                max_length=12,
                            ),
                        ),
                        (
                            "step",
                            models.CharField(
                                choices=[
                                    ("first", "first run"),
                                    ("again", "written again"),
                                    ("branch", "changed"),
                                    ("repeat", "repeated exactly"),
                                ],
                                default="first",
                                max_length=6,
                            ),
                        ),
                        ("title", models.CharField(blank=True, max_length=80)),
                        ("root", models.UUIDField(editable=False)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        (
                            "parent",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="runs",
                                to="studio.variant",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-id"], name="run_newest"),
                            models.Index(fields=["organization", "root"], name="run_of_tree"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Variant",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveSmallIntegerField()),
                        (
                            "generation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="studio.generation",
                            ),
                        ),
                        (
                            "model",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="registry.modelversion",
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
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="variants",
                                to="studio.run",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["generation"], name="variant_of_generation")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "run", "position"), name="variant_at_its_place"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RunVote",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "reasons",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=20), default=list, size=None
                            ),
                        ),
                        ("comment", models.TextField(blank=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "verdict",
                            models.CharField(
                                choices=[
                                    ("better", "One is better"),
                                    ("tie", "Both are equally good"),
                                    ("neither", "Neither is any good"),
                                ],
                                max_length=7,
                            ),
                        ),
                        (
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
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
                        (
                            "run",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="votes",
                                to="studio.run",
                            ),
                        ),
                        (
                            "winner",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="studio.variant",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "run", "created_by"), name="run_vote_of_person"
                            ),
                            models.UniqueConstraint(fields=("organization", "run", "api_key"), name="run_vote_of_key"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("verdict", "better"), ("winner__isnull", False)),
                                    models.Q(models.Q(("verdict", "better"), _negated=True), ("winner__isnull", True)),
                                    _connector="OR",
                                ),
                                name="run_vote_names_winner",
                            ),
                        ],
                    },
                ),
            ]
        ),
        TenantWall("BrandVoice"),
        TenantWall("BrandVoiceVersion", append_only=True),
        TenantWall("Template"),
        TenantWall("TemplateSettings"),
        TenantWall("TemplateTeam"),
        TenantWall("TemplateVersion", append_only=True),
        TenantWall("TemplateLabel"),
        TenantWall("TemplateApproval", append_only=True),
        TenantWall("SafetyClassifier"),
        TenantWall("SafetyPolicy", append_only=True),
        TenantWall("Generation"),
        TenantWall("Conversation"),
        TenantWall("Turn"),
        TenantWall("Attachment"),
        TenantWall("ConversationIndex"),
        # Variants point to runs and runs to variants: the second reference comes once both are walled.
        TenantWall("Run", later=["parent"]),
        TenantWall("Variant"),
        TenantReference("Run", "parent"),
        TenantWall("RunVote"),
        TenantWall("Feedback"),
        TenantWall("Favourite"),
        TenantWall("Folder"),
        TenantWall("Document"),
        TenantWall("DocumentRevision"),
        TenantWall("DocumentIndex"),
        TenantWall("Suggestion"),
        TenantWall("DocumentComment"),
        TenantWall("DocumentShare"),
        TenantWall("BulkRun"),
        TenantWall("BulkRow"),
        TenantWall("BulkAttempt"),
        TenantWall("StoredFile"),
        TenantWall("Batch"),
        TenantWall("Schedule"),
        TenantWall("Recipient"),
        TenantWall("Occurrence"),
        TenantWall("PageText"),
        migrations.RunSQL(SEARCHED.format(table="studio_documentindex"), migrations.RunSQL.noop),
        migrations.RunSQL(SEARCHED.format(table="studio_conversationindex"), migrations.RunSQL.noop),
        migrations.RunSQL(
            [f"GRANT UPDATE ({column}) ON studio_{table} TO {APPLICATION_ROLE}" for table, column in NAMES.items()],
            migrations.RunSQL.noop,
        ),
        AuditedTable("BrandVoice"),
        AuditedTable("Template"),
        AuditedTable("TemplateLabel"),
        AuditedTable("TemplateSettings", name="four_eyes"),
        AuditedTable("SafetyClassifier", without=JOB_COLUMNS),
        AuditedTable("Folder"),
        AuditedTable("Document", name="title", without=["text", "revision", "updated_at", "updated_by_id"]),
        AuditedTable("Suggestion", name="action", without=MOVING),
        AuditedTable("DocumentComment", name="id", without=[*MOVING, "text"]),
        AuditedTable("DocumentShare", name="hint", without=["opened"]),
        AuditedTable("Schedule", without=["next_at", "failures", "last_error"]),
    ]
