"""The support desk's tables, each behind its wall; that of the index also holds what is looked for (decision 34)."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
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

MINE = """(organization_id = nullif(current_setting('app.org', true), '')::uuid
    OR (SELECT current_setting('app.across', true)) = 'on')"""
FOUND = "search @@ coalesce(nullif(current_setting('app.search', true), ''), 'every')::tsquery"
SEARCHED = f"""
ALTER POLICY tenant ON support_messageindex USING ({MINE} AND {FOUND}) WITH CHECK ({MINE} AND {FOUND});
ALTER TABLE support_messageindex SET (toast_tuple_target = 128);
ALTER TABLE support_messageindex ALTER COLUMN search SET STORAGE EXTERNAL;
"""
UNSEARCHED = f"ALTER POLICY tenant ON support_messageindex USING ({MINE}) WITH CHECK ({MINE})"


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_schema"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="BusinessHours",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("time_zone", models.CharField(default="UTC", max_length=60)),
                        ("weekly", models.JSONField(default=list)),
                        ("holidays", models.JSONField(default=list)),
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
                                name="support_hours_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CannedReply",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("code", models.CharField(max_length=40)),
                        ("content", models.TextField()),
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
                                models.F("organization"),
                                django.db.models.functions.text.Lower("code"),
                                name="support_canned_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Contact",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(blank=True, max_length=120)),
                        ("email", models.CharField(blank=True, max_length=254)),
                        ("phone", models.CharField(blank=True, max_length=40)),
                        ("identifier", models.CharField(blank=True, max_length=200)),
                        ("language", models.CharField(blank=True, max_length=10)),
                        ("attributes", models.JSONField(default=dict)),
                        ("verified_at", models.DateTimeField(null=True)),
                        ("blocked_at", models.DateTimeField(null=True)),
                        ("last_seen_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "merged_into",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.contact",
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
                                models.F("organization"),
                                django.db.models.functions.text.Lower("email"),
                                condition=models.Q(("email", ""), _negated=True),
                                name="support_contact_email",
                            ),
                            models.Index(fields=["organization", "-created_at", "-id"], name="support_contact_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(models.Q(("identifier", ""), _negated=True), ("merged_into", None)),
                                fields=("organization", "identifier"),
                                name="support_contact_identifier_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ContactSession",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("digest", models.CharField(max_length=64)),
                        ("verified", models.BooleanField(default=False)),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "contact",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sessions",
                                to="support.contact",
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
                            "inbox",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sessions",
                                to="support.inbox",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "digest"), name="support_session_digest_once"
                            )
                        ],
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
                        ("number", models.PositiveBigIntegerField()),
                        ("subject", models.CharField(blank=True, max_length=200)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "open"),
                                    ("pending", "with the bot"),
                                    ("snoozed", "snoozed"),
                                    ("resolved", "resolved"),
                                ],
                                default="open",
                                max_length=8,
                            ),
                        ),
                        (
                            "priority",
                            models.PositiveSmallIntegerField(
                                choices=[(0, "none"), (1, "low"), (2, "medium"), (3, "high"), (4, "urgent")], default=0
                            ),
                        ),
                        (
                            "labels",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        (
                            "skills",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        ("attributes", models.JSONField(default=dict)),
                        ("bot_owns", models.BooleanField(default=False)),
                        ("last_sequence", models.PositiveIntegerField(default=0)),
                        ("waiting_since", models.DateTimeField(null=True)),
                        ("snoozed_until", models.DateTimeField(null=True)),
                        ("opened_at", models.DateTimeField(null=True)),
                        ("acted_at", models.DateTimeField(null=True)),
                        ("first_reply_at", models.DateTimeField(null=True)),
                        ("resolved_at", models.DateTimeField(null=True)),
                        ("active_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "assignee",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.membership",
                            ),
                        ),
                        (
                            "contact",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="conversations",
                                to="support.contact",
                            ),
                        ),
                        (
                            "merged_into",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
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
                            "session",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.contactsession",
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
                        (
                            "inbox",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="conversations",
                                to="support.inbox",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                fields=["organization", "status", "-active_at", "-id"],
                                name="support_conversation_latest",
                            ),
                            models.Index(
                                condition=models.Q(
                                    ("assignee", None), ("status", "open"), ("waiting_since__isnull", False)
                                ),
                                fields=["organization", "waiting_since", "id"],
                                name="support_conversation_queue",
                            ),
                            models.Index(
                                fields=["organization", "assignee", "status", "-active_at"],
                                name="support_conversation_of_agent",
                            ),
                            models.Index(
                                fields=["organization", "contact", "-created_at"], name="support_conversation_of_person"
                            ),
                            models.Index(
                                condition=models.Q(("status", "snoozed")),
                                fields=["snoozed_until"],
                                name="support_conversation_snoozed",
                            ),
                            django.contrib.postgres.indexes.GinIndex(
                                fields=["labels"], name="support_conversation_labels"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "number"), name="support_conversation_number_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("bot_owns", False), ("status", "pending"), _connector="OR"),
                                name="support_bot_owns_what_is_pending",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BotTurn",
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
                        ("first_sequence", models.PositiveIntegerField()),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="turns",
                                to="support.conversation",
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
                                name="botturn_waiting",
                            ),
                            models.Index(
                                condition=models.Q(("deadline_at__isnull", False), ("status", "queued")),
                                fields=["deadline_at"],
                                name="botturn_expiring",
                            ),
                            models.Index(
                                condition=models.Q(("status", "running")),
                                fields=["organization", "lease_until"],
                                name="botturn_running",
                            ),
                            models.Index(fields=["organization", "-claimed_at"], name="botturn_served"),
                            models.Index(fields=["organization", "-created_at", "-id"], name="botturn_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("status", "queued")),
                                fields=("organization", "conversation"),
                                name="support_turn_waits_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Cursor",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("acknowledged", models.PositiveIntegerField(default=0)),
                        ("seen", models.PositiveIntegerField(default=0)),
                        ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "contact",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.contact",
                            ),
                        ),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="cursors",
                                to="support.conversation",
                            ),
                        ),
                        (
                            "membership",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
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
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "membership", "contact"),
                                name="support_cursor_once",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("contact__isnull", False), ("membership__isnull", True)),
                                    models.Q(("contact__isnull", True), ("membership__isnull", False)),
                                    _connector="OR",
                                ),
                                name="support_cursor_of_one",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="DeskSettings",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "masked",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=20), default=list, size=None
                            ),
                        ),
                        ("original_days", models.PositiveSmallIntegerField(default=30)),
                        ("resolve_after_days", models.PositiveSmallIntegerField(default=0)),
                        ("counted", models.PositiveBigIntegerField(default=0)),
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
                            models.UniqueConstraint(fields=("organization",), name="support_settings_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Inbox",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("widget", "web widget"), ("email", "e-mail"), ("api", "API")],
                                default="widget",
                                max_length=6,
                            ),
                        ),
                        ("token", models.CharField(max_length=40, unique=True)),
                        ("hmac_secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("hmac_required", models.BooleanField(default=False)),
                        ("mail_secret", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("greeting", models.CharField(blank=True, max_length=500)),
                        ("away_message", models.CharField(blank=True, max_length=500)),
                        ("auto_assignment", models.BooleanField(default=True)),
                        ("bot_enabled", models.BooleanField(default=False)),
                        ("csat_enabled", models.BooleanField(default=True)),
                        (
                            "origins",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=300), default=list, size=None
                            ),
                        ),
                        ("settings", models.JSONField(default=dict)),
                        ("archived_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "hours",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.businesshours",
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
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.team",
                            ),
                        ),
                        (
                            "sla",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.slapolicy",
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
                                name="support_inbox_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="InboxAgent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "inbox",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="agents",
                                to="support.inbox",
                            ),
                        ),
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
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "inbox", "membership"), name="support_inbox_agent_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Label",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("title", models.CharField(max_length=40)),
                        ("about", models.CharField(blank=True, max_length=200)),
                        ("colour", models.PositiveSmallIntegerField(default=0)),
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
                                django.db.models.functions.text.Lower("title"),
                                name="support_label_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Macro",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("actions", models.JSONField(default=list)),
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
                            "owner",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.membership",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "name"], name="support_macro_by_name")],
                    },
                ),
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sequence", models.PositiveIntegerField()),
                        ("client_id", models.CharField(max_length=100, null=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("incoming", "from the contact"),
                                    ("outgoing", "to the contact"),
                                    ("note", "note"),
                                    ("activity", "activity"),
                                ],
                                max_length=8,
                            ),
                        ),
                        (
                            "author",
                            models.CharField(
                                choices=[
                                    ("contact", "contact"),
                                    ("agent", "agent"),
                                    ("bot", "bot"),
                                    ("system", "system"),
                                ],
                                max_length=7,
                            ),
                        ),
                        ("content", models.TextField(blank=True)),
                        ("content_type", models.CharField(default="text", max_length=20)),
                        ("content_attributes", models.JSONField(default=dict)),
                        ("details", models.JSONField(default=dict)),
                        ("provenance", models.JSONField(default=dict)),
                        (
                            "masked",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=20), default=list, size=None
                            ),
                        ),
                        ("external_id", models.CharField(blank=True, max_length=300)),
                        ("moved_from", models.UUIDField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "contact",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.contact",
                            ),
                        ),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="messages",
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
                            models.Index(fields=["organization", "created_at"], name="support_message_by_time"),
                            models.Index(
                                condition=models.Q(("external_id", ""), _negated=True),
                                fields=["organization", "external_id"],
                                name="support_message_external",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "sequence"), name="support_message_in_sequence"
                            ),
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "client_id"), name="support_message_sent_once"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Mention",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("mailed_at", models.DateTimeField(null=True)),
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
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="mentions",
                                to="support.message",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "message", "membership"), name="support_mention_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MessageFile",
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
                        ("path", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="files",
                                to="support.message",
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
                                fields=("organization", "message", "position"), name="support_file_in_order"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MessageIndex",
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
                                to="support.conversation",
                            ),
                        ),
                        (
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.message",
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
                            django.contrib.postgres.indexes.GinIndex(fields=["search"], name="support_message_search")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "conversation", "message"),
                                name="support_indexed_once",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Original",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("content", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("expires_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="originals",
                                to="support.message",
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
                            models.Index(fields=["organization", "expires_at"], name="support_original_expiring")
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "message"), name="support_original_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Rating",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("by_bot", models.BooleanField(default=False)),
                        ("score", models.PositiveSmallIntegerField(null=True)),
                        ("comment", models.CharField(blank=True, max_length=1000)),
                        ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("answered_at", models.DateTimeField(null=True)),
                        (
                            "assignee",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="accounts.membership",
                            ),
                        ),
                        (
                            "contact",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.contact",
                            ),
                        ),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="ratings",
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
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "-asked_at"], name="support_rating_newest")],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("score", None), models.Q(("score__gte", 1), ("score__lte", 5)), _connector="OR"
                                ),
                                name="support_rating_one_to_five",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("answered_at", None)),
                                fields=("organization", "conversation"),
                                name="support_rating_asked_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SlaPolicy",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("first_reply", models.PositiveIntegerField(null=True)),
                        ("next_reply", models.PositiveIntegerField(null=True)),
                        ("resolution", models.PositiveIntegerField(null=True)),
                        ("in_hours", models.BooleanField(default=True)),
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
                                name="support_sla_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SlaTimer",
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
                                    ("first_reply", "first reply"),
                                    ("next_reply", "next reply"),
                                    ("resolution", "resolution"),
                                ],
                                max_length=11,
                            ),
                        ),
                        ("started_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField()),
                        ("met_at", models.DateTimeField(null=True)),
                        ("breached_at", models.DateTimeField(null=True)),
                        ("called_off", models.BooleanField(default=False)),
                        (
                            "conversation",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="timers",
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
                            "policy",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="support.slapolicy",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("breached_at", None), ("called_off", False), ("met_at", None)),
                                fields=["due_at"],
                                name="support_timer_due",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("called_off", False), ("met_at", None)),
                                fields=("organization", "conversation", "kind"),
                                name="support_timer_runs_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Agent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "availability",
                            models.CharField(
                                choices=[("online", "online"), ("busy", "busy"), ("offline", "offline")],
                                default="offline",
                                max_length=7,
                            ),
                        ),
                        ("capacity", models.PositiveSmallIntegerField(default=10)),
                        (
                            "skills",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40), default=list, size=None
                            ),
                        ),
                        ("signature", models.CharField(blank=True, max_length=500)),
                        ("seen_at", models.DateTimeField(null=True)),
                        ("given_at", models.DateTimeField(null=True)),
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
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "membership"), name="support_agent_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="AutomationRule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("event", models.CharField(max_length=40)),
                        ("conditions", models.JSONField(default=list)),
                        ("actions", models.JSONField(default=list)),
                        ("active", models.BooleanField(default=True)),
                        ("position", models.PositiveIntegerField(default=0)),
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
                            models.Index(
                                condition=models.Q(("active", True)),
                                fields=["organization", "event", "position"],
                                name="support_rules",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                models.F("organization"),
                                django.db.models.functions.text.Lower("name"),
                                name="support_rule_once",
                            )
                        ],
                    },
                ),
            ],
        ),
        TenantWall("BusinessHours"),
        TenantWall("SlaPolicy"),
        TenantWall("Inbox"),
        TenantWall("InboxAgent"),
        TenantWall("DeskSettings"),
        TenantWall("Contact"),
        TenantWall("ContactSession"),
        TenantWall("Agent"),
        TenantWall("Conversation"),
        TenantWall("Message"),
        TenantWall("Original"),
        TenantWall("MessageFile"),
        TenantWall("Mention"),
        TenantWall("Cursor"),
        TenantWall("MessageIndex"),
        TenantWall("Label"),
        TenantWall("CannedReply"),
        TenantWall("Macro"),
        TenantWall("AutomationRule"),
        TenantWall("SlaTimer"),
        TenantWall("Rating"),
        TenantWall("BotTurn"),
        migrations.RunSQL(SEARCHED, UNSEARCHED),
        AuditedTable("BusinessHours"),
        AuditedTable("SlaPolicy"),
        AuditedTable("Inbox"),
        AuditedTable("AutomationRule"),
        AuditedTable("DeskSettings", name="id", without=("counted",)),
    ]
