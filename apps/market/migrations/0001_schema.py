import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedInstallationTable, AuditedTable
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("market", "0001_initial"),
        ("market", "0002_given_back"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Offer",
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
                                choices=[("data_set", "Data set"), ("annotation", "Annotation service")], max_length=10
                            ),
                        ),
                        ("title", models.CharField(max_length=120)),
                        ("description", models.TextField()),
                        ("sample", models.TextField(blank=True)),
                        (
                            "licence",
                            models.CharField(
                                choices=[
                                    ("cc-by-4.0", "Creative Commons Attribution 4.0 (CC BY)"),
                                    ("cc-by-nc-4.0", "Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC)"),
                                    ("commercial", "Commercial: for the buyer's own use"),
                                    ("own", "The publisher's own text"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("licence_text", models.TextField(blank=True)),
                        ("price_minor", models.PositiveBigIntegerField()),
                        ("currency", models.CharField(max_length=3)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "draft"),
                                    ("submitted", "waiting for approval"),
                                    ("published", "published"),
                                    ("withdrawn", "withdrawn"),
                                ],
                                default="draft",
                                max_length=10,
                            ),
                        ),
                        ("version", models.PositiveIntegerField(default=0)),
                        ("review_note", models.CharField(blank=True, max_length=300)),
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
                            models.Index(
                                condition=models.Q(("state", "submitted")), fields=["state"], name="offer_to_review"
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("price_minor__gte", 1)), name="offer_has_a_price"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferFile",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=150)),
                        ("path", models.CharField(max_length=200)),
                        ("size", models.PositiveBigIntegerField()),
                        ("sha256", models.CharField(max_length=64)),
                        ("was_published", models.BooleanField(default=False)),
                        ("removed_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "offer",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="files",
                                to="market.offer",
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
                                condition=models.Q(("removed_at", None)),
                                fields=("organization", "offer", "name"),
                                name="offer_file_name_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Listing",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("version", models.PositiveIntegerField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[("data_set", "Data set"), ("annotation", "Annotation service")], max_length=10
                            ),
                        ),
                        ("title", models.CharField(max_length=120)),
                        ("description", models.TextField()),
                        ("sample", models.TextField(blank=True)),
                        ("seller_name", models.CharField(max_length=120)),
                        (
                            "licence",
                            models.CharField(
                                choices=[
                                    ("cc-by-4.0", "Creative Commons Attribution 4.0 (CC BY)"),
                                    ("cc-by-nc-4.0", "Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC)"),
                                    ("commercial", "Commercial: for the buyer's own use"),
                                    ("own", "The publisher's own text"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("licence_version", models.CharField(max_length=20)),
                        ("licence_text", models.TextField()),
                        ("licence_sha256", models.CharField(max_length=64)),
                        ("price_minor", models.PositiveBigIntegerField()),
                        ("currency", models.CharField(max_length=3)),
                        ("files", models.JSONField(default=list)),
                        ("files_sha256", models.CharField(blank=True, max_length=64)),
                        ("is_open", models.BooleanField()),
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
                            "offer",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="listings",
                                to="market.offer",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(condition=models.Q(("is_open", True)), fields=["-id"], name="listing_open")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "offer", "version"), name="listing_version_once"
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("is_open", True)),
                                fields=("organization", "offer"),
                                name="listing_open_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Sponsor",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "place",
                            models.CharField(choices=[("dashboard", "Dashboard")], default="dashboard", max_length=20),
                        ),
                        ("title", models.CharField(max_length=80)),
                        ("text", models.CharField(max_length=200)),
                        ("link", models.URLField(max_length=500)),
                        (
                            "languages",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=10), blank=True, default=list, size=None
                            ),
                        ),
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="sponsor_has_a_time"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("link__startswith", "https://")), name="sponsor_link_is_https"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SponsorDay",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("day", models.DateField()),
                        ("views", models.PositiveBigIntegerField(default=0)),
                        ("clicks", models.PositiveBigIntegerField(default=0)),
                        (
                            "sponsor",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="days", to="market.sponsor"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [models.UniqueConstraint(fields=("sponsor", "day"), name="sponsor_day_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Purchase",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("listing_id", models.UUIDField()),
                        ("offer_id", models.UUIDField()),
                        ("seller_id", models.UUIDField()),
                        ("seller_name", models.CharField(max_length=120)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("data_set", "Data set"), ("annotation", "Annotation service")], max_length=10
                            ),
                        ),
                        ("title", models.CharField(max_length=120)),
                        ("version", models.PositiveIntegerField()),
                        (
                            "licence",
                            models.CharField(
                                choices=[
                                    ("cc-by-4.0", "Creative Commons Attribution 4.0 (CC BY)"),
                                    ("cc-by-nc-4.0", "Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC)"),
                                    ("commercial", "Commercial: for the buyer's own use"),
                                    ("own", "The publisher's own text"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("licence_version", models.CharField(max_length=20)),
                        ("licence_text", models.TextField()),
                        ("licence_sha256", models.CharField(max_length=64)),
                        ("amount_minor", models.PositiveBigIntegerField()),
                        ("currency", models.CharField(max_length=3)),
                        ("files", models.JSONField(default=list)),
                        ("files_sha256", models.CharField(blank=True, max_length=64)),
                        ("order_id", models.UUIDField(null=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "waiting for payment"),
                                    ("ordered", "ordered"),
                                    ("in_work", "in work"),
                                    ("delivered", "delivered"),
                                    ("accepted", "accepted"),
                                    ("taken_back", "refunded or disputed"),
                                    ("incomplete", "given back, files missing"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("accepted_at", models.DateTimeField()),
                        ("delivered_at", models.DateTimeField(null=True)),
                        ("taken_back_at", models.DateTimeField(null=True)),
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
                            "state_before",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("open", "waiting for payment"),
                                    ("ordered", "ordered"),
                                    ("in_work", "in work"),
                                    ("delivered", "delivered"),
                                    ("accepted", "accepted"),
                                    ("taken_back", "refunded or disputed"),
                                    ("incomplete", "given back, files missing"),
                                ],
                                db_default="",
                                max_length=10,
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "order_id"), name="purchase_of_order_once"),
                            models.UniqueConstraint(
                                condition=models.Q(("state", "open")),
                                fields=("organization", "listing_id"),
                                name="purchase_open_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Sale",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("purchase_id", models.UUIDField()),
                        ("order_id", models.UUIDField()),
                        ("buyer_id", models.UUIDField()),
                        ("buyer_name", models.CharField(max_length=120)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("data_set", "Data set"), ("annotation", "Annotation service")], max_length=10
                            ),
                        ),
                        ("title", models.CharField(max_length=120)),
                        ("version", models.PositiveIntegerField()),
                        ("amount_minor", models.PositiveBigIntegerField()),
                        ("currency", models.CharField(max_length=3)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "waiting for payment"),
                                    ("ordered", "ordered"),
                                    ("in_work", "in work"),
                                    ("delivered", "delivered"),
                                    ("accepted", "accepted"),
                                    ("taken_back", "refunded or disputed"),
                                    ("incomplete", "given back, files missing"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "offer",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="market.offer",
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
                            models.UniqueConstraint(fields=("organization", "purchase_id"), name="sale_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Earning",
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
                                    ("sale", "Sale"),
                                    ("fee", "Fee"),
                                    ("reversal", "Refund or dispute"),
                                    ("fee_reversal", "Fee given back"),
                                    ("restored", "Dispute won"),
                                    ("fee_again", "Fee taken again"),
                                    ("payout", "Payout"),
                                ],
                                max_length=12,
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("amount_minor", models.BigIntegerField()),
                        ("reference", models.CharField(max_length=120)),
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
                            "sale",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="earnings",
                                to="market.sale",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "kind", "reference"), name="earning_once"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("amount_minor__gte", 0), ("kind__in", ["sale", "fee_reversal", "restored"])
                                    ),
                                    models.Q(
                                        ("amount_minor__lte", 0),
                                        ("kind__in", ["fee", "reversal", "fee_again", "payout"]),
                                    ),
                                    _connector="OR",
                                ),
                                name="earning_sign",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Note",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("purchase_id", models.UUIDField()),
                        ("voice", models.CharField(choices=[("buyer", "Buyer"), ("seller", "Seller")], max_length=6)),
                        ("text", models.TextField(blank=True)),
                        ("file_name", models.CharField(blank=True, max_length=150)),
                        ("file_path", models.CharField(blank=True, max_length=200)),
                        ("file_size", models.PositiveBigIntegerField(default=0)),
                        ("file_sha256", models.CharField(blank=True, max_length=64)),
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
                            models.Index(fields=["organization", "purchase_id", "id"], name="note_of_purchase")
                        ],
                    },
                ),
            ]
        ),
        TenantWall("Offer"),
        TenantWall("OfferFile"),
        TenantWall("Listing"),
        TenantWall("Purchase"),
        TenantWall("Sale"),
        TenantWall("Earning", append_only=True),
        TenantWall("Note"),
        AuditedTable("Offer", name="title"),
        AuditedInstallationTable("Sponsor", name="title", columns="place title text link starts_at ends_at".split()),
    ]
