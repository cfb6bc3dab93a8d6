"""What comes from outside the portal: a radiology system's booking, a dispenser's files."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from hl7.client import MLLPClient
from tracershop.interfaces.dispensed import DispensedVial, ValueStatus
from tracershop.interfaces.dispenser_writer import write_csv

from tests.tracershop.dispenser_samples import val

PATIENT = "Prøve^Patient"


def send_booking(
    port: int, *, accession: str, starts_at: datetime, procedure: str, room: str
) -> str:
    """An ORM^O01 over a real MLLP socket; the acknowledgement code (`AA`: kept)."""
    control_id = secrets.token_hex(8)
    message = "\r".join(
        [
            f"MSH|^~\\&|RIS|E2E|PORTAL|E2E|20261122120000||ORM^O01|{control_id}|P|2.3.1|||||DK|8859/1",
            f"PID|1||010150-0000^^^CPR||{PATIENT}||19500101|F",
            f"ORC|NW|{accession}|||||^^^{starts_at:%Y%m%d%H%M%S}|||||||||||||{accession}",
            f"OBR|1|{accession}||{procedure}^PET/CT|||||||||||||||||{room}",
        ]
    )
    with MLLPClient("127.0.0.1", port) as client:
        answer = client.send_message(message.encode("latin-1")).decode("latin-1")
    acknowledgement = next(line for line in answer.split("\r") if "MSA|" in line)
    return acknowledgement.split("|")[1]


def write_val_file(
    folder: Path, *, customer: str, lot: str, filled_at: datetime, activity_mbq: float
) -> None:
    """One vial, as the older dispenser writes it."""
    content = val(
        customer=customer,
        charge=lot,
        filldate=f"{filled_at:%d.%m.%y}",
        filltime=f"{filled_at:%H:%M:%S}",
        activity=f"{activity_mbq:.1f} MBq;  ",
        use_before=f"{filled_at + timedelta(hours=8):%d/%m/%y %H:%M}",
    )
    (folder / f"VAL{secrets.token_hex(4)}.txt").write_bytes(content)


def write_csv_file(
    folder: Path, *, customer: str, lot: str, filled_at: datetime, activity_mbq: float
) -> None:
    """One vial, as the newer dispenser writes it."""
    vial = DispensedVial(
        lot=lot,
        customer_id=None,
        customer_name=customer,
        filled_at=filled_at,
        activity_mbq=activity_mbq,
        volume_ml=9.5,
        product="F-18",
        expires_at=(filled_at + timedelta(hours=8)).replace(second=0),
        value_status=ValueStatus.INSTRUMENT,
    )
    (folder / f"dispensed-{secrets.token_hex(4)}.csv").write_bytes(write_csv([vial]))
