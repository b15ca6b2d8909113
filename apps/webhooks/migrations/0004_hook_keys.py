"""Through which key an address for calls in was set up."""

import django.db.models.deletion
from django.db import migrations

from apps.core.tenancy.migrations import TenantReference
from apps.core.tenancy.models import TenantForeignKey


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_schema"), ("webhooks", "0003_chatwoot")]

    operations = [
        migrations.AddField(
            "inboundhook",
            "api_key",
            TenantForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.apikey"
            ),
        ),
        TenantReference("InboundHook", "api_key"),
    ]
