from django.db import migrations

from apps.accounts.audit.operations import AuditedInstallationTable, AuditedTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_shares_of_seeded_plans"), ("accounts", "0007_installation_audit")]
    operations = [
        AuditedInstallationTable(
            "Plan",
            name="code",
            columns=[
                "code",
                "name",
                "monthly_tokens",
                "requests_per_minute",
                "tokens_per_minute",
                "max_queued",
                "weight",
                "max_running",
            ],
        ),
        AuditedTable("Subscription", name="plan_id"),
    ]
