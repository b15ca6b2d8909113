"""The two groups of staff, whose abilities stand in apps/staff/abilities.py, and the watch over feature switches."""

from django.db import migrations

GROUPS = "INSERT INTO auth_group (name) VALUES ('support'), ('operator') ON CONFLICT (name) DO NOTHING"
NO_GROUPS = "DELETE FROM auth_group WHERE name IN ('support', 'operator')"
# Feature switches that are turned behind the application leave an entry in the installation's own chain.
WATCH = """
CREATE CONSTRAINT TRIGGER installation_change AFTER INSERT OR UPDATE OR DELETE ON core_featureswitch
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION installation_change('core.featureswitch', 'name', 'on,percentage,scope,target', '');
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("staff", "0001_groups"),
        ("staff", "0002_watched"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("accounts", "0001_schema"),
        ("core", "0001_schema"),
    ]

    operations = [
        migrations.RunSQL(GROUPS, NO_GROUPS),
        migrations.RunSQL(WATCH, "DROP TRIGGER installation_change ON core_featureswitch"),
    ]
