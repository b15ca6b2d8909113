import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.crypto
import apps.core.ids
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("core", "0001_initial"),
        ("core", "0002_turns"),
        ("core", "0003_mails"),
        ("core", "0004_feature_switches"),
        ("core", "0005_mail_in_turn"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.BigIntegerField()),
                        ("type", models.CharField(max_length=80)),
                        ("object_id", models.UUIDField()),
                        ("data", models.JSONField(default=dict)),
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
                            models.UniqueConstraint(fields=("organization", "position"), name="event_position")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EventCounter",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("last", models.BigIntegerField(default=0)),
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
                            models.UniqueConstraint(fields=("organization",), name="event_counter_of_organization")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="IdempotencyKey",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("key", models.CharField(max_length=255)),
                        ("fingerprint", models.CharField(max_length=64)),
                        ("status", models.PositiveSmallIntegerField(null=True)),
                        ("body", models.JSONField(null=True)),
                        ("object_id", models.UUIDField(null=True)),
                        (
                            "created_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
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
                            models.UniqueConstraint(fields=("organization", "key"), name="idempotency_key_once")
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
                        ("queue", models.CharField(max_length=63)),
                        ("weight", models.PositiveIntegerField()),
                        ("start", models.BigIntegerField()),
                        ("turn", models.BigIntegerField()),
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
                        "indexes": [models.Index(fields=["queue", "-start"], name="turn_clock")],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "queue"), name="turn_once_in_a_queue")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FeatureSwitch",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=60)),
                        (
                            "scope",
                            models.CharField(
                                choices=[
                                    ("all", "everybody"),
                                    ("percentage", "a share of the organizations"),
                                    ("organization", "one organization"),
                                ],
                                default="all",
                                max_length=12,
                            ),
                        ),
                        ("target", models.UUIDField(null=True)),
                        ("percentage", models.PositiveSmallIntegerField(default=100)),
                        ("on", models.BooleanField()),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("name", "scope", "target"), name="switch_once", nulls_distinct=False
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("scope", "organization"), ("target__isnull", False)),
                                    models.Q(
                                        models.Q(("scope", "organization"), _negated=True), ("target__isnull", True)
                                    ),
                                    _connector="OR",
                                ),
                                name="switch_has_its_target",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("percentage__lte", 100)), name="switch_percentage"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Mail",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("content", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        (
                            "next_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("in_turn", models.BooleanField(db_default=False, default=False)),
                    ],
                ),
            ]
        ),
        TenantWall("Event", append_only=True),
        TenantWall("EventCounter"),
        TenantWall("IdempotencyKey"),
        TenantWall("Turn"),
    ]
