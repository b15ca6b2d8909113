import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import apps.core.ids
import apps.core.tenancy.models
from apps.accounts.audit.operations import AuditedInstallationTable, AuditedTable
from apps.billing.migrations import _offers
from apps.core.operations import CreateTables
from apps.core.tenancy.migrations import TenantWall

PLAN = """code name description position is_public trial_days included_seats max_seats features requests_per_minute
tokens_per_minute max_queued weight max_running max_passages""".split()
PACK = "code name currency price_minor credit_minor valid_days is_active".split()
# Each after those that it refers to.
TENANTS = """Subscription UsagePeriod Spender Budget BudgetPeriod BillingAccount CouponUse Invoice CreditNote MeterPeriod
Order Payment SpendingCap StripeOperation UsageHour PlanCheckout UsageAlert SubscriptionMonth SubscriptionNotice
StripeFinding""".split()


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("billing", "0001_initial"),
        ("billing", "0002_plans"),
        ("billing", "0003_shares"),
        ("billing", "0004_shares_of_seeded_plans"),
        ("billing", "0005_audited"),
        ("billing", "0006_budgets"),
        ("billing", "0007_service_accounts"),
        ("billing", "0008_days"),
        ("billing", "0009_money"),
        ("billing", "0010_offers"),
        ("billing", "0011_audited_offers"),
        ("billing", "0012_hours"),
        ("billing", "0013_allowances"),
        ("billing", "0014_events_without_kind"),
        ("billing", "0015_checkouts"),
        ("billing", "0016_closing"),
        ("billing", "0017_usage_alerts"),
        ("billing", "0018_subscription_months"),
        ("billing", "0019_notices"),
        ("billing", "0020_inbox"),
        ("billing", "0021_credits_expire"),
        ("billing", "0022_findings"),
        ("billing", "0023_narrowed"),
        ("billing", "0024_max_passages"),
        ("billing", "0025_order_terms"),
        ("billing", "0026_teams_of_hours"),
    ]

    dependencies = [
        ("accounts", "0001_schema"),
        # Not needed: what these change of people is quicker while there are few tables.
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        CreateTables(
            [
                migrations.CreateModel(
                    name="Plan",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("code", models.SlugField(max_length=40, unique=True)),
                        ("name", models.CharField(max_length=80)),
                        ("requests_per_minute", models.PositiveIntegerField()),
                        ("tokens_per_minute", models.PositiveIntegerField()),
                        ("max_queued", models.PositiveIntegerField()),
                        (
                            "max_running",
                            models.PositiveIntegerField(
                                db_default=32, default=32, validators=[django.core.validators.MinValueValidator(1)]
                            ),
                        ),
                        (
                            "weight",
                            models.PositiveIntegerField(
                                db_default=1,
                                default=1,
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(1000),
                                ],
                            ),
                        ),
                        ("description", models.CharField(blank=True, db_default="", max_length=200)),
                        (
                            "features",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=40),
                                blank=True,
                                db_default=[],
                                default=list,
                                size=None,
                            ),
                        ),
                        (
                            "included_seats",
                            models.PositiveIntegerField(
                                db_default=1, default=1, validators=[django.core.validators.MinValueValidator(1)]
                            ),
                        ),
                        ("is_public", models.BooleanField(db_default=True, default=True)),
                        ("max_seats", models.PositiveIntegerField(blank=True, null=True)),
                        ("position", models.PositiveSmallIntegerField(db_default=0, default=0)),
                        ("trial_days", models.PositiveSmallIntegerField(db_default=0, default=0)),
                        ("max_passages", models.PositiveIntegerField(db_default=200000, default=200000)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("max_running__gte", 1), ("weight__gte", 1), ("weight__lte", 1000)),
                                name="plan_has_a_share",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("included_seats__gte", 1),
                                    models.Q(
                                        ("max_seats__isnull", True),
                                        ("max_seats__gte", models.F("included_seats")),
                                        _connector="OR",
                                    ),
                                ),
                                name="plan_seats",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PlanPrice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "interval",
                            models.CharField(choices=[("month", "Monthly"), ("year", "Yearly")], max_length=5),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("base_minor", models.PositiveBigIntegerField()),
                        ("seat_minor", models.PositiveBigIntegerField(default=0)),
                        ("is_active", models.BooleanField(db_default=True, default=True)),
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="prices", to="billing.plan"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("is_active", True)),
                                fields=("plan", "interval", "currency"),
                                name="plan_price_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PlanAllowance",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "meter",
                            models.CharField(
                                choices=[
                                    ("tokens_in", "Tokens in"),
                                    ("tokens_out", "Tokens out"),
                                    ("images", "Images"),
                                    ("camera_minutes", "Camera minutes"),
                                    ("bot_resolutions", "Bot resolutions"),
                                    ("training_seconds", "Training seconds"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("included", models.PositiveBigIntegerField()),
                        (
                            "overage",
                            models.CharField(
                                choices=[("stop", "stops"), ("charge", "is charged")], default="stop", max_length=6
                            ),
                        ),
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="allowances",
                                to="billing.plan",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [models.UniqueConstraint(fields=("plan", "meter"), name="plan_allowance_once")],
                    },
                ),
                migrations.CreateModel(
                    name="PlanRate",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "meter",
                            models.CharField(
                                choices=[
                                    ("tokens_in", "Tokens in"),
                                    ("tokens_out", "Tokens out"),
                                    ("images", "Images"),
                                    ("camera_minutes", "Camera minutes"),
                                    ("bot_resolutions", "Bot resolutions"),
                                    ("training_seconds", "Training seconds"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        (
                            "per",
                            models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                        ),
                        (
                            "price_minor",
                            models.DecimalField(
                                decimal_places=6,
                                max_digits=16,
                                validators=[django.core.validators.MinValueValidator(0)],
                            ),
                        ),
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="rates", to="billing.plan"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("plan", "meter", "currency"), name="plan_rate_once"),
                            models.CheckConstraint(
                                condition=models.Q(("per__gte", 1), ("price_minor__gte", 0)),
                                name="plan_rate_of_something",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CreditPack",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("code", models.SlugField(max_length=40, unique=True)),
                        ("name", models.CharField(max_length=80)),
                        ("currency", models.CharField(max_length=3)),
                        (
                            "price_minor",
                            models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                        ),
                        (
                            "credit_minor",
                            models.PositiveBigIntegerField(validators=[django.core.validators.MinValueValidator(1)]),
                        ),
                        ("is_active", models.BooleanField(db_default=True, default=True)),
                        (
                            "valid_days",
                            models.PositiveIntegerField(
                                blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)]
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="UsageAlert",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "subject",
                            models.CharField(
                                choices=[
                                    ("tokens_in", "Tokens in"),
                                    ("tokens_out", "Tokens out"),
                                    ("images", "Images"),
                                    ("camera_minutes", "Camera minutes"),
                                    ("bot_resolutions", "Bot resolutions"),
                                    ("training_seconds", "Training seconds"),
                                    ("cap", "Cap"),
                                    ("credits", "Credits"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("month", models.DateField(null=True)),
                        ("level", models.PositiveSmallIntegerField(default=0)),
                        ("used", models.BigIntegerField(default=0)),
                        ("whole", models.BigIntegerField(default=0)),
                        ("currency", models.CharField(blank=True, max_length=3)),
                        ("received", models.BigIntegerField(default=0)),
                        ("told_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                                fields=("organization", "subject", "month"),
                                name="usage_alert_once",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StripeEvent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("account", models.CharField(blank=True, max_length=80)),
                        ("livemode", models.BooleanField()),
                        ("event_id", models.CharField(max_length=80)),
                        ("type", models.CharField(max_length=100)),
                        ("object_kind", models.CharField(max_length=60)),
                        ("object_id", models.CharField(max_length=120)),
                        ("api_version", models.CharField(blank=True, max_length=40)),
                        ("happened_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("handled_at", models.DateTimeField(null=True)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("problem", models.CharField(blank=True, max_length=500)),
                        ("customer", models.CharField(blank=True, db_default="", max_length=80)),
                        ("outcome", models.CharField(blank=True, db_default="", max_length=30)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("handled_at__isnull", True)),
                                fields=["next_at"],
                                name="stripe_event_waiting",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("account", "livemode", "event_id"), name="stripe_event_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StripeCursor",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("livemode", models.BooleanField(unique=True)),
                        ("read_until", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="StripeOperation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kind", models.CharField(max_length=40)),
                        ("parameters", models.JSONField()),
                        ("subject", models.CharField(blank=True, max_length=120)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("sent", "Sent"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("unknown", "Unknown"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("answer_id", models.CharField(blank=True, max_length=120)),
                        ("problem", models.CharField(blank=True, max_length=500)),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("first_sent_at", models.DateTimeField(null=True)),
                        ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("done_at", models.DateTimeField(null=True)),
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
                                condition=models.Q(("state__in", ["waiting", "sent"])),
                                fields=["next_at"],
                                name="stripe_operation_due",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("subject", ""), _negated=True),
                                fields=("organization", "kind", "subject"),
                                name="stripe_operation_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StripeFinding",
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
                                choices=[("drift", "copies differed"), ("unread", "could not be compared")],
                                max_length=10,
                            ),
                        ),
                        ("subject", models.CharField(max_length=60)),
                        ("detail", models.CharField(max_length=500)),
                        ("times", models.PositiveIntegerField(default=1)),
                        ("found_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("acknowledged_at", models.DateTimeField(null=True)),
                        ("acknowledged_by", models.UUIDField(null=True)),
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
                                condition=models.Q(("acknowledged_at__isnull", True)),
                                fields=["seen_at"],
                                name="stripe_finding_open",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("acknowledged_at__isnull", True)),
                                fields=("organization", "kind", "subject"),
                                name="stripe_finding_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StripeCatalogue",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("livemode", models.BooleanField()),
                        ("part", models.CharField(max_length=10)),
                        ("stripe_id", models.CharField(max_length=80)),
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="billing.plan"
                            ),
                        ),
                        (
                            "price",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="billing.planprice",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("livemode", "plan", "price", "part"),
                                name="stripe_catalogue_once",
                                nulls_distinct=False,
                            ),
                            models.UniqueConstraint(
                                fields=("livemode", "stripe_id"), name="stripe_catalogue_of_stripe_once"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Spender",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("pseudonym", models.CharField(blank=True, max_length=40)),
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
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "user"), name="spender_once"),
                            models.UniqueConstraint(
                                fields=("organization", "service_account"), name="spender_of_service_account_once"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Budget",
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
                                    ("default", "Default"),
                                    ("member", "Member"),
                                    ("team", "Team"),
                                    ("service_account", "Service Account"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("monthly_tokens", models.PositiveBigIntegerField()),
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
                            "team",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.team",
                            ),
                        ),
                        (
                            "spender",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="billing.spender",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "kind", "spender", "team"),
                                name="budget_once",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("kind", "default"), ("spender__isnull", True), ("team__isnull", True)),
                                    models.Q(
                                        ("kind__in", ["member", "service_account"]),
                                        ("spender__isnull", False),
                                        ("team__isnull", True),
                                    ),
                                    models.Q(("kind", "team"), ("spender__isnull", True), ("team__isnull", False)),
                                    _connector="OR",
                                ),
                                name="budget_of_one_owner",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BudgetPeriod",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("month", models.DateField()),
                        ("owner_id", models.UUIDField()),
                        ("held_tokens", models.BigIntegerField(default=0)),
                        ("used_tokens", models.BigIntegerField(default=0)),
                        ("alerted", models.PositiveSmallIntegerField(db_default=0, default=0)),
                        ("refused_at", models.DateTimeField(null=True)),
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
                                condition=models.Q(("alerted__lt", 100)), fields=["month"], name="budget_period_to_tell"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "month", "owner_id"), name="budget_period_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("held_tokens__gte", 0)), name="budget_period_held_not_negative"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageHour",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("hour", models.DateTimeField()),
                        ("model_name", models.CharField(blank=True, max_length=120)),
                        ("meter", models.CharField(blank=True, max_length=20)),
                        ("currency", models.CharField(max_length=3)),
                        ("charge_currency", models.CharField(blank=True, max_length=3)),
                        ("requests", models.PositiveBigIntegerField()),
                        ("quantity", models.PositiveBigIntegerField()),
                        ("prompt_tokens", models.PositiveBigIntegerField()),
                        ("completion_tokens", models.PositiveBigIntegerField()),
                        ("tokens", models.PositiveBigIntegerField()),
                        ("amount_micros", models.BigIntegerField()),
                        ("charge_micros", models.BigIntegerField()),
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
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "spender",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.spender",
                            ),
                        ),
                        (
                            "team_ids",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), db_default=[], default=list, size=None
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "organization",
                                    "hour",
                                    "spender",
                                    "api_key",
                                    "model_name",
                                    "meter",
                                    "currency",
                                    "charge_currency",
                                    "team_ids",
                                ),
                                name="usage_hour_once",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsagePeriod",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("month", models.DateField()),
                        ("held_tokens", models.BigIntegerField(default=0)),
                        ("used_tokens", models.BigIntegerField(default=0)),
                        ("spent_micros", models.BigIntegerField(default=0)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("billed_minor", models.BigIntegerField(db_default=0, default=0)),
                        ("carried_micros", models.BigIntegerField(db_default=0, default=0)),
                        ("currency", models.CharField(blank=True, db_default="", max_length=3)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "month"), name="usage_period_once"),
                            models.CheckConstraint(
                                condition=models.Q(("held_tokens__gte", 0)), name="usage_period_held_not_negative"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MeterPeriod",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("month", models.DateField()),
                        (
                            "meter",
                            models.CharField(
                                choices=[
                                    ("tokens_in", "Tokens in"),
                                    ("tokens_out", "Tokens out"),
                                    ("images", "Images"),
                                    ("camera_minutes", "Camera minutes"),
                                    ("bot_resolutions", "Bot resolutions"),
                                    ("training_seconds", "Training seconds"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("held", models.BigIntegerField(default=0)),
                        ("used", models.BigIntegerField(default=0)),
                        ("charged_micros", models.BigIntegerField(default=0)),
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
                        "indexes": [models.Index(fields=["month"], name="meter_period_to_tell")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "month", "meter"), name="meter_period_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("held__gte", 0)), name="meter_period_held_not_negative"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LedgerEntry",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("job_id", models.UUIDField(null=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("hold", "Hold"),
                                    ("settle", "Settle"),
                                    ("release", "Release"),
                                    ("usage", "Usage"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("month", models.DateField()),
                        ("prompt_tokens", models.PositiveIntegerField(default=0)),
                        ("completion_tokens", models.PositiveIntegerField(default=0)),
                        ("tokens", models.PositiveBigIntegerField(db_default=0, default=0)),
                        ("amount_micros", models.BigIntegerField(default=0)),
                        ("currency", models.CharField(default="USD", max_length=3)),
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
                            "api_key",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="accounts.apikey",
                            ),
                        ),
                        ("model_name", models.CharField(blank=True, db_default="", max_length=120)),
                        (
                            "team_ids",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), db_default=[], default=list, size=None
                            ),
                        ),
                        (
                            "spender",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.spender",
                            ),
                        ),
                        ("day", models.DateField()),
                        ("charge_currency", models.CharField(blank=True, db_default="", max_length=3)),
                        ("charge_micros", models.BigIntegerField(db_default=0, default=0)),
                        ("content_digest", models.BinaryField(null=True)),
                        ("event_id", models.CharField(blank=True, db_default="", max_length=200)),
                        ("late_from", models.DateField(null=True)),
                        ("meter", models.CharField(blank=True, db_default="", max_length=20)),
                        ("occurred_at", models.DateTimeField()),
                        ("quantity", models.PositiveBigIntegerField(db_default=0, default=0)),
                        ("source", models.CharField(blank=True, db_default="", max_length=200)),
                        ("terms", models.JSONField(null=True)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(fields=["organization", "month", "kind"], name="ledger_month"),
                            models.Index(
                                condition=models.Q(("kind__in", ["settle", "usage"])),
                                fields=["organization", "month", "-id"],
                                name="ledger_used_month",
                            ),
                            models.Index(
                                condition=models.Q(("kind__in", ["settle", "usage"])),
                                fields=["organization", "day", "-id"],
                                name="ledger_used_day",
                            ),
                            models.Index(
                                condition=models.Q(("kind__in", ["settle", "usage"])),
                                fields=["organization", "spender", "-id"],
                                name="ledger_used_spender",
                            ),
                            models.Index(
                                condition=models.Q(("api_key__isnull", False), ("kind__in", ["settle", "usage"])),
                                fields=["organization", "api_key", "month", "-id"],
                                name="ledger_used_api_key",
                            ),
                            models.Index(
                                condition=models.Q(
                                    ("kind__in", ["settle", "usage"]), models.Q(("model_name", ""), _negated=True)
                                ),
                                fields=["organization", "model_name", "month", "-id"],
                                name="ledger_used_model",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "job_id", "kind"), name="ledger_once_per_kind"
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("kind__in", ["settle", "release"])),
                                fields=("organization", "job_id"),
                                name="ledger_closed_once",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("event_id", ""), _negated=True),
                                fields=("organization", "source", "event_id"),
                                name="ledger_usage_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("job_id__isnull", True),
                                        ("kind", "usage"),
                                        models.Q(("event_id", ""), _negated=True),
                                        models.Q(("meter", ""), _negated=True),
                                    ),
                                    models.Q(models.Q(("kind", "usage"), _negated=True), ("job_id__isnull", False)),
                                    _connector="OR",
                                ),
                                name="ledger_of_a_job_or_an_event",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CreditEntry",
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
                                    ("purchase", "Purchase"),
                                    ("grant", "Grant"),
                                    ("draw", "Draw"),
                                    ("clawback", "Clawback"),
                                    ("expiry", "Expiry"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("amount_micros", models.BigIntegerField()),
                        ("reference", models.CharField(max_length=255)),
                        ("note", models.CharField(blank=True, max_length=200)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        ("expires_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("expires_at__isnull", False)),
                                fields=["expires_at"],
                                name="credit_entry_to_expire",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "kind", "reference"), name="credit_entry_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("amount_micros__gt", 0), ("kind__in", ["purchase", "grant"])),
                                    models.Q(("amount_micros__lt", 0), ("kind__in", ["draw", "clawback", "expiry"])),
                                    _connector="OR",
                                ),
                                name="credit_entry_sign",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("expires_at__isnull", True), ("kind__in", ["purchase", "grant"]), _connector="OR"
                                ),
                                name="credit_entry_expires",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SpendingCap",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("cap_micros", models.PositiveBigIntegerField()),
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
                        "constraints": [models.UniqueConstraint(fields=("organization",), name="spending_cap_once")],
                    },
                ),
                migrations.CreateModel(
                    name="SubscriptionMonth",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("month", models.DateField()),
                        ("currency", models.CharField(max_length=3)),
                        ("mrr_minor", models.PositiveBigIntegerField()),
                        ("written_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                        "indexes": [models.Index(fields=["month"], name="subscription_month_of_all")],
                        "constraints": [
                            models.UniqueConstraint(fields=("organization", "month"), name="subscription_month_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="BillingAccount",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("stripe_id", models.CharField(blank=True, max_length=80)),
                        ("livemode", models.BooleanField(default=False)),
                        ("currency", models.CharField(blank=True, max_length=3)),
                        ("name", models.CharField(blank=True, max_length=200)),
                        ("email", models.EmailField(blank=True, max_length=254)),
                        ("country", models.CharField(blank=True, max_length=2)),
                        ("tax_id_kind", models.CharField(blank=True, max_length=30)),
                        ("tax_id", models.CharField(blank=True, max_length=60)),
                        ("tax_id_state", models.CharField(blank=True, max_length=20)),
                        ("payment_method", models.CharField(blank=True, max_length=60)),
                        ("trial_used_at", models.DateTimeField(null=True)),
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
                            models.UniqueConstraint(fields=("organization",), name="billing_account_once"),
                            models.UniqueConstraint(
                                condition=models.Q(("stripe_id", ""), _negated=True),
                                fields=("stripe_id",),
                                name="billing_account_customer",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Subscription",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
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
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.plan"
                            ),
                        ),
                        ("cancel_at", models.DateTimeField(null=True)),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("manual", "set by the operator"),
                                    ("incomplete", "waiting for its first payment"),
                                    ("incomplete_expired", "never paid"),
                                    ("trialing", "in its trial"),
                                    ("active", "active"),
                                    ("past_due", "payment failed"),
                                    ("unpaid", "unpaid"),
                                    ("paused", "paused"),
                                    ("canceled", "canceled"),
                                ],
                                db_default="manual",
                                default="manual",
                                max_length=20,
                            ),
                        ),
                        ("past_due_since", models.DateTimeField(null=True)),
                        ("paused_until", models.DateTimeField(null=True)),
                        ("period_end", models.DateTimeField(null=True)),
                        ("period_start", models.DateTimeField(null=True)),
                        ("seats", models.PositiveIntegerField(db_default=1, default=1)),
                        ("stripe_id", models.CharField(blank=True, db_default="", max_length=80)),
                        ("trial_end", models.DateTimeField(null=True)),
                        ("version", models.PositiveIntegerField(db_default=0, default=0)),
                        (
                            "price",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.planprice",
                            ),
                        ),
                        (
                            "is_live",
                            models.GeneratedField(
                                db_persist=True,
                                expression=models.Case(
                                    models.When(
                                        status__in=["incomplete_expired", "canceled"], then=models.Value(False)
                                    ),
                                    default=models.Value(True),
                                ),
                                output_field=models.BooleanField(),
                            ),
                        ),
                        ("next_at", models.DateTimeField(null=True)),
                        (
                            "next_price",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.planprice",
                            ),
                        ),
                        ("next_seats", models.PositiveIntegerField(null=True)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("is_live", True)),
                                fields=("organization",),
                                name="subscription_live_once",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("stripe_id", ""), _negated=True),
                                fields=("stripe_id",),
                                name="subscription_stripe_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PlanCheckout",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("seats", models.PositiveIntegerField()),
                        ("trial_days", models.PositiveSmallIntegerField(default=0)),
                        ("coupon", models.CharField(blank=True, max_length=80)),
                        ("promotion", models.CharField(blank=True, max_length=80)),
                        (
                            "state",
                            models.CharField(
                                choices=[("open", "Open"), ("complete", "Complete"), ("expired", "Expired")],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("stripe_id", models.CharField(blank=True, max_length=80)),
                        ("url", models.URLField(blank=True, max_length=2000)),
                        ("expires_at", models.DateTimeField(null=True)),
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
                            "price",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="billing.planprice"
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("state", "open")),
                                fields=("organization",),
                                name="plan_checkout_open_once",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("stripe_id", ""), _negated=True),
                                fields=("stripe_id",),
                                name="plan_checkout_stripe_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CouponUse",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("code", models.CharField(max_length=80)),
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
                            models.UniqueConstraint(fields=("organization", "code"), name="coupon_use_once")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SubscriptionNotice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kind", models.CharField(max_length=20)),
                        ("occasion", models.CharField(max_length=60)),
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
                            "subscription",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="billing.subscription",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("organization", "subscription", "occasion"), name="subscription_told_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Invoice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("stripe_id", models.CharField(max_length=80, unique=True)),
                        ("number", models.CharField(blank=True, max_length=80)),
                        ("status", models.CharField(max_length=20)),
                        ("currency", models.CharField(max_length=3)),
                        ("subtotal_minor", models.BigIntegerField()),
                        ("tax_minor", models.BigIntegerField(default=0)),
                        ("total_minor", models.BigIntegerField()),
                        ("paid_minor", models.BigIntegerField(default=0)),
                        ("remaining_minor", models.BigIntegerField(default=0)),
                        ("credited_minor", models.BigIntegerField(default=0)),
                        ("lines", models.JSONField(default=list)),
                        ("issued_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField(null=True)),
                        ("paid_at", models.DateTimeField(null=True)),
                        ("failed_at", models.DateTimeField(null=True)),
                        ("period_start", models.DateTimeField(null=True)),
                        ("period_end", models.DateTimeField(null=True)),
                        ("page_url", models.URLField(blank=True, max_length=500)),
                        ("pdf_url", models.URLField(blank=True, max_length=500)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "subscription",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.subscription",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [models.Index(fields=["organization", "-issued_at"], name="invoice_newest")],
                    },
                ),
                migrations.CreateModel(
                    name="CreditNote",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("stripe_id", models.CharField(max_length=80, unique=True)),
                        ("number", models.CharField(blank=True, max_length=80)),
                        ("status", models.CharField(max_length=20)),
                        ("reason", models.CharField(blank=True, max_length=40)),
                        ("currency", models.CharField(max_length=3)),
                        ("total_minor", models.BigIntegerField()),
                        ("issued_at", models.DateTimeField()),
                        ("pdf_url", models.URLField(blank=True, max_length=500)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "invoice",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="credit_notes",
                                to="billing.invoice",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                    },
                ),
                migrations.CreateModel(
                    name="Order",
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
                                choices=[("credits", "Credits"), ("licence", "Licence"), ("data", "Data")],
                                max_length=10,
                            ),
                        ),
                        ("item_id", models.UUIDField()),
                        ("name", models.CharField(max_length=200)),
                        ("quantity", models.PositiveIntegerField(default=1)),
                        ("currency", models.CharField(max_length=3)),
                        ("amount_minor", models.PositiveBigIntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "waiting for payment"),
                                    ("expired", "never paid"),
                                    ("paid", "paid, being delivered"),
                                    ("delivered", "delivered"),
                                    ("reversed", "refunded or disputed"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("stripe_id", models.CharField(blank=True, max_length=80)),
                        ("intent_id", models.CharField(blank=True, max_length=80)),
                        ("reversed_minor", models.PositiveBigIntegerField(default=0)),
                        ("taken_back_minor", models.PositiveBigIntegerField(default=0)),
                        ("asked_by", models.UUIDField(null=True)),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("paid_at", models.DateTimeField(null=True)),
                        ("delivered_at", models.DateTimeField(null=True)),
                        (
                            "organization",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                        ("terms", models.JSONField(null=True)),
                    ],
                    options={
                        "abstract": False,
                        "base_manager_name": "objects",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "paid")), fields=["state"], name="order_to_deliver"
                            ),
                            models.Index(
                                condition=models.Q(("reversed_minor", models.F("taken_back_minor")), _negated=True),
                                fields=["created_at"],
                                name="order_to_take_back",
                            ),
                            models.Index(fields=["organization", "-created_at"], name="order_newest"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("stripe_id", ""), _negated=True),
                                fields=("stripe_id",),
                                name="order_of_checkout_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Payment",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("stripe_id", models.CharField(max_length=80, unique=True)),
                        ("intent_id", models.CharField(blank=True, max_length=80)),
                        ("status", models.CharField(max_length=20)),
                        ("currency", models.CharField(max_length=3)),
                        ("amount_minor", models.BigIntegerField()),
                        ("refunded_minor", models.BigIntegerField(default=0)),
                        ("disputed_minor", models.BigIntegerField(default=0)),
                        ("dispute_status", models.CharField(blank=True, max_length=40)),
                        ("failure", models.CharField(blank=True, max_length=200)),
                        ("created_at", models.DateTimeField()),
                        (
                            "invoice",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.invoice",
                            ),
                        ),
                        (
                            "order",
                            apps.core.tenancy.models.TenantForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="billing.order",
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
            ]
        ),
        *(TenantWall(name) for name in TENANTS),
        TenantWall("LedgerEntry", append_only=True),
        TenantWall("CreditEntry", append_only=True),
        migrations.RunPython(_offers.add, migrations.RunPython.noop),
        # After the offers have been put in, which nobody has changed.
        AuditedInstallationTable("Plan", name="code", columns=PLAN),
        AuditedInstallationTable(
            "PlanPrice", columns="plan_id interval currency base_minor seat_minor is_active".split()
        ),
        AuditedInstallationTable("PlanAllowance", columns="plan_id meter included overage".split()),
        AuditedInstallationTable("PlanRate", columns="plan_id meter currency per price_minor".split()),
        AuditedInstallationTable("CreditPack", name="code", columns=PACK),
        AuditedTable("Subscription", name="plan_id"),
        AuditedTable("Budget", name="kind"),
        AuditedTable("BillingAccount", name="name"),
        AuditedTable("SpendingCap", name="currency"),
    ]
