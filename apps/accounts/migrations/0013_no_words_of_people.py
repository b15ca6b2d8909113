"""Members are found in their organization's own rows, and no more among the people of all organizations."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_fill_member_words"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="user", name="user_search"),
        migrations.RemoveField(model_name="user", name="search"),
    ]
