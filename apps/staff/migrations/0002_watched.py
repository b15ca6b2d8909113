"""Feature switches that are turned behind the application leave an entry in the installation's own chain."""

from django.db import migrations

WATCH = """
CREATE CONSTRAINT TRIGGER installation_change AFTER INSERT OR UPDATE OR DELETE ON core_featureswitch
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION installation_change('core.featureswitch', 'name', 'on,percentage,scope,target', '');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0001_groups"),
        ("core", "0004_feature_switches"),
        ("accounts", "0007_installation_audit"),
    ]

    operations = [migrations.RunSQL(WATCH, "DROP TRIGGER installation_change ON core_featureswitch")]
