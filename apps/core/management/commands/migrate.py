"""`migrate`, which leaves a database alone that only some of the migrations have reached that others have replaced."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


class Command(migrate.Command):
    """Django itself would pass over the app, and say that there is nothing to do."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, with the names of what is missing, before anything has been changed."""
        if missing := half_way(connections[options["database"]]):
            raise CommandError(
                f"This database has been migrated in part: {', '.join(missing)} are missing, and this version has one"
                " migration in their place. Bring it up to date with the last version that has them, then come back."
            )
        super().handle(*args, **options)


def half_way(connection: Any) -> list[str]:
    """The migrations that are gone and were never applied here, of apps of which others were."""
    applied = MigrationRecorder(connection).applied_migrations()
    loader = MigrationLoader(None)
    return [
        f"{app}.{name}"
        for replacing in loader.replacements.values()
        if any(key in applied for key in replacing.replaces)
        for app, name in replacing.replaces
        if (app, name) not in applied and (app, name) not in loader.disk_migrations
    ]
