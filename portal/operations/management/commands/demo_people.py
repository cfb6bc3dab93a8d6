"""`manage.py demo_people`: who can log in to the demo."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.operations.demo import all_people, as_rows


class Command(BaseCommand):
    help = "List the demo's people; --json for the identity provider."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="everything, as a JSON list")

    def handle(self, *args: Any, **options: Any) -> None:
        people = all_people()
        if options["json"]:
            self.stdout.write(json.dumps(as_rows(people), ensure_ascii=False, indent=1))
            return
        for person in people:
            self.stdout.write(
                f"{person.regional_id or person.email:<40} {person.name}: {person.role}"
            )
