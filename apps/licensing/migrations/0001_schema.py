import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("licensing", "0001_licences"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Product",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        ("code", models.CharField(max_length=60)),
                        ("description", models.CharField(blank=True, max_length=500)),
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
                            models.UniqueConstraint(fields=("organization", "code"), name="licence_product_code_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Policy",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("seats", models.PositiveIntegerField(null=True)),
                        ("most_machines", models.PositiveIntegerField(null=True)),
                        ("floating", models.BooleanField(default=False)),
                        ("machine_bound", models.BooleanField(default=True)),
                        (
                            "entitlements",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=60), default=list, size=None
                            ),
                        ),
                        ("field_of_use", models.TextField(blank=True)),
                        ("artefacts", models.JSONField(default=list)),
                        ("name", models.CharField(max_length=120)),
                        ("days", models.PositiveIntegerField(null=True)),
                        ("price_minor", models.PositiveBigIntegerField(null=True)),
                        ("currency", models.CharField(blank=True, max_length=3)),
                        ("is_published", models.BooleanField(default=False)),
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
                            "product",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="licensing.product",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "product", "name"), name="licence_policy_name_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("is_published", False),
                                    models.Q(("price_minor__isnull", False), models.Q(("currency", ""), _negated=True)),
                                    _connector="OR",
                                ),
                                name="licence_policy_published_has_a_price",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Licence",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("seats", models.PositiveIntegerField(null=True)),
                        ("most_machines", models.PositiveIntegerField(null=True)),
                        ("floating", models.BooleanField(default=False)),
                        ("machine_bound", models.BooleanField(default=True)),
                        (
                            "entitlements",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=60), default=list, size=None
                            ),
                        ),
                        ("field_of_use", models.TextField(blank=True)),
                        ("artefacts", models.JSONField(default=list)),
                        ("licensee", models.CharField(max_length=200)),
                        ("email", models.EmailField(max_length=254)),
                        ("holder_id", models.UUIDField(null=True)),
                        ("key_digest", models.BinaryField()),
                        ("key_hint", models.CharField(max_length=12)),
                        ("starts_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("suspended_at", models.DateTimeField(null=True)),
                        ("revoked_at", models.DateTimeField(null=True)),
                        ("reason", models.CharField(blank=True, max_length=300)),
                        ("version", models.PositiveIntegerField(default=1)),
                        ("signed_version", models.PositiveIntegerField(default=0)),
                        ("file", models.TextField(blank=True)),
                        ("file_issued_at", models.DateTimeField(null=True)),
                        ("file_expires_at", models.DateTimeField(null=True)),
                        ("order_id", models.UUIDField(null=True)),
                        ("order_item", models.PositiveIntegerField(default=0)),
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
                            "policy",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="licensing.policy",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "-id"], name="licence_newest")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "order_id", "order_item"), name="licence_of_order_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Machine",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("fingerprint", models.CharField(max_length=64)),
                        ("name", models.CharField(blank=True, max_length=120)),
                        ("nonce", models.CharField(blank=True, max_length=32)),
                        ("activated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("released_at", models.DateTimeField(null=True)),
                        (
                            "licence",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="licensing.licence",
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
                                fields=("organization", "licence", "fingerprint"), name="licence_machine_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SeatLease",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("holder", models.CharField(max_length=120)),
                        ("taken_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("lapses_at", models.DateTimeField()),
                        (
                            "licence",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="licensing.licence",
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
                                fields=("organization", "licence", "holder"), name="licence_seat_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Revocations",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.PositiveIntegerField(default=0)),
                        ("signed_sequence", models.PositiveIntegerField(default=0)),
                        ("file", models.TextField(blank=True)),
                        ("issued_at", models.DateTimeField(null=True)),
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
                            models.UniqueConstraint(fields=("organization",), name="licence_revocations_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SigningJob",
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
                            "purpose",
                            models.CharField(
                                choices=[
                                    ("licence", "a licence"),
                                    ("revocations", "the revocation list"),
                                    ("response", "an activation response"),
                                ],
                                max_length=12,
                            ),
                        ),
                        ("file", models.TextField(blank=True)),
                        (
                            "licence",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="licensing.licence",
                            ),
                        ),
                        (
                            "machine",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="licensing.machine",
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
                                name="signingjob_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="signingjob_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="signingjob_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="signingjob_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="signingjob_newest"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="HeldLicence",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("vendor_id", models.UUIDField()),
                        ("licence_id", models.UUIDField()),
                        ("vendor_name", models.CharField(max_length=120)),
                        ("product_name", models.CharField(max_length=120)),
                        ("policy_name", models.CharField(max_length=120)),
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
                            models.UniqueConstraint(fields=("organization", "licence_id"), name="held_licence_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="VerificationKey",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kid", models.CharField(max_length=32, unique=True)),
                        ("public", models.BinaryField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("retired_at", models.DateTimeField(null=True)),
                    ],
                ),
            ]
        ),
        *(
            TenantWall(name)
            for name in (
                "Product",
                "Policy",
                "Licence",
                "Machine",
                "SeatLease",
                "Revocations",
                "SigningJob",
                "HeldLicence",
            )
        ),
        AuditedTable("Product"),
        AuditedTable("Policy"),
        # What the signer writes is no news: that it has signed is an entry of its own.
        AuditedTable(
            "Licence",
            name="licensee",
            without="key_digest version signed_version file file_issued_at file_expires_at".split(),
        ),
        AuditedTable("Machine", without=["nonce"]),
        AuditedTable("HeldLicence", name="product_name"),
    ]
