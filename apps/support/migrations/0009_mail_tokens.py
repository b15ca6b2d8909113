from django.db import migrations, models

import apps.core.crypto


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_schema"),
        ("support", "0008_origins"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailaccount",
            name="auth",
            field=models.CharField(
                choices=[("password", "a password"), ("oauth", "OAuth 2.0 (Microsoft 365, Google)")],
                db_default="password",
                default="password",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_token_url",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_client_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=254),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_scope",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_client_secret",
            field=apps.core.crypto.SealedText(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_refresh_token",
            field=apps.core.crypto.SealedText(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_access_token",
            field=apps.core.crypto.SealedText(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="mailaccount",
            name="oauth_expires_at",
            field=models.DateTimeField(null=True),
        ),
    ]
