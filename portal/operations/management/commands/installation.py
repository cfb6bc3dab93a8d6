"""`manage.py installation`: is what is installed here what was locked, and does it start?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.operations.installation import facts, lock_of_this_installation


class Command(BaseCommand):
    help = "Compare what is installed with the lock file, file by file, and make the start checks."
    requires_system_checks: list[str] = []  # they are among what is reported

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="everything, as JSON")
        parser.add_argument(
            "--lock", type=Path, help="another lock file than requirements/production.txt"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = facts(options["lock"] or lock_of_this_installation())
        except (OSError, ValueError) as error:
            raise CommandError(f"The lock file cannot be read: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False))
            return
        self.stdout.write(f"portal {found['portal']}, release {found['release']}")
        for each in found["distributions"]:
            if not each["ok"]:
                wrong = ", ".join(each["damaged"]) or f"installed: {each['installed'] or 'no'}"
                self.stdout.write(f"WRONG {each['name']} {each['locked']}: {wrong}")
        for check in found["start_checks"]:
            self.stdout.write(
                f"{'ok   ' if check['ok'] else 'WRONG'} {check['name']}: {check['found']}"
            )
        if not found["ok"]:
            raise CommandError("This installation is not what was locked.")
        files = sum(each["files"] for each in found["distributions"])
        self.stdout.write(
            f"{len(found['distributions'])} distributions with {files} files are as locked."
        )
