from decimal import Decimal

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
from apps.core.operations import CreateTables


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("registry", "0001_initial"),
        ("registry", "0002_follows_instructions"),
    ]

    dependencies = []

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="ModelVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120, unique=True)),
                        (
                            "backend",
                            models.CharField(choices=[("local", "Local"), ("remote", "Remote")], max_length=10),
                        ),
                        ("source", models.CharField(blank=True, max_length=300)),
                        ("revision", models.CharField(blank=True, max_length=120)),
                        ("remote_url", models.URLField(blank=True)),
                        ("remote_model", models.CharField(blank=True, max_length=200)),
                        ("credential", models.CharField(blank=True, max_length=60)),
                        ("context_length", models.PositiveIntegerField()),
                        ("max_output_tokens", models.PositiveIntegerField()),
                        ("input_price", models.DecimalField(decimal_places=6, default=Decimal("0"), max_digits=12)),
                        ("output_price", models.DecimalField(decimal_places=6, default=Decimal("0"), max_digits=12)),
                        ("currency", models.CharField(default="USD", max_length=3)),
                        ("enabled", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("follows_instructions", models.BooleanField(default=True)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("backend", "local"),
                                        ("remote_url", ""),
                                        models.Q(("source", ""), _negated=True),
                                    ),
                                    models.Q(
                                        ("backend", "remote"),
                                        ("source", ""),
                                        models.Q(("remote_url", ""), _negated=True),
                                    ),
                                    _connector="OR",
                                ),
                                name="model_version_has_its_backend",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ModelAlias",
                    fields=[
                        ("name", models.CharField(max_length=120, primary_key=True, serialize=False)),
                        ("moved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="aliases",
                                to="registry.modelversion",
                            ),
                        ),
                    ],
                ),
            ]
        ),
    ]
