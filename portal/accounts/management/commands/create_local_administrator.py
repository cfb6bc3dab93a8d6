"""`manage.py create_local_administrator`: who gets in when the login service is down."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.services.emergency import create_local_administrator
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused


class Command(BaseCommand):
    help = (
        "Make a local administrator: password and authenticator app instead of the login service."
        " Prints the link at which the password is chosen; it works once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="mail address, the user name")
        parser.add_argument("name")
        parser.add_argument(
            "--expires-on", required=True, type=date.fromisoformat, help="last day, YYYY-MM-DD"
        )
        parser.add_argument("--reason", required=True, help="for the audit trail")
        parser.add_argument("--unit", help="code of the unit; the only root where there is one")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            link = create_local_administrator(
                actor=ServiceActor("command line"),
                email=options["email"],
                name=options["name"],
                expires_on=options["expires_on"],
                unit=_unit(options["unit"]),
                reason=options["reason"],
            )
        except Refused as error:
            raise CommandError(str(error)) from None
        self.stdout.write(link)


def _unit(code: str | None) -> Unit:
    units = Unit.objects.open()
    found = list(units.filter(code=code) if code else units.filter(depth=1))
    if len(found) != 1:
        raise CommandError(f"name one unit by its code (--unit): {len(found)} fit")
    return found[0]
