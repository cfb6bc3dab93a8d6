"""Drop files into the demo's watched folder as both dispensers write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.interfaces.dispenser_writer import write_csv, write_val
from tracershop.models import Customer, Tracer
from tracershop.services.dispenser import watched_folder


class Command(BaseCommand):
    help = "Write a VAL file and a CSV with vials of today into the watched folder."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--activity", type=float, default=15000.0, help="MBq of each vial")
        parser.add_argument("--lot-number", type=int, default=1)

    def handle(self, *_: Any, **options: Any) -> None:
        tracer = Tracer.objects.filter(kind=Tracer.Kind.ACTIVITY).order_by("name").first()
        customers = list(Customer.objects.filter(dispenser_id__isnull=False).order_by("name")[:2])
        if tracer is None or not customers:
            raise CommandError("There is no tracer or customer: is the demo's data loaded?")
        now = timezone.localtime().replace(microsecond=0)
        lot = f"{tracer.lot_prefix}-{now:%y%m%d}-{options['lot_number']}"
        vials = [
            DispensedVial(
                lot=lot,
                customer_id=customer.dispenser_id,
                customer_name=customer.name,
                filled_at=now - timedelta(seconds=number),
                activity_mbq=options["activity"],
                volume_ml=12.5,
                product=tracer.isotope.symbol,
                expires_at=(now + timedelta(hours=10)).replace(second=0),
                dispenser="1",
                part=str(number + 1),
                position=str(number + 1),
                value_status=ValueStatus.INSTRUMENT,
            )
            for number, customer in enumerate(customers)
        ]
        folder = watched_folder()
        files = {
            f"VAL{now:%H%M%S}.txt": write_val(vials[0]),
            f"dispensed-{now:%H%M%S}.csv": write_csv(vials[-1:]),
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
            self.stdout.write(f"{folder / name}")
