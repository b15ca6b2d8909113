import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
import apps.knowledge.vectors
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall
from apps.knowledge.operations import RequireVector


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("knowledge", "0001_knowledge"),
        ("knowledge", "0002_indexing_is_metered"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        RequireVector(),
        CreateTables(
            [
                migrations.CreateModel(
                    name="Collection",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("description", models.CharField(blank=True, max_length=300)),
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
                            models.UniqueConstraint(fields=("organization", "name"), name="collection_name_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Source",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        (
                            "origin",
                            models.CharField(
                                choices=[("upload", "Uploaded file"), ("text", "Pasted text"), ("url", "Web page")],
                                max_length=6,
                            ),
                        ),
                        ("url", models.CharField(blank=True, max_length=2000)),
                        ("passages", models.PositiveIntegerField(default=0)),
                        ("versions_count", models.PositiveIntegerField(default=0)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "collection",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sources",
                                to="knowledge.collection",
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
                            models.Index(fields=["organization", "collection", "-id"], name="source_of_collection")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SourceVersion",
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
                        ("name", models.CharField(max_length=150)),
                        ("kind", models.CharField(blank=True, max_length=10)),
                        ("path", models.CharField(blank=True, max_length=200)),
                        ("size", models.PositiveBigIntegerField(default=0)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        (
                            "stage",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("reading", "reading"),
                                    ("chunking", "chunking"),
                                    ("embedding", "embedding"),
                                    ("ready", "ready"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("pages", models.PositiveIntegerField(null=True)),
                        ("chunks", models.PositiveIntegerField(default=0)),
                        ("embedded", models.PositiveIntegerField(default=0)),
                        ("tokens", models.PositiveBigIntegerField(default=0)),
                        ("embedder", models.CharField(blank=True, max_length=120)),
                        ("is_current", models.BooleanField(default=False)),
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
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="knowledge.source",
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
                                name="sourceversion_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="sourceversion_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="sourceversion_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="sourceversion_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="sourceversion_newest"),
                            models.Index(
                                condition=models.Q(("sha256", ""), _negated=True),
                                fields=["organization", "sha256"],
                                name="source_version_digest",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "document", "number"), name="source_version_number_once"
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("is_current", True)),
                                fields=("organization", "document"),
                                name="source_version_current_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EmbeddingCall",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("model", models.CharField(max_length=120)),
                        ("inputs", models.PositiveIntegerField()),
                        ("tokens", models.PositiveIntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[("open", "Open"), ("settled", "Settled"), ("released", "Released")],
                                default="open",
                                max_length=8,
                            ),
                        ),
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
                        ("attempt", models.PositiveIntegerField(db_default=0, default=0)),
                        (
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="knowledge.sourceversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "open")), fields=["created_at"], name="embedding_call_open"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Chunk",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveIntegerField()),
                        ("text", models.TextField()),
                        (
                            "heading",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=200), default=list, size=None
                            ),
                        ),
                        ("page", models.PositiveIntegerField(null=True)),
                        ("tokens", models.PositiveIntegerField()),
                        ("lexemes", django.contrib.postgres.search.SearchVectorField(null=True)),
                        ("embedding", apps.knowledge.vectors.VectorField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "collection",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="knowledge.collection",
                            ),
                        ),
                        (
                            "document",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="knowledge.source",
                            ),
                        ),
                        (
                            "version",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="passages",
                                to="knowledge.sourceversion",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            django.contrib.postgres.indexes.GinIndex(fields=["lexemes"], name="chunk_words"),
                            models.Index(fields=["organization", "document"], name="chunk_of_source"),
                            models.Index(fields=["organization", "collection"], name="chunk_of_collection"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "version", "position"), name="chunk_position_once"
                            )
                        ],
                    },
                ),
            ]
        ),
        # Vectors have length 1: the inner product orders them as the cosine does, and is the quickest.
        migrations.RunSQL(
            "CREATE INDEX chunk_embedding ON knowledge_chunk USING hnsw (embedding halfvec_ip_ops)",
            "DROP INDEX chunk_embedding",
        ),
        TenantWall("Collection"),
        TenantWall("Source"),
        TenantWall("SourceVersion"),
        TenantWall("Chunk"),
        TenantWall("EmbeddingCall"),
        AuditedTable("Collection"),
        AuditedTable("Source", name="title", without=("passages", "versions_count")),
    ]
