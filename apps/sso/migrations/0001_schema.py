import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
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
        ("sso", "0001_initial"),
        ("sso", "0002_groups_are_teams"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Connection",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(choices=[("oidc", "OpenID Connect"), ("saml", "SAML 2.0")], max_length=8),
                        ),
                        ("name", models.CharField(max_length=80, verbose_name="name")),
                        ("enabled", models.BooleanField(default=False)),
                        ("issuer", models.CharField(max_length=1000)),
                        ("client_id", models.CharField(blank=True, max_length=400)),
                        ("client_secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("sso_url", models.CharField(blank=True, max_length=1000)),
                        (
                            "certificates",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), default=list, size=None
                            ),
                        ),
                        ("metadata_url", models.CharField(blank=True, max_length=1000)),
                        ("allow_idp_initiated", models.BooleanField(default=False)),
                        ("email_attribute", models.CharField(blank=True, max_length=200)),
                        ("name_attribute", models.CharField(blank=True, max_length=200)),
                        ("groups_attribute", models.CharField(blank=True, max_length=200)),
                        ("creates_members", models.BooleanField(default=True)),
                        (
                            "default_role",
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
                        ("trusts_mfa", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("tested_at", models.DateTimeField(null=True)),
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
                    name="Identity",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("subject", models.CharField(max_length=400)),
                        ("email", models.EmailField(max_length=254)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("last_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "connection",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="sso.connection",
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
                        "indexes": [models.Index(fields=["organization", "user"], name="identities_of_person")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "connection", "subject"), name="identity_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsedAssertion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("expires_at", models.DateTimeField()),
                        (
                            "connection",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="sso.connection",
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
                        "indexes": [models.Index(fields=["organization", "expires_at"], name="assertions_by_expiry")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "connection", "digest"), name="assertion_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="GroupRule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("group", models.CharField(max_length=200)),
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
                                max_length=20,
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
                                django.db.models.functions.text.Lower("group"),
                                name="group_rule_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DirectoryToken",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("prefix", models.CharField(max_length=16)),
                        ("digest", models.CharField(max_length=64, unique=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("last_used_at", models.DateTimeField(null=True)),
                        ("ends_at", models.DateTimeField(null=True)),
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
                    },
                ),
                migrations.CreateModel(
                    name="DirectoryUser",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("user_name", models.CharField(max_length=254)),
                        ("external_id", models.CharField(blank=True, max_length=254)),
                        ("given_name", models.CharField(blank=True, max_length=120)),
                        ("family_name", models.CharField(blank=True, max_length=120)),
                        ("display_name", models.CharField(blank=True, max_length=240)),
                        ("active", models.BooleanField(default=True)),
                        ("role", models.CharField(blank=True, max_length=20)),
                        ("version", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                            models.Index(fields=["organization", "external_id"], name="directory_user_external")
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "user"), name="directory_user_once"),
                            models.UniqueConstraint(
                                models.F("organization"),
                                django.db.models.functions.text.Lower("user_name"),
                                name="directory_user_name_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DirectoryGroup",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=200)),
                        ("external_id", models.CharField(blank=True, max_length=254)),
                        ("version", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.team",
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
                                name="directory_group_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DirectoryGroupMember",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "group",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                related_query_name="inside",
                                to="sso.directorygroup",
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
                            "directory_user",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                related_query_name="inside",
                                to="sso.directoryuser",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "directory_user"], name="directory_groups_of_user")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "group", "directory_user"), name="directory_member_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Domain",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=253, verbose_name="domain")),
                        ("token", models.CharField(max_length=64)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("verified_at", models.DateTimeField(null=True)),
                        ("checked_at", models.DateTimeField(null=True)),
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
                            models.UniqueConstraint(fields=("organization", "name"), name="domain_claimed_once"),
                            models.UniqueConstraint(
                                condition=models.Q(("verified_at__isnull", False)),
                                fields=("name",),
                                name="domain_of_one_organization",
                            ),
                        ],
                    },
                ),
            ]
        ),
        TenantWall("Connection"),
        TenantWall("DirectoryGroup"),
        TenantWall("DirectoryToken"),
        TenantWall("DirectoryUser"),
        TenantWall("DirectoryGroupMember"),
        TenantWall("Domain"),
        TenantWall("GroupRule"),
        TenantWall("Identity"),
        TenantWall("UsedAssertion"),
        AuditedTable("Connection", without=["tested_at"]),
        AuditedTable("DirectoryToken", name="prefix", without=["last_used_at"]),
        AuditedTable("Domain", without=["checked_at"]),
        AuditedTable("GroupRule", name="group"),
    ]
