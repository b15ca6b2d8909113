"""The mail servers of e-mail inboxes, what came from them and what leaves by them, each behind its wall."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.crypto
import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall

STATE = (
    "uid_validity",
    "last_uid",
    "trying_uid",
    "tries",
    "look_at",
    "looked_at",
    "taken_by",
    "taken_until",
    "failures",
    "problem",
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0002_bot"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="inbox",
            name="mail_secret",
        ),
        CreateTables(
            models=[
                migrations.CreateModel(
                    name="MailAccount",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("address", models.CharField(max_length=254)),
                        ("name", models.CharField(blank=True, max_length=80)),
                        ("plus", models.BooleanField(default=False)),
                        ("imap_host", models.CharField(max_length=253)),
                        ("imap_port", models.PositiveIntegerField(default=993)),
                        (
                            "imap_tls",
                            models.CharField(
                                choices=[
                                    ("tls", "TLS from the start"),
                                    ("starttls", "STARTTLS"),
                                    ("none", "none, only for servers that the operator trusts"),
                                ],
                                default="tls",
                                max_length=8,
                            ),
                        ),
                        ("imap_user", models.CharField(max_length=254)),
                        ("imap_password", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("folder", models.CharField(default="INBOX", max_length=120)),
                        ("smtp_host", models.CharField(max_length=253)),
                        ("smtp_port", models.PositiveIntegerField(default=587)),
                        (
                            "smtp_tls",
                            models.CharField(
                                choices=[
                                    ("tls", "TLS from the start"),
                                    ("starttls", "STARTTLS"),
                                    ("none", "none, only for servers that the operator trusts"),
                                ],
                                default="starttls",
                                max_length=8,
                            ),
                        ),
                        ("smtp_user", models.CharField(blank=True, max_length=254)),
                        ("smtp_password", apps.core.crypto.SealedText(blank=True, default="", editable=False)),
                        ("active", models.BooleanField(default=True)),
                        ("begins_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("uid_validity", models.PositiveBigIntegerField(null=True)),
                        ("last_uid", models.PositiveBigIntegerField(default=0)),
                        ("trying_uid", models.PositiveBigIntegerField(default=0)),
                        ("tries", models.PositiveIntegerField(default=0)),
                        ("look_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("looked_at", models.DateTimeField(null=True)),
                        ("taken_by", models.UUIDField(null=True)),
                        ("taken_until", models.DateTimeField(null=True)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("problem", models.CharField(blank=True, max_length=40)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "inbox",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="mail_accounts",
                                to="support.inbox",
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
                                condition=models.Q(("active", True)), fields=["look_at"], name="support_mail_due"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "inbox"), name="support_mail_account_once"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OutgoingMail",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("to", models.CharField(blank=True, max_length=254)),
                        ("mail_id", models.CharField(max_length=300)),
                        ("automatic", models.BooleanField(default=False)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("waiting", "waits to leave"),
                                    ("sent", "sent"),
                                    ("failed", "not sent"),
                                    ("cancelled", "taken back before it left"),
                                ],
                                default="waiting",
                                max_length=9,
                            ),
                        ),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        ("send_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("give_up_at", models.DateTimeField()),
                        ("taken_by", models.UUIDField(null=True)),
                        ("problem", models.CharField(blank=True, max_length=40)),
                        ("sent_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "account",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="support.mailaccount",
                            ),
                        ),
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="mails",
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
                            models.Index(
                                condition=models.Q(("status", "waiting")),
                                fields=["send_at"],
                                name="support_mail_waiting",
                            ),
                            models.Index(fields=["organization", "to", "-created_at"], name="support_mail_to_whom"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "message"), name="support_mail_sent_once"),
                            models.UniqueConstraint(fields=("organization", "mail_id"), name="support_mail_id_once"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ReceivedMail",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("uid_validity", models.PositiveBigIntegerField()),
                        ("uid", models.PositiveBigIntegerField()),
                        ("key", models.CharField(max_length=64)),
                        (
                            "outcome",
                            models.CharField(
                                choices=[
                                    ("taken", "taken"),
                                    ("automatic", "automatic, never answered by itself"),
                                    ("own", "sent by this desk"),
                                    ("refused", "from somebody who is blocked"),
                                    ("aside", "set aside"),
                                ],
                                max_length=9,
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=40)),
                        ("sender", models.CharField(blank=True, max_length=254)),
                        ("subject", models.CharField(blank=True, max_length=200)),
                        ("size", models.PositiveIntegerField(default=0)),
                        ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "account",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="received",
                                to="support.mailaccount",
                            ),
                        ),
                        (
                            "message",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
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
                            models.Index(
                                condition=models.Q(("outcome", "aside")),
                                fields=["organization", "account", "-received_at"],
                                name="support_mail_set_aside",
                            ),
                            models.Index(fields=["organization", "received_at"], name="support_mail_by_time"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "account", "key"), name="support_mail_received_once"
                            ),
                        ],
                    },
                ),
            ]
        ),
        TenantWall("MailAccount"),
        TenantWall("OutgoingMail"),
        TenantWall("ReceivedMail"),
        # How far a mailbox has been read is no news.
        AuditedTable("MailAccount", name="address", without=STATE),
    ]
