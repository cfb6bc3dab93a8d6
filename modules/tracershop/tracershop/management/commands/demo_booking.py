"""Send a booking to the running demo, as a radiology system would: HL7 over MLLP."""

from __future__ import annotations

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from hl7.client import MLLPClient

from tracershop.models import ProcedureMapping, RoomMapping


class Command(BaseCommand):
    help = "Send an ORM^O01 booking to the HL7 listener (default: tomorrow at 10:00)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD")
        parser.add_argument("--at", type=time.fromisoformat, default=time(10, 0), help="HH:MM")
        parser.add_argument("--cancel", metavar="ACCESSION", help="cancel this booking instead")

    def handle(self, *_: Any, **options: Any) -> None:
        mapping = ProcedureMapping.objects.filter(tracer__kind="activity").first()
        room = mapping and RoomMapping.objects.filter(endpoint=mapping.endpoint_id).first()
        if mapping is None or room is None:
            raise CommandError("Nothing is mapped: is the demo's data loaded?")
        day = options["day"] or timezone.localdate() + timedelta(days=1)
        accession = options["cancel"] or f"DEMO{secrets.randbelow(10**8):08d}"
        message = order_message(
            control="CA" if options["cancel"] else "NW",
            accession=accession,
            starts_at=datetime.combine(day, options["at"]),
            procedure=mapping.procedure_code,
            room=room.room,
        )
        with MLLPClient(settings.PORTAL_HL7_HOST, settings.PORTAL_HL7_PORT) as client:
            answer = client.send_message(message).decode("latin-1")
        self.stdout.write(f"Sent booking {accession} ({mapping}, room {room.room}, {day})")
        self.stdout.write(answer.replace("\r", "\n"))


def order_message(
    *, control: str, accession: str, starts_at: datetime, procedure: str, room: str
) -> bytes:
    """An ORM^O01 with an invented patient, whom nobody will find in the portal."""
    now, number = timezone.localtime(), secrets.token_hex(8)
    segments = [
        f"MSH|^~\\&|RIS|DEMO|PORTAL|DEMO|{now:%Y%m%d%H%M%S}||ORM^O01|{number}|P|2.3.1|||||DK|8859/1",
        "PID|1||010150-0000^^^CPR||Prøve^Patient||19500101|F",
        _segment(
            "ORC", {1: control, 2: accession, 7: f"^^^{starts_at:%Y%m%d%H%M%S}", 20: accession}
        ),
        _segment("OBR", {1: "1", 2: accession, 4: f"{procedure}^PET/CT", 20: accession, 21: room}),
    ]
    return "\r".join(segments).encode("latin-1")


def _segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])
