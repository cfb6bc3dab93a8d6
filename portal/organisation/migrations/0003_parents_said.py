from django.db import migrations

# a path has four digits a level
FILL = """
    UPDATE organisation_unit AS unit SET parent_id = above.id
    FROM organisation_unit AS above
    WHERE unit.depth > 1 AND above.path = left(unit.path, length(unit.path) - 4)
"""


class Migration(migrations.Migration):
    """Every unit says to which one it belongs; its history does so from its next change on."""

    dependencies = [
        ('organisation', '0002_parents_and_mergers'),
    ]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
