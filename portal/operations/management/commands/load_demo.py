"""`manage.py load_demo`: an invented region with hospitals, people and each module's data."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.operations.demo import load_all


class Command(BaseCommand):
    help = "Make the demo's data, or what is missing of it. Never in production."

    def handle(self, *args: Any, **options: Any) -> None:
        if not getattr(settings, "PORTAL_DEMO", False):
            raise CommandError("These settings are not the demo's (PORTAL_DEMO).")
        load_all()
        self.stdout.write("The demo's data are loaded.")
