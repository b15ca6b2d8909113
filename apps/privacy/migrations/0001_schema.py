import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import APPLICATION_ROLE, TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("privacy", "0001_initial"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Export",
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
                            "scope",
                            models.CharField(
                                choices=[
                                    ("organization", "the whole organization"),
                                    ("member", "a person, within the organization"),
                                    ("account", "one's own account, in all organizations"),
                                ],
                                max_length=12,
                            ),
                        ),
                        ("path", models.CharField(blank=True, max_length=200)),
                        ("size", models.BigIntegerField(default=0)),
                        ("rows", models.BigIntegerField(default=0)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("removed_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "requested_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
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
                                condition=models.Q(("status", "queued")),
                                fields=["organization", "created_at", "id"],
                                name="export_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="export_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="export_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="export_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="export_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Erasure",
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
                            "scope",
                            models.CharField(
                                choices=[
                                    ("organization", "the whole organization"),
                                    ("member", "a person, within the organization"),
                                    ("account", "one's own account, in all organizations"),
                                ],
                                max_length=12,
                            ),
                        ),
                        (
                            "texts",
                            models.CharField(
                                choices=[
                                    ("keep", "Keep the texts for the organization, without the person's name"),
                                    ("erase", "Erase the texts as well"),
                                ],
                                default="keep",
                                max_length=8,
                            ),
                        ),
                        ("pseudonym", models.CharField(max_length=40)),
                        ("counts", models.JSONField(default=dict)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "requested_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
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
                                condition=models.Q(("status", "queued")),
                                fields=["organization", "created_at", "id"],
                                name="erasure_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="erasure_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="erasure_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="erasure_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="erasure_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ErasedPerson",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("person", models.CharField(max_length=64)),
                        ("tenant", models.CharField(blank=True, max_length=64)),
                        (
                            "texts",
                            models.CharField(
                                choices=[
                                    ("keep", "Keep the texts for the organization, without the person's name"),
                                    ("erase", "Erase the texts as well"),
                                ],
                                max_length=8,
                            ),
                        ),
                        ("pseudonym", models.CharField(max_length=40)),
                        ("erased_at", models.DateTimeField()),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("person", "tenant", "pseudonym"), name="erased_person_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RetentionRule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kind", models.CharField(max_length=40)),
                        ("days", models.PositiveIntegerField(null=True)),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                            models.UniqueConstraint(fields=("organization", "kind"), name="retention_rule_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Consent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "document",
                            models.CharField(
                                choices=[
                                    ("terms", "Terms of service"),
                                    ("privacy", "Privacy notice"),
                                    ("mail", "News about the product by e-mail"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("version", models.CharField(blank=True, max_length=40)),
                        ("given", models.BooleanField()),
                        ("address", models.CharField(blank=True, max_length=45)),
                        ("agent", models.CharField(blank=True, max_length=300)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "person",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["person", "document", "-id"], name="consent_latest")],
                    },
                ),
            ]
        ),
        TenantWall("Export"),
        TenantWall("Erasure"),
        TenantWall("RetentionRule"),
        migrations.RunSQL(
            f"REVOKE UPDATE, DELETE, TRUNCATE ON privacy_erasedperson FROM {APPLICATION_ROLE}",
            migrations.RunSQL.noop,
        ),
    ]
