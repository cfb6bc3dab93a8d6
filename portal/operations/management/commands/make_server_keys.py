"""Make the server keys that are missing; what is there is never overwritten."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import serverkeys


class Command(BaseCommand):
    help = "Make the server keys that PORTAL_KEYS_DIR lacks; never overwrites one."
    # it is run before there is a database, and before every setting is right
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        folder = settings.PORTAL_KEYS_DIR
        try:
            made = serverkeys.create_missing(folder)
        except (serverkeys.ServerKeyError, OSError) as error:
            raise CommandError(str(error)) from error
        for name in made:
            self.stdout.write(f"made {name}")
        self.stdout.write(
            f"{len(made)} made in {folder}: keep a backup apart from the database's"
            if made
            else f"{folder} lacks nothing"
        )
