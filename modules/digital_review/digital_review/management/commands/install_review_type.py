"""Install a review type that ships with Digital Review: its forms, its flow, its outcomes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from digital_review.models import FormSlot
from digital_review.services.installing import install_review_type, shipped
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused


class Command(BaseCommand):
    help = "Install a shipped review type at a unit; again, it brings it up to date."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("code", help=f"one of: {', '.join(shipped())}")
        parser.add_argument("--unit", required=True, metavar="CODE", help="the unit that owns it")

    def handle(self, *_: Any, **options: Any) -> None:
        unit = Unit.objects.filter(code=options["unit"]).first()
        if unit is None:
            raise CommandError(f"There is no unit {options['unit']}.")
        try:
            made = install_review_type(
                actor=ServiceActor("install_review_type"),
                code=options["code"],
                unit=unit,
                reason="installed",
            )
        except Refused as refusal:
            raise CommandError("\n".join([str(refusal), *map(str, refusal.details)])) from None
        forms = FormSlot.objects.filter(review_type=made).count()
        self.stdout.write(f"{made} is installed at {unit}: {forms} forms.")
