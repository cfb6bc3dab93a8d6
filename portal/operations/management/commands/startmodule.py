"""`manage.py startmodule NAME`: a working module to begin with (PT-051)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.operations.skeleton import SkeletonError, write_module


class Command(BaseCommand):
    help = "Write a new, working module: an installable distribution with tests."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="small letters and underscores, e.g. wound_care")
        parser.add_argument(
            "--into",
            type=Path,
            default=Path(settings.ROOT) / "modules",
            metavar="FOLDER",
            help="where its folder is made (modules/ of the portal's sources)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder = write_module(options["name"], options["into"].absolute())
        except SkeletonError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{folder} is made. Install it and try it:\n"
            f"  pip install --no-deps --no-build-isolation -e {folder}\n"
            f"  cd {folder} && python -m pytest\n"
            "Then docs/modules.md tells how to make it yours."
        )
