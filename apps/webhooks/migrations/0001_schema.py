import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.crypto
import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("webhooks", "0001_webhooks"),
        ("webhooks", "0002_callbacks"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Endpoint",
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
                                choices=[("events", "events"), ("callbacks", "results of jobs")],
                                default="events",
                                max_length=10,
                            ),
                        ),
                        ("url", models.CharField(max_length=1000)),
                        ("description", models.CharField(blank=True, max_length=200)),
                        ("types", models.JSONField(default=list)),
                        ("version", models.CharField(max_length=10)),
                        (
                            "payload",
                            models.CharField(
                                choices=[("full", "with the facts"), ("thin", "ids only")], default="full", max_length=4
                            ),
                        ),
                        ("at_once", models.PositiveSmallIntegerField(default=4)),
                        (
                            "stopped",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("", "working"),
                                    ("paused", "paused"),
                                    ("failing", "switched off after five days of failure"),
                                    ("gone", "switched off: the receiver answered 410"),
                                ],
                                default="",
                                max_length=10,
                            ),
                        ),
                        ("position", models.BigIntegerField(default=0)),
                        ("failing_since", models.DateTimeField(null=True)),
                        ("delivered_at", models.DateTimeField(null=True)),
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
                                condition=models.Q(("kind", "callbacks")),
                                fields=("organization", "url"),
                                name="callbacks_to_an_origin_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SigningSecret",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "scheme",
                            models.CharField(
                                choices=[("v1", "HMAC-SHA256"), ("v1a", "Ed25519")], default="v1", max_length=3
                            ),
                        ),
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("public", models.CharField(blank=True, max_length=60)),
                        ("hint", models.CharField(max_length=8)),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "endpoint",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="secrets",
                                to="webhooks.endpoint",
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
                        "indexes": [models.Index(fields=["organization", "endpoint"], name="secret_of_endpoint")],
                    },
                ),
                migrations.CreateModel(
                    name="Callback",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("job", models.UUIDField()),
                        ("url", models.CharField(blank=True, max_length=1000)),
                        ("position", models.BigIntegerField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "endpoint",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="callbacks",
                                to="webhooks.endpoint",
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
                            models.UniqueConstraint(fields=("organization", "job"), name="callback_of_a_job_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("message", models.CharField(max_length=80)),
                        ("type", models.CharField(max_length=80)),
                        ("position", models.BigIntegerField(null=True)),
                        ("url", models.CharField(blank=True, max_length=1000)),
                        ("body", models.TextField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("running", "being sent"),
                                    ("delivered", "delivered"),
                                    ("failed", "failed"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("attempt", models.PositiveIntegerField(default=0)),
                        ("crashes", models.PositiveSmallIntegerField(default=0)),
                        ("worker", models.CharField(blank=True, max_length=120)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("last_status", models.PositiveSmallIntegerField(null=True)),
                        ("last_error", models.CharField(blank=True, max_length=60)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("finished_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "endpoint",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="webhooks.endpoint",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "waiting")),
                                fields=["endpoint", "next_at", "position", "id"],
                                name="delivery_due",
                            ),
                            models.Index(
                                condition=models.Q(("state", "running")),
                                fields=["endpoint", "lease_until"],
                                name="delivery_running",
                            ),
                            models.Index(fields=["organization", "endpoint", "-id"], name="delivery_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "endpoint", "message"), name="message_to_endpoint_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DeliveryAttempt",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("started_at", models.DateTimeField()),
                        ("milliseconds", models.PositiveIntegerField()),
                        ("status", models.PositiveSmallIntegerField(null=True)),
                        ("error", models.CharField(blank=True, max_length=60)),
                        ("request_headers", models.JSONField(default=dict)),
                        ("response_headers", models.JSONField(default=dict)),
                        ("response_body", models.TextField(blank=True)),
                        (
                            "delivery",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="attempts",
                                to="webhooks.delivery",
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
                                fields=("organization", "delivery", "number"), name="delivery_attempt_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="InboundHook",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        (
                            "sender",
                            models.CharField(
                                choices=[
                                    ("standard", "Standard Webhooks"),
                                    ("stripe", "Stripe"),
                                    ("github", "GitHub"),
                                    ("slack", "Slack"),
                                ],
                                default="standard",
                                max_length=10,
                            ),
                        ),
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("previous", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("previous_until", models.DateTimeField(null=True)),
                        ("hint", models.CharField(max_length=8)),
                        ("action", models.CharField(max_length=40)),
                        ("mapping", models.JSONField(default=dict)),
                        ("enabled", models.BooleanField(default=True)),
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
                            models.UniqueConstraint(fields=("organization", "name"), name="inbound_hook_name_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="InboundCall",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("key", models.CharField(max_length=100)),
                        ("payload", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "waiting"),
                                    ("running", "running"),
                                    ("done", "done"),
                                    ("failed", "failed"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("attempt", models.PositiveSmallIntegerField(default=0)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("result", models.UUIDField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=60)),
                        ("error_message", models.CharField(blank=True, max_length=500)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("finished_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "hook",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="calls",
                                to="webhooks.inboundhook",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state__in", ["waiting", "running"])),
                                fields=["created_at"],
                                name="inbound_call_waiting",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "hook", "key"), name="inbound_call_once")
                        ],
                    },
                ),
            ]
        ),
        TenantWall("Endpoint"),
        TenantWall("SigningSecret"),
        TenantWall("Delivery"),
        TenantWall("DeliveryAttempt"),
        TenantWall("InboundHook"),
        TenantWall("InboundCall"),
        TenantWall("Callback"),
        AuditedTable("Endpoint", name="url", without=("position", "failing_since", "delivered_at")),
        AuditedTable("InboundHook"),
    ]
