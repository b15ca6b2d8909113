import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import apps.accounts.models.roles
import apps.core.crypto
import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedInstallationTable, AuditedTable
from apps.accounts.migrations import _audit, _member_words
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import ApplicationRole, RemovalRole, TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("accounts", "0001_initial"),
        ("accounts", "0002_roles"),
        ("accounts", "0003_audit_chain"),
        ("accounts", "0004_organizations"),
        ("accounts", "0005_audit_proofs"),
        ("accounts", "0006_browser_sessions"),
        ("accounts", "0007_installation_audit"),
        ("accounts", "0008_security"),
        ("accounts", "0009_audit_words"),
        ("accounts", "0010_keys"),
        ("accounts", "0011_member_words"),
        ("accounts", "0012_fill_member_words"),
        ("accounts", "0013_no_words_of_people"),
        ("accounts", "0014_support"),
        ("accounts", "0015_person_preferences"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        ApplicationRole(),
        RemovalRole(),
        CreateTables(
            [
                migrations.CreateModel(
                    name="User",
                    fields=[
                        ("password", models.CharField(max_length=128, verbose_name="password")),
                        ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                        (
                            "is_superuser",
                            models.BooleanField(
                                default=False,
                                help_text="Designates that this user has all permissions without explicitly assigning them.",
                                verbose_name="superuser status",
                            ),
                        ),
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("email", models.EmailField(max_length=254, unique=True, verbose_name="e-mail address")),
                        ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                        ("is_active", models.BooleanField(default=True)),
                        ("is_staff", models.BooleanField(default=False)),
                        ("date_joined", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("guide_hidden_at", models.DateTimeField(blank=True, editable=False, null=True)),
                        ("single_keys", models.BooleanField(db_default=True, default=True)),
                        (
                            "groups",
                            models.ManyToManyField(
                                blank=True,
                                help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.group",
                                verbose_name="groups",
                            ),
                        ),
                        (
                            "user_permissions",
                            models.ManyToManyField(
                                blank=True,
                                help_text="Specific permissions for this user.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.permission",
                                verbose_name="user permissions",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                django.db.models.functions.text.Lower("email"), name="user_email_whatever_the_case"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Organization",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120, verbose_name="name")),
                        ("slug", models.SlugField(max_length=60, unique=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("deletes_at", models.DateTimeField(null=True)),
                        (
                            "language",
                            models.CharField(
                                choices=[("en", "English"), ("zh-hans", "Simplified Chinese")],
                                default="en",
                                max_length=10,
                                verbose_name="language",
                            ),
                        ),
                        ("removal_started_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("deletes_at__isnull", False)),
                                fields=["deletes_at"],
                                name="organization_leaving",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CustomRole",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=60, verbose_name="name")),
                        ("description", models.CharField(blank=True, max_length=200, verbose_name="description")),
                        (
                            "permissions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
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
                            models.UniqueConstraint(
                                models.F("organization"),
                                django.db.models.functions.text.Lower("name"),
                                name="custom_role_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Membership",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("admin", "Admin"),
                                    ("billing", "Billing"),
                                    ("auditor", "Auditor"),
                                    ("agent", "Agent"),
                                    ("member", "Member"),
                                    ("custom", "Custom role"),
                                ],
                                default="member",
                                max_length=20,
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
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
                            "custom_role",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.customrole",
                            ),
                        ),
                        ("search", models.TextField(db_default="", editable=False)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "role", "-id"], name="membership_of_role")],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "user"), name="membership_once"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("custom_role__isnull", False), ("role", "custom")),
                                    models.Q(
                                        models.Q(("role", "custom"), _negated=True), ("custom_role__isnull", True)
                                    ),
                                    _connector="OR",
                                ),
                                name="membership_custom_role",
                            ),
                        ],
                    },
                    bases=(apps.accounts.models.roles.HoldsRole, models.Model),
                ),
                migrations.CreateModel(
                    name="ServiceAccount",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=60, verbose_name="name")),
                        ("description", models.CharField(blank=True, max_length=200, verbose_name="description")),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("admin", "Admin"),
                                    ("billing", "Billing"),
                                    ("auditor", "Auditor"),
                                    ("agent", "Agent"),
                                    ("member", "Member"),
                                    ("custom", "Custom role"),
                                ],
                                default="member",
                                max_length=20,
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("disabled_at", models.DateTimeField(null=True)),
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
                            "custom_role",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.customrole",
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
                                name="service_account_name_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("role", "custom"), ("custom_role__isnull", False)),
                                    models.Q(
                                        models.Q(("role__in", ["custom", "owner"]), _negated=True),
                                        ("custom_role__isnull", True),
                                    ),
                                    _connector="OR",
                                ),
                                name="service_account_role",
                            ),
                        ],
                    },
                    bases=(apps.accounts.models.roles.HoldsRole, models.Model),
                ),
                migrations.CreateModel(
                    name="ApiKey",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80, verbose_name="name")),
                        ("prefix", models.CharField(max_length=16)),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        (
                            "scopes",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("last_used_at", models.DateTimeField(null=True)),
                        ("revoked_at", models.DateTimeField(null=True)),
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
                            "allowed_networks",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=43), default=list, size=None
                            ),
                        ),
                        ("expires_at", models.DateTimeField(null=True)),
                        ("last_used_address", models.GenericIPAddressField(null=True)),
                        (
                            "member",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.membership",
                            ),
                        ),
                        (
                            "replaces",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.apikey",
                            ),
                        ),
                        (
                            "service_account",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.serviceaccount",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "member"], name="api_keys_of_member")],
                    },
                ),
                migrations.CreateModel(
                    name="AuditEntry",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("action", models.CharField(max_length=80)),
                        ("object_type", models.CharField(max_length=60)),
                        ("object_id", models.UUIDField()),
                        ("detail", models.JSONField(default=dict)),
                        ("request_id", models.CharField(blank=True, max_length=64)),
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
                            "user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
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
                        ("actor_kind", models.CharField(default="user", max_length=20)),
                        ("actor_name", models.CharField(blank=True, max_length=254)),
                        ("address", models.CharField(blank=True, max_length=45)),
                        ("after", models.JSONField(null=True)),
                        ("agent", models.CharField(blank=True, max_length=300)),
                        ("before", models.JSONField(null=True)),
                        ("content_digest", models.CharField(blank=True, max_length=64)),
                        ("erasure", models.BigIntegerField(null=True)),
                        ("hash", models.CharField(blank=True, max_length=64)),
                        (
                            "impersonator",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("impersonator_name", models.CharField(blank=True, max_length=254)),
                        ("object_name", models.CharField(blank=True, max_length=254)),
                        ("previous_hash", models.CharField(blank=True, max_length=64)),
                        ("salt", models.CharField(blank=True, max_length=32)),
                        ("sequence", models.BigIntegerField(default=0)),
                        ("transaction_id", models.BigIntegerField(default=0)),
                        (
                            "words",
                            models.GeneratedField(
                                db_persist=True,
                                expression=models.Func(
                                    models.F("action"),
                                    models.F("actor_name"),
                                    models.F("impersonator_name"),
                                    models.F("object_type"),
                                    models.F("object_name"),
                                    models.F("address"),
                                    models.F("agent"),
                                    models.F("request_id"),
                                    django.db.models.functions.comparison.Coalesce(
                                        django.db.models.functions.comparison.Cast("detail", models.TextField()),
                                        models.Value(""),
                                    ),
                                    django.db.models.functions.comparison.Coalesce(
                                        django.db.models.functions.comparison.Cast("before", models.TextField()),
                                        models.Value(""),
                                    ),
                                    django.db.models.functions.comparison.Coalesce(
                                        django.db.models.functions.comparison.Cast("after", models.TextField()),
                                        models.Value(""),
                                    ),
                                    arg_joiner=" || ' ' || ",
                                    output_field=models.TextField(),
                                    template="lower(%(expressions)s)",
                                ),
                                output_field=models.TextField(),
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "-created_at", "-id"], name="audit_newest"),
                            models.Index(fields=["organization", "action", "-sequence"], name="audit_by_action"),
                            models.Index(fields=["organization", "object_id", "-sequence"], name="audit_by_object"),
                            models.Index(fields=["organization", "user", "-sequence"], name="audit_by_user"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "sequence"), name="audit_sequence")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="InstallationEntry",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("actor_kind", models.CharField(max_length=20)),
                        ("actor_name", models.CharField(blank=True, max_length=254)),
                        ("action", models.CharField(max_length=80)),
                        ("object_type", models.CharField(max_length=60)),
                        ("object_id", models.UUIDField()),
                        ("object_name", models.CharField(blank=True, max_length=254)),
                        ("address", models.CharField(blank=True, max_length=45)),
                        ("before", models.JSONField(null=True)),
                        ("after", models.JSONField(null=True)),
                        ("detail", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("sequence", models.BigIntegerField(default=0)),
                        ("transaction_id", models.BigIntegerField(default=0)),
                        ("salt", models.CharField(blank=True, max_length=32)),
                        ("content_digest", models.CharField(blank=True, max_length=64)),
                        ("previous_hash", models.CharField(blank=True, max_length=64)),
                        ("hash", models.CharField(blank=True, max_length=64)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["object_id"], name="installation_by_object")],
                        "constraints": [models.UniqueConstraint(fields=("sequence",), name="installation_sequence")],
                    },
                ),
                migrations.CreateModel(
                    name="AuditHead",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.BigIntegerField(default=0)),
                        ("hash", models.CharField(max_length=64)),
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
                            models.UniqueConstraint(fields=("organization",), name="audit_head_of_organization")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AuditAnchor",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.BigIntegerField()),
                        ("hash", models.CharField(max_length=64)),
                        ("signature", models.CharField(max_length=120)),
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
                            models.UniqueConstraint(fields=("organization", "sequence"), name="audit_anchor_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AuditVerification",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("first_sequence", models.BigIntegerField()),
                        ("last_sequence", models.BigIntegerField()),
                        ("findings", models.JSONField(default=list)),
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
                        "indexes": [
                            models.Index(fields=["organization", "-created_at"], name="audit_verification_newest")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AuditSettings",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "retention_days",
                            models.PositiveIntegerField(
                                null=True, validators=[django.core.validators.MinValueValidator(30)]
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
                            models.UniqueConstraint(fields=("organization",), name="audit_settings_once"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("retention_days__isnull", True), ("retention_days__gte", 30), _connector="OR"
                                ),
                                name="audit_retention_not_too_short",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AuditStream",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("url", models.CharField(max_length=500, verbose_name="address")),
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("cursor", models.BigIntegerField(default=0)),
                        ("enabled", models.BooleanField(default=True)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("last_error", models.CharField(blank=True, max_length=300)),
                        ("delivered_at", models.DateTimeField(null=True)),
                        ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("leased_until", models.DateTimeField(null=True)),
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
                            models.UniqueConstraint(fields=("organization", "url"), name="audit_stream_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FactorSecret",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
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
                        ("secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                ),
                migrations.CreateModel(
                    name="Invitation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("email", models.EmailField(max_length=254)),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("admin", "Admin"),
                                    ("billing", "Billing"),
                                    ("auditor", "Auditor"),
                                    ("agent", "Agent"),
                                    ("member", "Member"),
                                    ("custom", "Custom role"),
                                ],
                                default="member",
                                max_length=20,
                            ),
                        ),
                        (
                            "teams",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), default=list, size=None
                            ),
                        ),
                        ("serial", models.PositiveIntegerField(default=1)),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("sent_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("accepted_at", models.DateTimeField(null=True)),
                        ("revoked_at", models.DateTimeField(null=True)),
                        (
                            "accepted_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "custom_role",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.customrole",
                            ),
                        ),
                        (
                            "invited_by",
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
                                condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)),
                                fields=("organization", "email"),
                                name="invitation_open_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SecurityPolicy",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sso_required_from", models.DateTimeField(null=True)),
                        ("mfa_required_from", models.DateTimeField(null=True)),
                        ("sso_session_hours", models.PositiveSmallIntegerField(default=24)),
                        ("keys_need_sso_days", models.PositiveSmallIntegerField(null=True)),
                        (
                            "connections",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), default=list, size=None
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
                            models.UniqueConstraint(fields=("organization",), name="security_policy_of_organization")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SingleSignOn",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("connection_id", models.UUIDField()),
                        ("last_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "user"), name="single_sign_on_of_member")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OwnerCode",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("used_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "used_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "digest"), name="owner_code_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BrowserSession",
                    fields=[
                        (
                            "session_key",
                            models.CharField(
                                max_length=40, primary_key=True, serialize=False, verbose_name="session key"
                            ),
                        ),
                        ("session_data", models.TextField(verbose_name="session data")),
                        ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                        ("started_at", models.DateTimeField(null=True)),
                        ("seen_at", models.DateTimeField()),
                        ("address", models.GenericIPAddressField(null=True)),
                        ("agent", models.CharField(blank=True, max_length=300)),
                        (
                            "user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "session",
                        "verbose_name_plural": "sessions",
                        "abstract": False,
                        "indexes": [models.Index(fields=["user", "-seen_at"], name="session_of_user")],
                    },
                ),
                migrations.CreateModel(
                    name="ClosedSession",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("handle", models.CharField(max_length=64)),
                        ("closed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "handle"), name="closed_session_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SupportGrant",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("expires_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "granted_by",
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
                        "constraints": [models.UniqueConstraint(fields=("organization",), name="support_grant_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Impersonation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("reason", models.CharField(max_length=300)),
                        ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "staff",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
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
                                condition=models.Q(("ended_at__isnull", True)),
                                fields=["expires_at"],
                                name="impersonation_going_on",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Team",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=60, verbose_name="name")),
                        ("description", models.CharField(blank=True, max_length=200, verbose_name="description")),
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
                            models.UniqueConstraint(
                                models.F("organization"),
                                django.db.models.functions.text.Lower("name"),
                                name="team_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TeamMembership",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "membership",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.membership",
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
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "membership"], name="teams_of_member")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "team", "membership"), name="team_member_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OwnershipTransfer",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("expires_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("outcome", models.CharField(blank=True, max_length=10)),
                        (
                            "member",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.membership",
                            ),
                        ),
                        (
                            "offered_by",
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
                                condition=models.Q(("ended_at__isnull", True)),
                                fields=("organization",),
                                name="transfer_open_once",
                            )
                        ],
                    },
                ),
            ]
        ),
        migrations.RunSQL(_audit.CHAIN, _audit.DROP_CHAIN),
        migrations.RunSQL(_audit.INSTALLATION, _audit.DROP_INSTALLATION),
        migrations.RunSQL(_member_words.KEEP, _member_words.UNKEEP),
        TenantWall("Organization", key="id"),
        TenantWall("CustomRole"),
        TenantWall("Membership"),
        TenantWall("ServiceAccount"),
        TenantWall("ApiKey"),
        TenantWall("ClosedSession"),
        TenantWall("Invitation"),
        TenantWall("OwnershipTransfer"),
        TenantWall("Team"),
        TenantWall("TeamMembership"),
        TenantWall("OwnerCode"),
        TenantWall("SecurityPolicy"),
        TenantWall("SingleSignOn"),
        TenantWall("Impersonation"),
        TenantWall("SupportGrant"),
        TenantWall("AuditHead"),
        TenantWall("AuditEntry", append_only=True),
        TenantWall("AuditAnchor", append_only=True),
        TenantWall("AuditVerification", append_only=True),
        TenantWall("AuditSettings"),
        TenantWall("AuditStream"),
        AuditedTable("Organization"),
        AuditedTable("Membership", name="user_id", without=["search"]),
        AuditedTable("ApiKey", without=["last_used_at", "last_used_address"]),
        AuditedTable("ServiceAccount"),
        AuditedTable("CustomRole"),
        AuditedTable("Invitation", name="email"),
        AuditedTable("OwnershipTransfer", name="member_id"),
        AuditedTable("Team"),
        AuditedTable("TeamMembership", name="membership_id"),
        AuditedTable("OwnerCode", name="id"),
        AuditedTable("SecurityPolicy", name="id"),
        AuditedTable("SupportGrant", name="expires_at"),
        AuditedTable("Impersonation", name="reason"),
        AuditedTable("AuditSettings", name=""),
        AuditedTable(
            "AuditStream",
            name="url",
            without=["cursor", "failures", "last_error", "delivered_at", "next_attempt_at", "leased_until"],
        ),
        AuditedInstallationTable(
            "User",
            columns=["is_active", "is_staff", "is_superuser"],
            only_if=["is_staff", "is_superuser"],
        ),
    ]
